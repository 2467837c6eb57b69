/** The `tokenwright` command, run as its users run it. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { createAuth } from '../src/auth/create-auth.ts'
import { migrateSql } from '../src/stores/sql.ts'
import { createKeyRing } from '../src/token/key-ring.ts'
import { HAS, openDatabase } from './stores/sql-databases.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
const PROGRAM = join(ROOT, 'dist/esm/cli.js')
const folder = mkdtempSync(join(tmpdir(), 'tokenwright-cli-'))
afterAll(() => rmSync(folder, { recursive: true }))

function run(
  args: readonly string[],
  { cwd = ROOT, env = {}, input }: { cwd?: string; env?: Record<string, string>; input?: string } = {},
): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  const { DATABASE_URL: _, ...own } = process.env
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', PROGRAM, ...args], {
    cwd,
    env: { ...own, ...env },
    ...(input !== undefined && { input }),
    encoding: 'utf8',
  })
  return { status, stdout: stdout.trimEnd(), stderr: stderr.trimEnd() }
}

describe('tokenwright', () => {
  it('says what it can do', () => {
    for (const args of [[], ['--help']]) {
      expect(run(args)).toMatchObject({ status: 0, stdout: expect.stringContaining('migrate') })
    }
    for (const flag of ['--version', '-v']) expect(run([flag]).stdout).toBe(version)
    const unknown = run(['--prefx', 'x'])
    expect([unknown.status, unknown.stdout]).toEqual([1, ''])
    expect(unknown.stderr).toMatch(/^Unknown option `prefx`; did you mean `prefix`\? Known: .+$/)
  })

  it('refuses an option that the command does not take', () => {
    for (const args of [
      ['secret', '--force'],
      ['migrate', '--alg', 'ES256'],
      ['sql', 'sqlite', '--json'],
    ]) {
      const { status, stdout, stderr } = run(args)
      expect([status, stdout]).toEqual([1, ''])
      expect(stderr).toMatch(/^Unknown option `(force|alg|json)`/)
    }
  })

  it('makes a secret that is good for every HMAC, and another one each time', () => {
    const [first, second] = [run(['secret']).stdout, run(['secret']).stdout]
    expect(first).not.toBe(second)
    const signing = { alg: 'HS512' as const, key: first }
    expect(() => createAuth({ keys: createKeyRing({ signing }) })).not.toThrow()
  })

  it.each(['ES256', 'EdDSA', 'HS256', 'RS256'])('makes a key for %s that signs', async (alg) => {
    const { stdout, status } = run(['key', alg])
    expect(status).toBe(0)
    const auth = createAuth({ keys: createKeyRing({ signing: JSON.parse(stdout) }) })
    expect((await auth.verifyToken(await auth.createAccessToken('a'))).sub).toBe('a')
  })

  it.each([
    [['mirgate']],
    [['secret', '16']],
    [['key']],
    [['key', 'ES256', 'x']],
    [['sql']],
    [['key', 'none']],
    [['sql', 'oracle']],
    [['sql', 'postgres', '--prefix', 'x; drop']],
    [['migrate']],
    [['migrate', 'oracle://a']],
  ])('refuses %j in one line', (args) => {
    const { status, stdout, stderr } = run(args)
    expect([status, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/^Expected .+$/)
  })

  it('prints the public half of a key, from a file or the standard input', async () => {
    const { stdout: key } = run(['key', 'ES256'])
    const file = join(folder, 'key.json')
    writeFileSync(file, `${key}\n`)
    const { stdout } = run(['jwks', file])
    expect(run(['jwks'], { input: key }).stdout).toBe(stdout)
    const { keys } = JSON.parse(stdout)
    expect(keys[0]).not.toHaveProperty('d')
    const issuer = createAuth({ keys: createKeyRing({ signing: JSON.parse(key) }) })
    const service = createAuth({ keys: createKeyRing({ verifying: keys }) })
    expect((await service.verifyToken(await issuer.createAccessToken('a'))).sub).toBe('a')
  })

  it.each([run(['secret']).stdout, run(['key', 'HS256']).stdout, '{"kty":"EC"', ''])(
    'prints no half of what is not a key pair, nor the key',
    (input) => {
      const { status, stdout, stderr } = run(['jwks'], { input })
      expect([status, stdout]).toEqual([1, ''])
      expect(stderr).toMatch(/^Expected .+$/)
      const { k = input } = input.startsWith('{"kty":"oct') ? JSON.parse(input) : {}
      expect(k.length > 20 && stderr.includes(k.slice(0, 12))).toBe(false)
    },
  )

  it('says which package is missing', () => {
    const { status, stderr } = run(['migrate', 'postgres://localhost/a'], { cwd: folder })
    expect([status, stderr]).toEqual([1, 'Expected the package kysely in this project: npm install kysely'])
  })

  it('never prints the password of a database', () => {
    const { status, stderr } = run(['migrate', 'postgres://root:hunter2@127.0.0.1:1/test'])
    expect(status).toBe(1)
    expect(stderr).toMatch(/ECONNREFUSED/)
    expect(stderr).not.toContain('hunter2')
  })
})

const MIGRATIONS = 'tokenwright_0001_sessions\ntokenwright_0002_realms\ntokenwright_0003_session_details'

describe.each([
  [
    'postgres',
    'select current_schema() as name',
    (name: string) => `postgresql://root@127.0.0.1:5432/test?options=-csearch_path%3D${name}`,
  ],
  ['mysql', 'select database() as name', (name: string) => `mariadb://root@127.0.0.1:3306/${name}`],
] as const)('the tables on %s', (dialect, which, toUrl) => {
  it.skipIf(!HAS[dialect])('are made once, by argument or by DATABASE_URL', async () => {
    const test = await openDatabase(dialect, false)
    const [row] = await test.sql(which)
    const url = toUrl(String(row?.['name']))
    const planned = run(['migrate', url, '--plan'])
    expect(planned).toMatchObject({ status: 0, stderr: '' })
    expect(planned.stdout.match(/^-- .*/gm)).toEqual(MIGRATIONS.split('\n').map((name) => `-- ${name}`))
    expect(planned.stdout.replace(/^-- .*\n/gm, '')).toBe(run(['sql', dialect]).stdout)
    await expect(test.store.inspect()).rejects.toThrow('found none')
    expect(run(['migrate', url, '--wait', '10s'])).toEqual({ status: 0, stdout: MIGRATIONS, stderr: '' })
    expect(await test.store.inspect()).toEqual([])
    expect(run(['migrate', url, '--plan']).stdout).toBe('-- nothing to do')
    expect(run(['migrate', url, '--wait', 'long'])).toMatchObject({ status: 1, stdout: '' })
    const elsewhere = ['migrate', url, '--schema', String(row?.['name']), '--prefix', 'auth_']
    expect(run(elsewhere).stdout).toBe(MIGRATIONS)
    expect(await test.sql('select * from auth_sessions')).toEqual([])
    const again = run(['migrate'], { env: { DATABASE_URL: url } })
    expect(again).toEqual({ status: 0, stdout: 'The tables are up to date', stderr: '' })
    await test.close()
  })

  it.skipIf(!HAS[dialect])('are made by the statements that are printed, more than once', async () => {
    const test = await openDatabase(dialect, false)
    const { stdout } = run(['sql', dialect])
    for (const statement of [...stdout.split('\n'), ...stdout.split('\n')]) await test.sql(statement)
    expect(await test.store.inspect()).toEqual([])
    expect(await migrateSql(test.db)).toEqual([])
    await test.close()
  })
})

describe('the tables on sqlite', () => {
  const own = process.getBuiltinModule?.('node:sqlite') !== undefined

  it('are made by Node from 22.13 on; before, by a package, or it says so', () => {
    expect(run(['migrate', `sqlite:${join(folder, 'a.db')}`])).toMatchObject({
      status: 0,
      stdout: MIGRATIONS,
    })
    const cwd = join(folder, 'bare')
    mkdirSync(join(cwd, 'node_modules'), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules/kysely'), join(cwd, 'node_modules/kysely'))
    const { status, stdout, stderr } = run(['migrate', 'sqlite:b.db'], { cwd })
    if (own) expect([status, stdout]).toEqual([0, MIGRATIONS])
    else expect([status, stderr]).toEqual([1, expect.stringMatching(/^Expected Node 22\.13 or later/)])
  })

  it('are made by the statements that are printed', async () => {
    const test = await openDatabase('sqlite', false)
    for (const statement of run(['sql', 'sqlite']).stdout.split('\n')) await test.sql(statement)
    expect(await test.store.inspect()).toEqual([])
    await test.close()
  })
})

describe('tokenwright keys', () => {
  const path = join(folder, 'keys.json')
  const kidsOf = (text: string): string[] => text.split('\n').map((line) => line.split(' ')[0] as string)

  it('makes a file that only its owner can read, announces, lists and publishes', async () => {
    expect(run(['keys', 'rotate', path]).stdout).toMatch(/^[\w-]{43} ES256 signing$/)
    const auth = createAuth({ keys: createKeyRing({ load: path }) })
    const token = await auth.createAccessToken('u')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    chmodSync(path, 0o644)
    const rotated = run(['keys', 'rotate', path, '--announce', '2h', '--retire', '30d'])
    expect(rotated.stdout).toMatch(
      /^[\w-]{43} ES256 signing, verifies until \S+Z\n[\w-]{43} ES256 announced, signs from \S+Z$/,
    )
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(run(['keys', 'list', path]).stdout).toBe(rotated.stdout)
    const jwks = JSON.parse(run(['keys', 'jwks', path]).stdout) as { keys: { kid: string; d?: string }[] }
    expect(jwks.keys.map(({ kid }) => kid)).toEqual(kidsOf(rotated.stdout))
    expect(jwks.keys.every(({ d }) => d === undefined)).toBe(true)
    expect((await createAuth({ keys: createKeyRing({ load: path }) }).verifyToken(token)).sub).toBe('u')
    expect(readdirSync(folder).filter((name) => name.startsWith('keys.json'))).toEqual(['keys.json'])
  })

  it('refuses a step that would sign users out, unless forced', () => {
    const before = readFileSync(path, 'utf8')
    expect(run(['keys', 'rotate', path]).stderr).toMatch(
      /^The key \S+ is announced and signs from \S+Z: rotate/,
    )
    expect(run(['keys', 'rotate', path, '--announce', '9m']).stderr).toMatch(/between 600 and/)
    expect(readFileSync(path, 'utf8')).toBe(before)
    const forced = run(['keys', 'rotate', path, '--force', '--alg', 'EdDSA'])
    expect(forced.stdout).toMatch(/^[\w-]{43} EdDSA signing\n[\w-]{43} ES256 retiring, verifies until \S+Z$/)
  })

  it('writes nothing while another process does', () => {
    writeFileSync(`${path}.new`, '')
    expect(run(['keys', 'rotate', path, '--force']).stderr).toMatch(
      /^Expected no file .*keys\.json\.new: another process/,
    )
    rmSync(`${path}.new`)
  })

  it.each([
    [['keys']],
    [['keys', 'rotate']],
    [['keys', 'list']],
    [['keys', 'rotat', 'x']],
    [['keys', 'jwks', join(folder, 'secret.json')]],
    [['keys', 'rotate', join(folder, 'new.json'), '--alg', 'none']],
  ])('refuses %j in one line, and shows no secret', (args) => {
    writeFileSync(join(folder, 'secret.json'), '{"keys":[{"kty":"oct","alg":"HS256","k":"aHVudGVyMg"}]}')
    const { status, stdout, stderr } = run(args)
    expect([status, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/^Expected .+$/)
    expect(stderr).not.toMatch(/hunter2|aHVudGVyMg/)
  })
})
