/** `tokenwright token inspect`: what it says of tokens, and that it says what a guard says. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuth } from '../../src/auth/create-auth.ts'
import { toRelative } from '../../src/cli/token-words.ts'
import { readUnverified } from '../../src/token/jws.ts'
import { createKeyRing } from '../../src/token/key-ring.ts'
import { freePort } from '../stores/redis-server.ts'
import { openDatabase, type TestDatabase } from '../stores/sql-databases.ts'
import { type Ended, run } from './run.ts'

const KEY = {
  kty: 'EC',
  crv: 'P-256',
  alg: 'ES256',
  kid: 'first',
  d: 'jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
} as const

const folder = mkdtempSync(join(tmpdir(), 'tokenwright-token-'))
const file = join(folder, 'keys.json')
let database: TestDatabase
const jwks = createServer((_request, response) => {
  const { d: _, ...open } = KEY
  response.end(JSON.stringify({ keys: [open] }))
})
beforeAll(async () => {
  writeFileSync(file, JSON.stringify({ keys: [KEY] }), { mode: 0o600 })
  database = await openDatabase('sqlite')
  await new Promise<void>((resolve) => jwks.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  jwks.close()
  await database.close()
  rmSync(folder, { recursive: true })
})

const keys = createKeyRing({ signing: KEY })
const auth = createAuth({ keys, locations: ['header', 'cookie'] })

const inspect = (token: string, ...flags: readonly string[]): Promise<Ended> =>
  run(['token', 'inspect', ...flags], { input: token })

describe('tokenwright token inspect', () => {
  it('says what a token says, and that a guard lets it pass', async () => {
    const token = await auth.createAccessToken('ada', { fresh: true, scopes: ['a'], data: { team: 'x' } })
    const { code, stdout, stderr } = await inspect(`Bearer ${token}\n`, '--keys', file)
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout.replace(/ {2,}/g, ' ')).toMatch(
      /^subject ada\ntype access\nidentifier \S+\nscopes a\nissued \S+Z, \d+ seconds? ago\nends \S+Z, in 15 minutes\n/,
    )
    expect(stdout).toMatch(/\nalgorithm +ES256\nkey +first\nother claims +team\n/)
    expect(stdout).toMatch(/\nguard.access\(\) +lets it pass\nguard.fresh\(\) +lets it pass\n/)
    expect(stdout).toMatch(/\nguard.refresh\(\) +refuses it: 401 refresh_token_required: /)
    const [, , signature = ''] = token.split('.')
    expect(stdout).not.toContain(signature.slice(0, 10))
  })

  it('takes the keys of a service that publishes them', async () => {
    const { port } = jwks.address() as AddressInfo
    const token = await auth.createRefreshToken('ada')
    const flags = ['--jwks', `http://127.0.0.1:${port}/`, '--json']
    const { code, stdout } = await inspect(token, ...flags)
    expect(code).toBe(0)
    const { claims, header, verdicts } = JSON.parse(stdout)
    expect(readUnverified(token)?.payload).toHaveProperty('csrf')
    expect(header).toEqual({ alg: 'ES256', kid: 'first', typ: 'rt+jwt' })
    expect(claims).toMatchObject({ sub: 'ada', type: 'refresh' })
    expect(claims).not.toHaveProperty('csrf')
    expect(verdicts).toContainEqual({ guard: 'guard.refresh()', code: null, reason: null })
    expect(verdicts).toContainEqual(expect.objectContaining({ code: 'access_token_required' }))
    const dead = await inspect(token, '--jwks', `http://127.0.0.1:${await freePort()}/`)
    expect(dead).toMatchObject({ code: 1, stderr: expect.stringMatching(/^--jwks: no server listens/) })
  })

  it.each([
    ['token_expired', [], { clock: () => Date.now() / 1000 - 86_400 }],
    ['token_not_active', [], { clock: () => Date.now() / 1000 + 86_400 }],
    ['issuer_invalid', ['--issuer', 'https://id.example.com'], {}],
    ['audience_invalid', ['--audience', 'shop', '--audience', 'blog'], { audience: 'other' }],
    ['realm_mismatch', ['--realm', 'admin'], { realm: 'user' }],
  ] as const)('says why a guard refuses: %s', async (code, flags, options) => {
    const token = await createAuth({ keys, ...options }).createAccessToken('ada')
    const ended = await inspect(token, '--keys', file, ...flags)
    expect([ended.code, ended.stderr]).toEqual([3, ''])
    expect(ended.stdout).toMatch(new RegExp(`\\nguard.access\\(\\) +refuses it: 401 ${code}: .+`))
  })

  it('says which keys there are for a token of another one', async () => {
    const other = createKeyRing({ signing: { ...KEY, kid: 'second' } })
    const { code, stdout } = await inspect(
      await createAuth({ keys: other }).createAccessToken('a'),
      '--keys',
      file,
    )
    expect(code).toBe(3)
    expect(stdout).toContain(
      '401 signature_invalid: No key has the `alg` and `kid` of the token; known: first (ES256)',
    )
  })

  it('asks the store whether it is revoked, and what became of its session', async () => {
    const own = createAuth({ keys, sessions: { store: database.store } })
    const { access_token: token } = await own.sessions.start('ada')
    const flags = ['--keys', file, '--store', `sqlite:${database.path}`]
    const live = await inspect(token, ...flags)
    expect([live.code, live.stdout.split('\n').at(-1)]).toEqual([
      0,
      'Its session is live and ends in 20 days unless it is used',
    ])
    await own.revokeSubject('ada')
    const revoked = await inspect(token, ...flags)
    expect(revoked.code).toBe(3)
    expect(revoked.stdout).toContain('refuses it: 401 token_revoked')
    expect(revoked.stdout).toMatch(/\nIts session was revoked \d+ seconds? ago \(subject_revoked\)$/)
    await own.close()
  })

  it('verifies nothing without keys, and prints nothing that a terminal would carry out', async () => {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const forged = `${part({ alg: 'none' })}.${part({ sub: 'a\u001b[2J', exp: 1e300, iat: 'x' })}.sig`
    const { code, stdout } = await inspect(forged)
    expect(code).toBe(0)
    expect(stdout).toContain('a\\u{1b}[2J')
    expect(stdout).toMatch(/\nends +not a moment\n/)
    expect(stdout).toMatch(/\nNothing of it is verified: give --keys, --secret or --jwks$/)
    const refused = await inspect(forged, '--keys', file)
    expect([refused.code, refused.stdout]).toEqual([3, expect.stringContaining('401 token_malformed')])
  })

  it('refuses what is no token, and a secret that everyone sees', async () => {
    const wrong = await inspect('hunter2.hunter2')
    expect(wrong).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^Expected a token: three parts/),
    })
    const token = await auth.createAccessToken('ada')
    const open = await inspect(token, '--secret', 'hunter2')
    expect(open).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^Expected --secret with env: /),
    })
    expect(wrong.stderr + open.stderr).not.toContain('hunter2')
  })
})

it('says how far off a moment is', () => {
  const cases = [
    [0, 'in 0 seconds'],
    [-1, '1 second ago'],
    [119, 'in 119 seconds'],
    [-300, '5 minutes ago'],
    [7200, 'in 2 hours'],
    [1_728_000, 'in 20 days'],
  ] as const
  for (const [seconds, text] of cases) expect(toRelative(seconds)).toBe(text)
})
