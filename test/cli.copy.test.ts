/** `tokenwright copy`, run as its users run it: between all kinds of stores, broken off, and refused. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ProgressLine } from '../src/cli/progress-line.ts'
import { redact } from '../src/cli/redact.ts'
import { readStoreAddress } from '../src/cli/stores.ts'
import { randomId } from '../src/internal/bytes.ts'
import type { Store } from '../src/session/store.ts'
import type { StoreRecord } from '../src/session/transfer.ts'
import { redisStore } from '../src/stores/redis.ts'
import { type SqlDialect, sqlStore } from '../src/stores/sql.ts'
import { type Ended, ROOT, type Run, start as startCommand } from './cli/run.ts'
import { HAS_REDIS, type RedisServer, startRedis, waitFor } from './stores/redis-server.ts'
import { HAS, openDatabase, type TestDatabase, toCall, toDraft } from './stores/sql-databases.ts'

const HAS_ALL = HAS.postgres && HAS.mysql && HAS_REDIS

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true })
})

/** A project of a user, with some packages. */
function createProject(packages: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'tokenwright-copy-'))
  folders.push(folder)
  mkdirSync(join(folder, 'node_modules/@photostructure'), { recursive: true })
  for (const name of packages)
    symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name))
  return folder
}

const ALL = ['kysely', 'pg', 'mysql2', 'ioredis', '@photostructure/sqlite']

const start = (args: readonly string[], cwd: string, env: Record<string, string> = {}): Run =>
  startCommand(['copy', ...args], { cwd, env })

const copy = (args: readonly string[], cwd: string, env?: Record<string, string>): Promise<Ended> =>
  start(args, cwd, env).ended

function toUrl({ dialect, path }: TestDatabase, password = ''): string {
  if (dialect === 'sqlite') return `sqlite:${path}`
  if (dialect === 'mysql') return `mysql://root${password}@127.0.0.1:3306/${path}`
  return `postgres://root${password}@127.0.0.1:5432/test?options=-csearch_path%3D${path}`
}

/** Opens databases for a test, and closes them. */
async function withDatabases<const K extends readonly SqlDialect[]>(
  kinds: K,
  work: (...databases: { [I in keyof K]: TestDatabase }) => Promise<void>,
): Promise<void> {
  const databases = await Promise.all(kinds.map((kind) => openDatabase(kind)))
  try {
    await work(...(databases as { [I in keyof K]: TestDatabase }))
  } finally {
    await Promise.all(databases.map((database) => database.close()))
  }
}

const LIVES = { idle: 50_000, absolute: 90_000 }

/** Starts sessions. */
async function startMany(store: Store, count: number): Promise<string[]> {
  const sids = Array.from({ length: count }, () => randomId())
  await store.start(toDraft({ sid: sids[0] ?? '', ...LIVES }), null)
  const row = await store.get(sids[0] ?? '')
  if (row === null) throw new Error('no such session')
  const records = sids.map((sid): StoreRecord => ({ kind: 'session', row: { ...row, sid, sub: sid } }))
  await store.transfer?.write(records, { replaces: 'none', now: null })
  return sids
}

/** The sessions of a store, in order. */
async function readSids(store: Store): Promise<string[]> {
  const { records } = (await store.transfer?.read(null, 1000)) ?? { records: [] }
  return records.flatMap((record) => (record.kind === 'session' ? [record.row.sid] : [])).sort()
}

const findPlaces = (folder: string): string[] =>
  readdirSync(folder).filter((name) => /^tokenwright-copy-.*\.json$/.test(name))

describe.skipIf(!HAS_ALL)('tokenwright copy', { timeout: 60_000 }, () => {
  let redis: RedisServer
  const project = createProject(ALL)
  beforeAll(async () => {
    redis = await startRedis('--appendonly', 'yes')
  })
  afterAll(() => redis.close())

  it('copies from SQLite to PostgreSQL to Redis to MariaDB, and no session is lost', async () => {
    await withDatabases(['sqlite', 'postgres', 'mysql'], async (sqlite, postgres, mysql) => {
      const { store } = sqlite
      const sids = await startMany(store, 250)
      const [first = '', ended = ''] = sids
      for (const gen of [0, 1, 2]) await store.rotate(toCall(first, gen, { overlap: 0 }))
      await store.end(ended, 'ended', { logTtl: 900, now: null })
      const gone = { sub: 'gone', realm: null }
      await store.endAll(gone, 'subject_revoked', { logTtl: 900, now: null, except: null, cutOff: 5000 })
      await store.countAttempt('once', 1, 10_000, null)

      const counts = { sessions: 250, cutOffs: 1, attempts: 1, revocations: 2, changed: 0, resumed: false }
      const one = await copy(['--from', toUrl(sqlite), '--to', toUrl(postgres), '--json'], project)
      expect([one.code, one.stderr]).toEqual([0, ''])
      expect(JSON.parse(one.stdout)).toEqual({
        from: `sqlite:${sqlite.path}`,
        to: 'postgres://127.0.0.1:5432/test',
        ...counts,
        seconds: expect.any(Number),
      })
      const url = `redis://127.0.0.1:${redis.port}`
      const two = await copy(
        ['--from', 'env:OLD_STORE', '--to', url, '--to-prefix', 'shop', '--json'],
        project,
        { OLD_STORE: toUrl(postgres) },
      )
      expect([two.code, two.stderr, JSON.parse(two.stdout)]).toMatchObject([0, '', counts])
      const three = await copy(['--from', url, '--from-prefix', 'shop', '--to', toUrl(mysql)], project)
      expect([three.code, three.stderr]).toEqual([0, ''])
      expect(three.stdout).toMatch(
        /^Copied from redis:\/\/127.0.0.1:\d+\/0 to mysql:\/\/127.0.0.1:3306\/\w+ in [\d.]+ s: 250 sessions, 1 cut-offs, 1 counted attempts, 2 revocations$/,
      )
      expect(await readSids(mysql.store)).toEqual([...sids].sort())
      expect((await mysql.store.rotate(toCall(first, 3, { overlap: 0 }))).word).toBe('rotated')
      expect((await mysql.store.rotate(toCall(ended, 0))).word).toBe('revoked')
      expect((await mysql.store.countAttempt('once', 1, 10_000, null)).allowed).toBe(false)
      const query = { ...gone, sid: null, jti: null, iat: (await mysql.store.now()) - 60, now: null }
      expect(await mysql.store.isRevoked(query)).toBe(true)
      expect(findPlaces(project)).toEqual([])
    })
  })

  it('copies from one schema to another', async () => {
    await withDatabases(['postgres', 'postgres'], async (from, to) => {
      const sids = await startMany(from.store, 5)
      const url = 'postgres://root@127.0.0.1:5432/test'
      const args = ['--from', url, '--from-schema', from.path, '--to', url]
      const { code, stderr } = await copy([...args, '--to-schema', to.path], project)
      expect([code, stderr]).toEqual([0, ''])
      expect(await readSids(to.store)).toEqual([...sids].sort())
      const same = await copy([...args, '--to-schema', from.path], project)
      expect([same.code, same.stderr]).toEqual([1, 'Expected --from and --to to be two stores'])
      const none = await copy(
        [...args, '--to', `redis://127.0.0.1:${redis.port}`, '--to-schema', 'a'],
        project,
      )
      expect([none.code, none.stderr]).toEqual([1, 'Expected no schema for --to: redis has none'])
    })
  })

  /** Holds a copy up in its third batch of five; it has written its place before. */
  async function holdUp(
    work: (held: {
      readonly run: Run
      readonly args: readonly string[]
      readonly sids: readonly string[]
      readonly last: string
      readonly source: TestDatabase
      readonly target: TestDatabase
      readonly folder: string
      letGo(): Promise<void>
    }) => Promise<void>,
  ): Promise<void> {
    await withDatabases(['sqlite', 'postgres'], async (source, target) => {
      const folder = createProject(ALL)
      const sids = await startMany(source.store, 1000)
      const { records } = (await source.store.transfer?.read(null, 1000)) ?? { records: [] }
      // Another transaction has written this session, and neither commits nor gives up.
      const transaction = await target.db.startTransaction().execute()
      const middle = records.slice(500, 501)
      await sqlStore(transaction).transfer?.write(middle, { replaces: 'none', now: null })
      const args = ['--from', toUrl(source), '--to', toUrl(target, ':hunter2')]
      const run = start(args, folder)
      const place = records.at(-1)
      const last = place?.kind === 'session' ? place.row.sid : ''
      await waitFor(async () => findPlaces(folder).length > 0)
      const letGo = async (): Promise<void> => void (await transaction.rollback().execute())
      await work({ run, args, sids, last, source, target, folder, letGo })
    })
  }

  it.each([
    ['SIGINT', 130],
    ['SIGKILL', null],
  ] as const)('goes on after %s where it was broken off', async (signal, status) => {
    await holdUp(async ({ run, args, sids, target, folder, letGo }) => {
      run.child.kill(signal)
      await letGo()
      const { code, stdout, stderr } = await run.ended
      expect([code, stdout]).toEqual([status, ''])
      const [file = '', ...others] = findPlaces(folder)
      expect(others).toEqual([])
      expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600)
      expect(readFileSync(join(folder, file), 'utf8')).not.toContain('hunter2')
      if (status !== null)
        expect(stderr).toBe(
          `Interrupted by ${signal}: the same command with --resume goes on (its place is in ${file})`,
        )
      expect((await readSids(target.store)).length).toBeLessThan(1000)

      const resumed = await copy([...args, '--resume', '--json'], folder)
      expect([resumed.code, resumed.stderr]).toEqual([0, ''])
      expect(JSON.parse(resumed.stdout)).toMatchObject({ sessions: 1000, changed: 0, resumed: true })
      expect(await readSids(target.store)).toEqual([...sids].sort())
      expect(findPlaces(folder)).toEqual([])
    })
  })

  it('says with status 3 that sessions changed meanwhile', async () => {
    await holdUp(async ({ run, last, source, letGo }) => {
      await source.store.rotate(toCall(last, 0))
      await letGo()
      const { code, stdout, stderr } = await run.ended
      expect([code, stderr]).toEqual([3, ''])
      expect(stdout).toMatch(
        /\n1 sessions changed meanwhile: stop what writes to the old store, and copy again$/,
      )
    })
  })

  it('does not go on where the copies are gone', async () => {
    await holdUp(async ({ run, args, target, folder, letGo }) => {
      run.child.kill('SIGTERM')
      await letGo()
      expect((await run.ended).code).toBe(143)
      await target.sql('delete from tokenwright_sessions')
      await target.sql('delete from tokenwright_attempts')
      const { code, stdout, stderr } = await copy([...args, '--resume'], folder)
      expect([code, stdout]).toEqual([1, ''])
      expect(stderr).toMatch(/copy from the beginning; without --resume it starts at the beginning$/)
      for (const file of findPlaces(folder)) rmSync(join(folder, file))
      const again = await copy([...args, '--resume'], folder)
      expect([again.code, again.stdout]).toEqual([0, expect.stringContaining(': 1000 sessions')])
      expect(again.stderr).toMatch(/^No copy was broken off here .* it starts at the beginning$/)
    })
  })

  it('goes into no store that is in use', async () => {
    await withDatabases(['sqlite', 'postgres'], async (sqlite, postgres) => {
      await startMany(sqlite.store, 3)
      const [sid = ''] = await startMany(postgres.store, 1)
      const { code, stdout, stderr } = await copy(['--from', toUrl(sqlite), '--to', toUrl(postgres)], project)
      expect([code, stdout]).toEqual([1, ''])
      expect(stderr).toMatch(/^Expected no one to use `to` yet, .*: empty it first$/)
      expect((await postgres.store.transfer?.read(null, 9))?.records.map((record) => record.kind)).toEqual([
        'session',
      ])
      expect((await postgres.store.rotate(toCall(sid, 0))).word).toBe('rotated')
    })
  })

  it('takes node-redis where the project has no ioredis', async () => {
    const own = createProject(['kysely', 'redis', '@photostructure/sqlite'])
    await withDatabases(['sqlite'], async (sqlite) => {
      const [sid = ''] = await startMany(sqlite.store, 3)
      const url = `redis://localhost:${redis.port}/0`
      const args = ['--from', toUrl(sqlite), '--to', url, '--to-prefix', 'other']
      const { code, stderr } = await copy(args, own)
      expect([code, stderr]).toEqual([0, ''])
      const client = new Redis(redis.port)
      expect((await redisStore(client, { prefix: 'other' }).get(sid))?.sid).toBe(sid)
      client.disconnect()
      const closed = await copy(['--from', toUrl(sqlite), '--to', 'redis://x:hunter2@127.0.0.1:1'], own)
      expect([closed.code, closed.stderr]).toEqual([
        1,
        expect.stringMatching(/^--to: no server listens there/),
      ])
    })
  })

  it('tells what the new store may lose', async () => {
    const careless = await startRedis()
    await withDatabases(['sqlite'], async (sqlite) => {
      const url = `redis://127.0.0.1:${careless.port}`
      const { code, stderr } = await copy(['--from', toUrl(sqlite), '--to', url], project)
      expect([code, stderr]).toEqual([0, expect.stringMatching(/^--to: Redis .*append/)])
    })
    await careless.close()
  })

  it('refuses in one line, without the password', async () => {
    await withDatabases(['sqlite', 'postgres'], async (sqlite, postgres) => {
      const [from, to] = [toUrl(sqlite), toUrl(postgres)]
      const bare = createProject(['kysely', '@photostructure/sqlite'])
      const alias = to.replace('postgres://root@127.0.0.1:5432', 'postgresql://ada:x@localhost')
      const dead = '127.0.0.1:1'
      const cases: readonly (readonly [string, readonly string[], RegExp])[] = [
        [project, ['--from', alias, '--to', to], /^Expected --from and --to to be two stores$/],
        [project, ['--from', from, '--to', `postgres://a:hunter2@${dead}/b`], /^--to: no server listens/],
        [project, ['--from', from, '--to', `redis://a:hunter2@${dead}`], /^--to: no server listens/],
        [
          project,
          ['--from', from, '--to', `redis://a:hunter2@127.0.0.1:${redis.port}`],
          /^--to: user or pass/,
        ],
        [project, ['--from', from, '--to', to, '--to-prefix', 'other_'], /^--to: its tables are .*migrate/],
        [project, ['--form', from], /^Unknown option `form`; did you mean `from`\?/],
        [project, [from, to], /^Expected `copy` with no argument$/],
        [
          bare,
          ['--from', from, '--to', to],
          /^--to: Expected the package pg in this project: npm install pg$/,
        ],
        [bare, ['--from', from, '--to', 'redis://a'], /^--to: Expected the package ioredis or redis in this/],
      ]
      for (const [folder, args, words] of cases) {
        const { code, stdout, stderr } = await copy(args, folder)
        expect(stderr).toMatch(words)
        expect([code, stdout, stderr.split('\n').length]).toEqual([1, '', 1])
        expect(stderr).not.toContain('hunter2')
      }
    })
  })
})

describe('the URL of a store', () => {
  const read = (url: string | undefined, prefix?: string) => readStoreAddress('--from', url, prefix)

  it.each([
    [undefined, /^Expected --from with postgres:/],
    ['env:TOKENWRIGHT_NOT_SET', /^Expected --from .* in the variable that it names$/],
    ['oracle://a:hunter2@b', /^Expected --from with postgres:/],
    ['constructor:hunter2', /^Expected --from with postgres:/],
    ['sqlite:/hunter2/not/there', /^Expected --from to name a file that is there/],
    ['mysql://a:hun/hunter2@b/c', /^Expected --from to be a URL: encode/],
    ['mysql://a:1/hunter2@b/c', /^Expected --from to be a URL: encode/],
  ])('is refused where it is %s', (url, words) => {
    expect(() => read(url)).toThrow(words)
    expect(() => read(url)).not.toThrow(/hunter2/)
  })

  it('says which store it is, and not its password', () => {
    const { shown, identity } = read('postgres://ada:hunter2@db/app?password=hunter3')
    expect([shown, `${shown} ${identity}`]).toEqual([
      'postgres://db:5432/app',
      expect.not.stringMatching(/hunter|ada/),
    ])
    for (const [one, other, isSame] of [
      ['redis://localhost', 'rediss://:a@127.0.0.1:6379/0', true],
      ['redis://a', 'redis://a/1', false],
      ['mariadb://a/b', 'mysql://c@a:3306/b', true],
      ['postgres://a/b', 'postgresql://a/b?options=-csearch_path%3Dc', false],
    ] as const)
      expect(read(one).identity === read(other).identity).toBe(isSame)
    expect(read('redis://a', 'tw').identity).toBe(read('redis://a').identity)
    expect(read('redis://a', 'shop').identity).not.toBe(read('redis://a').identity)
  })
})

describe('what is printed', () => {
  it('is one line on a terminal, ten times a second, and nothing elsewhere', () => {
    let now = 0
    const written: string[] = []
    const terminal = { isTTY: true, columns: 6, write: (text: string) => written.push(text) }
    const line = new ProgressLine(terminal, () => now)
    line.clear()
    for (const text of ['one', 'two', 'three', 'fourfour']) {
      line.show(text)
      now += 50
    }
    line.clear()
    expect(written).toEqual(['\rone\u001b[K', '\rthree\u001b[K', '\r\u001b[K'])
    const pipe = new ProgressLine({ write: () => expect.unreachable() })
    pipe.show('one')
    pipe.clear()
  })

  it('has no password, however the URL has it', () => {
    const url = 'postgres://ada:hun%2Fter2@db/x?password=hunter3&sslpassword=a'
    const text = redact(`bad hun/ter2, hun%2Fter2 and hunter3 in ${url}`, [url])
    expect(text).toBe('bad ***, *** and *** in postgres://***@db/x?password=***&sslpassword=a')
    expect(redact('a redis://a:b@c@host failed', [])).toBe('a redis://***@host failed')
  })
})
