/**
 * What `tokenwright doctor` finds: misconfigurations planted one by one into real servers, key files
 * and deployments, each named, and nothing on a sound one.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createPlainServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, createServer as createSocketServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { toNodeHandler } from '../../src/adapters/node.ts'
import { createAuth } from '../../src/auth/create-auth.ts'
import type { AuthOptions } from '../../src/auth/options.ts'
import { CHECKS, type Finding } from '../../src/cli/doctor/checks.ts'
import { checkDeployment, readDeployment } from '../../src/cli/doctor/deployment.ts'
import { checkEnvironment, checkKeyFile } from '../../src/cli/doctor/environment.ts'
import { checkStore } from '../../src/cli/doctor/store-checks.ts'
import { openRedis } from '../../src/cli/redis-client.ts'
import { readStoreAddress } from '../../src/cli/stores.ts'
import { authRoutes } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { createKeyRing, generateKey } from '../../src/token/key-ring.ts'
import { rotateKeys } from '../../src/token/rotate-keys.ts'
import { HAS_PGBOUNCER, startPgbouncer } from '../contract/engines.ts'
import { shiftClock } from '../invariants/moved-clocks.ts'
import { HAS_REDIS, type RedisServer, startRedis, waitFor } from '../stores/redis-server.ts'
import { HAS, openDatabase, type TestDatabase } from '../stores/sql-databases.ts'
import { run } from './run.ts'

const SECRET = 'kq3R-9vZt1Yw_0aPfLxB7mNsD5uHgEcJ2oViTy8WbQ4'

const folder = mkdtempSync(join(tmpdir(), 'tokenwright-doctor-'))
afterAll(() => rmSync(folder, { recursive: true }))
afterEach(() => vi.restoreAllMocks())

/** The names of what is not sound. */
function listIds(findings: readonly Finding[]): string[] {
  for (const { id, result } of findings)
    expect(['ok', 'skipped'].includes(result) || Object.hasOwn(CHECKS, id), id).toBe(true)
  return findings.filter(({ result }) => result === 'problem' || result === 'warning').map(({ id }) => id)
}

const ofStore = async (url: string, schema?: string): Promise<string[]> =>
  listIds(await checkStore(readStoreAddress('--store', url, undefined, schema)))

describe.skipIf(!HAS_REDIS)('of a Redis', () => {
  let server: RedisServer
  let other: RedisServer
  let admin: Redis
  let url: string
  beforeAll(async () => {
    ;[server, other] = await Promise.all([
      startRedis('--appendonly', 'yes'),
      startRedis('--appendonly', 'yes'),
    ])
    url = `redis://127.0.0.1:${server.port}`
    admin = new Redis(server.port)
  })
  afterAll(async () => {
    // A process that writes the file anew would write into the folder that is removed.
    await waitFor(async () => /aof_rewrite_in_progress:0/.test(await admin.info('persistence')))
    admin.disconnect()
    await Promise.all([server.close(), other.close()])
  })

  /** What is found while a setting has another value. */
  async function whileSet(name: string, value: string): Promise<string[]> {
    const [, before = ''] = (await admin.config('GET', name)) as string[]
    await admin.config('SET', name, value)
    try {
      return await ofStore(url)
    } finally {
      await admin.config('SET', name, before)
    }
  }

  it('finds nothing on a sound one', async () => {
    expect(await ofStore(url)).toEqual([])
    expect(await admin.keys('*doctor*')).toEqual([])
  })

  it('finds each thing by its name', async () => {
    expect(await whileSet('maxmemory-policy', 'allkeys-lru')).toEqual(['redis-deletes-keys'])
    expect(await whileSet('maxmemory', '1')).toEqual(['redis-memory', 'store-write'])
    expect(await whileSet('appendonly', 'no')).toEqual(['redis-no-persistence'])
    const script = "for i = 1, 100001 do redis.call('XADD', KEYS[1], '*', 'a', '1') end"
    await admin.eval(script, 1, '{tw}:log')
    expect(await ofStore(url)).toEqual(['log-long'])
    await admin.del('{tw}:log')
  })

  it('finds a replica, and a primary that waits for none', async () => {
    await admin.replicaof('127.0.0.1', other.port)
    await waitFor(async () => (await admin.info('replication')).includes('master_link_status:up'))
    expect(await ofStore(url)).toEqual(['store-read-only'])
    const primary = await ofStore(`redis://127.0.0.1:${other.port}`)
    expect(primary).toEqual(['replication-async', 'redis-cut-off-writes'])
    await admin.replicaof('NO', 'ONE')
  })

  it('finds a clock that differs, and a server that is not there or not open', async () => {
    shiftClock('system', 60)
    expect(await ofStore(url)).toEqual(['store-clock'])
    vi.restoreAllMocks()
    expect(await ofStore('redis://127.0.0.1:1')).toEqual(['store-unreachable'])
    const [refused] = await checkStore(
      readStoreAddress('--store', `redis://a:hunter2@127.0.0.1:${server.port}`, undefined),
    )
    expect(refused).toMatchObject({
      id: 'store-unreachable',
      what: expect.stringContaining('password is wrong'),
    })
    expect(JSON.stringify(refused)).not.toContain('hunter2')
  })
})

describe.skipIf(!HAS.postgres)('of a PostgreSQL', () => {
  let database: TestDatabase
  const role = `doctor_${process.pid}_${Math.floor(Math.random() * 1e9)}`
  const toUrl = (user: string, schema = database.path, port = 5432): string =>
    `postgres://${user}@127.0.0.1:${port}/test?options=-csearch_path%3D${schema}`
  beforeAll(async () => {
    database = await openDatabase('postgres')
    await database.sql(`create role ${role} login`)
    await database.sql(`grant usage on schema ${database.path} to ${role}`)
  })
  afterAll(async () => {
    await database.sql(`drop owned by ${role}`)
    await database.sql(`drop role ${role}`)
    await database.close()
  })

  it('finds nothing on a sound one', async () => {
    expect(await ofStore(toUrl('root'))).toEqual([])
  })

  it('finds each thing by its name', async () => {
    const grant = `on all tables in schema ${database.path}`
    const findings = await checkStore(readStoreAddress('--store', toUrl(role), undefined))
    expect(listIds(findings)).toEqual(['privileges'])
    await database.sql(`grant select, insert, update ${grant} to ${role}`)
    const [denied] = await checkStore(readStoreAddress('--store', toUrl(role), undefined))
    expect(denied?.what).toMatch(/may not: delete on tokenwright_sessions, .*delete on tokenwright_attempts$/)
    await database.sql(`grant delete ${grant} to ${role}`)
    expect(await ofStore(toUrl(role))).toEqual([])
    await database.sql(`alter role ${role} set default_transaction_read_only to on`)
    expect(await ofStore(toUrl(role))).toEqual(['store-read-only'])
    await database.sql(`alter role ${role} reset default_transaction_read_only`)
    await database.sql(`alter role ${role} set synchronous_commit to off`)
    expect(await ofStore(toUrl(role))).toEqual(['postgres-synchronous-commit'])
    expect(await ofStore(toUrl('root', 'nowhere'))).toEqual(['tables-missing'])
  })

  it('finds tables of another version', async () => {
    const set = (n: number): Promise<unknown> =>
      database.sql(`update tokenwright_counters set n = ${n} where name = 'schema'`)
    await set(2)
    expect(await ofStore(toUrl('root'))).toEqual(['schema-old'])
    await set(9)
    expect(await ofStore(toUrl('root'))).toEqual(['schema-newer'])
    await set(3)
  })

  it('finds what has grown', async () => {
    const rows = 'from generate_series(1, 100001) as i'
    await database.sql(
      `insert into tokenwright_log (id, kind, key_hash, entry_key, revoked_at, until_at)
       select i, 'sid', i, i, 0, 9999999999999 ${rows}`,
    )
    expect(await ofStore(toUrl('root'))).toEqual(['log-long'])
    await database.sql('update tokenwright_log set until_at = 1 where id < 20000')
    expect(await ofStore(toUrl('root'))).toEqual(['log-long', 'prune-backlog'])
    await database.sql('delete from tokenwright_log')
  })

  it.skipIf(!HAS_PGBOUNCER)('finds a pooler, and a schema that gets lost in it', async () => {
    const bouncer = await startPgbouncer()
    const url = `postgres://root@127.0.0.1:${bouncer.port}/test`
    expect(await ofStore(url, database.path)).toEqual(['pooler-transaction-mode'])
    expect(await ofStore(url)).toEqual(['tables-missing', 'pooler-transaction-mode'])
    await bouncer.close()
  })
})

describe.skipIf(!HAS.mysql)('of a MariaDB', () => {
  it('finds what its user may not', async () => {
    const database = await openDatabase('mysql')
    const user = `doctor_${process.pid}`
    await database.sql(`create user ${user}@'127.0.0.1'`)
    await database.sql(`grant select, insert on ${database.path}.* to ${user}@'127.0.0.1'`)
    const url = `mysql://${user}@127.0.0.1:3306/${database.path}`
    const [denied] = (await checkStore(readStoreAddress('--store', url, undefined))).filter(
      ({ id }) => id === 'privileges',
    )
    expect(denied?.what).toMatch(/may not: update on tokenwright_counters, update on tokenwright_sessions, /)
    expect(await ofStore(`mysql://root@127.0.0.1:3306/${database.path}`)).not.toContain('privileges')
    await database.sql(`drop user ${user}@'127.0.0.1'`)
    await database.close()
  })
})

describe('of a SQLite file', () => {
  it('finds a file without tables, and nothing on a sound one', async () => {
    const database = await openDatabase('sqlite')
    expect(await ofStore(`sqlite:${database.path}`)).toEqual([])
    await database.close()
    const bare = await openDatabase('sqlite', false)
    await bare.sql('create table other (id integer)')
    expect(await ofStore(`sqlite:${bare.path}`)).toEqual(['tables-missing'])
    await bare.close()
  })
})

describe('of variables and key files', () => {
  it('finds nothing on sound ones', async () => {
    const printers = process.listeners('warning')
    expect(
      listIds(await checkEnvironment({ TOKENWRIGHT_SECRET: SECRET, NODE_ENV: 'production' }, true)),
    ).toEqual([])
    expect(process.listeners('warning')).toEqual(printers)
    const secretFile = join(folder, 'secret')
    writeFileSync(secretFile, `${SECRET}\n`)
    // The last one is the reference server's own.
    const env = {
      TOKENWRIGHT_SECRET_FILE: secretFile,
      TOKENWRIGHT_LEEWAY: '9s',
      TOKENWRIGHT_TRUST_PROXY: '1',
    }
    expect((await checkEnvironment(env, false)).map(({ id, result }) => [id, result])).toEqual([
      ['secret-weak', 'ok'],
      ['variables-invalid', 'ok'],
    ])
    const file = join(folder, 'sound.json')
    writeFileSync(file, rotateKeys(null, { alg: 'ES256' }), { mode: 0o600 })
    expect(listIds((await checkKeyFile(file)).findings)).toEqual([])
  })

  it.each([
    ['secret-weak', { TOKENWRIGHT_SECRET: 'changeme-changeme-changeme-changeme' }],
    ['secret-weak', { TOKENWRIGHT_SECRET: SECRET, TOKENWRIGHT_SECRET_OTHER: 'short' }],
    ['secret-words', { TOKENWRIGHT_SECRET: 'the-harbor-lantern-drifts-over-nine-marble-rivers' }],
    ['node-env', { TOKENWRIGHT_SECRET: SECRET, NODE_ENV: 'development' }],
    ['variables-invalid', { TOKENWRIGHT_SECRET: SECRET, TOKENWRIGHT_LEWAY: '5s' }],
    ['variables-invalid', { TOKENWRIGHT_SECRET: SECRET, TOKENWRIGHT_LEEWAY: '5 years' }],
    ['variables-invalid', { TOKENWRIGHT_SECRET_FILE: '/nowhere/secret' }],
    ['variable-unused', { TOKENWRIGHT_SECRET: SECRET, TOKENWRIGHT_KEYS: 'keys.json' }],
  ])('finds %s', async (id, env) => {
    const findings = await checkEnvironment(env, true)
    expect(listIds(findings)).toEqual([id])
    for (const secret of Object.values(env).slice(0, 1))
      expect(JSON.stringify(findings)).not.toContain(secret)
  })

  it('finds what is wrong with a key file', async () => {
    const file = join(folder, 'keys.json')
    writeFileSync(file, rotateKeys(null, { alg: 'ES256' }))
    chmodSync(file, 0o644)
    expect(listIds((await checkKeyFile(file)).findings)).toEqual(['keys-readable'])
    chmodSync(file, 0o600)
    const { keys } = JSON.parse(readFileSync(file, 'utf8'))
    const write = (key: object): void => writeFileSync(file, JSON.stringify({ keys: [key] }))
    write({ ...keys[0], notAfter: Math.floor(Date.now() / 1000) + 3600 })
    expect(listIds((await checkKeyFile(file)).findings)).toEqual(['keys-end'])
    const { d: _, ...open } = keys[0]
    write(open)
    expect(listIds((await checkKeyFile(file)).findings)).toEqual(['keys-no-signer'])
    writeFileSync(file, '{')
    expect(listIds((await checkKeyFile(file)).findings)).toEqual(['keys-invalid'])
    expect(listIds((await checkKeyFile(join(folder, 'none.json'))).findings)).toEqual(['keys-invalid'])
  })
})

type Handler = (request: Request) => Promise<Response>

const servers: { close(): unknown }[] = []
afterAll(() => {
  for (const server of servers) server.close()
})

interface Place {
  readonly host?: string
  readonly port?: number
  readonly tls?: { readonly key: string; readonly cert: string }
}

/** Serves on this machine; by default on any port. */
async function serve(handler: Handler, { host = '127.0.0.1', port = 0, tls }: Place = {}): Promise<number> {
  const listener = toNodeHandler(handler)
  const server = tls === undefined ? createPlainServer(listener) : createTlsServer(tls, listener)
  await new Promise<void>((resolve) => server.listen(port, host, resolve))
  servers.push(server)
  return (server.address() as AddressInfo).port
}

const toRoutes = (options: Partial<AuthOptions> = {}): Handler => {
  const keys = createKeyRing({ signing: generateKey('ES256') })
  const locations = ['header', 'cookie'] as const
  const auth = createAuth({ keys, locations, sessions: { store: memoryStore() }, ...options })
  return authRoutes(auth, { verifyCredentials: async () => null, address: () => '127.0.0.1' })
}

/** Changes the headers of responses, as something in between may. */
const withHeaders =
  (handler: Handler, change: (headers: Headers) => void): Handler =>
  async (request) => {
    const response = await handler(request)
    const headers = new Headers(response.headers)
    change(headers)
    return new Response(response.body, { status: response.status, headers })
  }

const changeCookies =
  (change: (line: string) => string) =>
  (headers: Headers): void => {
    const lines = headers.getSetCookie()
    headers.delete('set-cookie')
    for (const line of lines) headers.append('set-cookie', change(line))
  }

const ofDeployment = async (...handlers: readonly Handler[]): Promise<string[]> => {
  const ports = await Promise.all(handlers.map((handler) => serve(handler)))
  const urls = ports.map((port) => readDeployment(`http://127.0.0.1:${port}`))
  return listIds(await checkDeployment(urls, null))
}

describe('of a deployment', () => {
  it('finds nothing on a sound one, of one node or of two with the same keys', async () => {
    const routes = toRoutes()
    expect(await ofDeployment(routes, routes)).toEqual([])
  })

  it.each<[string, () => Handler]>([
    ['cookies-not-secure', () => toRoutes({ cookies: { secure: false } })],
    ['cookies-domain', () => toRoutes({ cookies: { domain: 'example.com' } })],
    ['cookies-same-site', () => toRoutes({ cookies: { sameSite: 'None' } })],
    [
      'cookies-readable',
      () =>
        withHeaders(
          toRoutes(),
          changeCookies((line) => line.replace(/; HttpOnly/i, '')),
        ),
    ],
    [
      'cookie-prefix',
      () =>
        withHeaders(
          toRoutes(),
          changeCookies((line) => line.replace(/Path=\//i, 'Path=/app')),
        ),
    ],
    ['proxy-headers', () => toRoutes({ origin: 'http://internal:8000' })],
    ['origin-unchecked', () => toRoutes({ csrf: false })],
    ['routes-missing', () => async () => new Response('Not found', { status: 404 })],
    ['responses-cacheable', () => withHeaders(toRoutes(), (headers) => headers.delete('cache-control'))],
    [
      'cors-open',
      () =>
        withHeaders(toRoutes(), (headers) =>
          headers.set('access-control-allow-origin', 'https://doctor.invalid'),
        ),
    ],
    [
      'node-clock',
      () => withHeaders(toRoutes(), (headers) => headers.set('date', new Date(0).toUTCString())),
    ],
  ])('finds %s', async (id, create) => {
    expect(await ofDeployment(create())).toEqual([id])
  })

  it('finds nodes, and a key file, with other keys', async () => {
    expect(await ofDeployment(toRoutes(), toRoutes())).toEqual(['jwks-differs'])
    const url = readDeployment(`http://127.0.0.1:${await serve(toRoutes())}`)
    const ring = createKeyRing({ signing: generateKey('ES256') })
    expect(listIds(await checkDeployment([url], ring))).toEqual(['keys-elsewhere', 'jwks-differs'])
  })

  it('finds nodes with another secret, which no key set shows', async () => {
    const toRing = (key: string) => createKeyRing({ signing: { alg: 'HS256', key } })
    const [own, other] = [toRing(SECRET), toRing([...SECRET].reverse().join(''))]
    const ports = await Promise.all([own, other].map((keys) => serve(toRoutes({ keys }))))
    const [first, second] = ports.map((port) => readDeployment(`http://127.0.0.1:${port}`)) as [URL, URL]
    expect(listIds(await checkDeployment([first], own))).toEqual([])
    const findings = await checkDeployment([first, second], own)
    expect(listIds(findings)).toEqual(['keys-elsewhere'])
    expect(findings.find(({ id, result }) => id === 'keys-elsewhere' && result === 'problem')?.what).toBe(
      `${second.origin} does not know the key that is configured here`,
    )
    expect(findings).toContainEqual(expect.objectContaining({ id: 'jwks-differs', result: 'skipped' }))
  })

  it('finds what is not there, and what is not https', async () => {
    expect(listIds(await checkDeployment([readDeployment('http://127.0.0.1:1')], null))).toEqual([
      'url-unreachable',
    ])
    expect(listIds(await checkDeployment([readDeployment('http://doctor.invalid')], null))).toEqual([
      'https-missing',
      'url-unreachable',
    ])
  })
})

describe('tokenwright doctor', () => {
  const cert = join(folder, 'cert.pem')
  const withHsts = (handler: Handler): Handler =>
    withHeaders(handler, (headers) => headers.set('strict-transport-security', 'max-age=9'))

  /** A certificate of this machine, and of an address of it whose usual ports are free. */
  function certify(host: string): { readonly key: string; readonly cert: string } {
    const key = join(folder, 'key.pem')
    const names = `subjectAltName=DNS:localhost,IP:${host}`
    const args = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost'
    const all = [...args.split(' '), '-addext', names, '-keyout', key, '-out', cert]
    execFileSync('openssl', all, { stdio: 'ignore' })
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
  }

  it('ends with 0 on a sound deployment and with 3 on a problem', { timeout: 60_000 }, async () => {
    const tls = certify('127.0.0.1')
    let routes = toRoutes()
    const port = await serve((request) => routes(request), { tls })
    const keys = createKeyRing({ signing: { alg: 'HS256', key: SECRET } })
    const sounds = withHsts(toRoutes({ keys, origin: `https://localhost:${port}` }))
    routes = sounds
    const database = await openDatabase('sqlite')
    const env = { NODE_EXTRA_CA_CERTS: cert, TOKENWRIGHT_SECRET: SECRET, STORE: `sqlite:${database.path}` }
    const call = ['doctor', '--store', 'env:STORE', '--url', `https://localhost:${port}`]
    const sound = await run(call, { env })
    expect(sound).toMatchObject({ code: 0, stderr: '' })
    expect(sound.stdout).toMatch(/^ok {7}secret-weak +TOKENWRIGHT_SECRET is long and looks random\n/)
    expect(sound.stdout).toMatch(/\n0 problems, 0 warnings, \d+ sound, 3 skipped$/)
    routes = withHeaders(sounds, (headers) => headers.delete('strict-transport-security'))
    const weak = await run([...call, '--json'], { env: { ...env, TOKENWRIGHT_SECRET: 'hunter2' } })
    expect([weak.code, weak.stderr]).toEqual([3, ''])
    const report = JSON.parse(weak.stdout)
    expect(report).toMatchObject({ problems: 1, warnings: 1 })
    expect(listIds(report.findings)).toEqual(['secret-weak', 'hsts-missing'])
    expect(report.findings[0]).toEqual({
      id: 'secret-weak',
      result: 'problem',
      what: 'Expected TOKENWRIGHT_SECRET to be at least 32 bytes for HS256, got 7',
      advice: expect.stringContaining('tokenwright secret'),
    })
    expect(weak.stdout).not.toContain('hunter2')
    await database.close()
  })

  it.skipIf(process.getuid?.() !== 0)('finds http beside https', async () => {
    const host = `127.77.${process.pid % 250}.${(process.pid >> 8) % 250}`
    const tls = certify(host)
    const routes = withHsts(toRoutes({ origin: `https://${host}` }))
    await serve(routes, { host, port: 443, tls })
    let plain = routes
    await serve((request) => plain(request), { host, port: 80 })
    const call = ['doctor', '--url', `https://${host}`, '--json']
    const env = { NODE_EXTRA_CA_CERTS: cert }
    expect(listIds(JSON.parse((await run(call, { env })).stdout).findings)).toEqual(['http-open'])
    plain = async () => new Response(null, { status: 308, headers: { location: `https://${host}/` } })
    expect(listIds(JSON.parse((await run(call, { env })).stdout).findings)).toEqual([])
  })

  it('says what it is not given, and refuses what it cannot read', async () => {
    expect((await run(['doctor'])).stdout).toMatch(/\n0 problems, 0 warnings, 0 sound, 4 skipped$/)
    const wrong = await run(['doctor', '--url', 'app.example.com'])
    expect(wrong).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^Expected --url with the address/),
    })
  })
})

it('gives up a server that takes connections and says nothing', async () => {
  const silent = createSocketServer(() => undefined)
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const { port } = silent.address() as AddressInfo
  await expect(openRedis(`redis://127.0.0.1:${port}`, 300)).rejects.toMatchObject({ code: 'ETIMEDOUT' })
  silent.close()
})
