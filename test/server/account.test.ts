/**
 * The account over HTTP, in this process and with a clock of its own: the second factor, names of
 * devices, the password, and what abuse gets. Passkeys need a browser: `ways-in.test.ts`.
 */
import { TOTP } from 'otpauth'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createApp } from '../../server/app.ts'
import { openDatabase } from '../../server/database.ts'
import { createHealth } from '../../server/health.ts'
import { createPasskeys } from '../../server/passkeys.ts'
import { createPasswords } from '../../server/passwords.ts'
import { createProofs } from '../../server/proofs.ts'
import { createRunQuery } from '../../server/queries.ts'
import { createSecondFactors } from '../../server/second-factor.ts'
import { createUsers } from '../../server/users.ts'
import { createAuth } from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'

type Body = Readonly<Record<string, unknown>>

/** How a client sends its request. */
interface Sent {
  readonly token?: unknown
  readonly body?: Body
  readonly headers?: Readonly<Record<string, string>>
}

async function start() {
  let at = 1_800_000_000
  const now = () => at
  const database = await openDatabase({ kind: 'sqlite', path: ':memory:', createFolder: false })
  onTestFinished(() => database.destroy())
  const run = createRunQuery()
  const users = createUsers(database, createPasswords(), run)
  await users.addDemoUsers()
  const store = memoryStore({ clock: now })
  const auth = createAuth({
    secret: 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu',
    clock: now,
    locations: ['header', 'cookie'],
    sessions: { store, rights: users.rightsOf },
  })
  const config = { accessTtl: 900, freshnessWindow: 900, overlap: 30 }
  const changes: string[] = []
  const app = createApp({
    auth,
    users,
    passkeys: createPasskeys({ database, run, auth }),
    secondFactors: createSecondFactors({ database, run, now }),
    siteOf: () => ({ origin: 'https://app.example' }),
    audit: { changed: (sub, what) => void changes.push(`${sub}: ${what}`) },
    health: createHealth({ auth, users, config, demo: false }),
  })
  const send = async (what: string, { token, body, headers }: Sent = {}) => {
    const [method = '', path = ''] = what.split(' ')
    const response = await app.request(path, {
      method,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    const parsed: Record<string, unknown> = text === '' ? {} : JSON.parse(text)
    return { status: response.status, body: parsed, headers: response.headers, code: parsed['code'] }
  }
  const logIn = async (username = 'test', password = username) => {
    const { body } = await send('POST /auth/login', { body: { username, password } })
    return body['access_token']
  }
  /** Switches the second factor on. `code` makes the code of a later period. */
  const switchOn = async (token: unknown) => {
    const { body } = await send('POST /account/second-factor/setup', { token })
    const totp = new TOTP({ secret: String(body['secret']) })
    const code = (later: number) => totp.generate({ timestamp: (at + 30 * later) * 1000 })
    const on = await send('POST /account/second-factor', { token, body: { code: code(0) } })
    expect(on.status).toBe(200)
    return { code, recovery: on.body['recovery_codes'] as string[] }
  }
  const wait = (seconds: number): void => {
    at += seconds
  }
  return { send, logIn, switchOn, changes, auth, wait }
}

const claimsOf = (token: unknown): Record<string, unknown> =>
  JSON.parse(Buffer.from(String(token).split('.')[1] ?? '', 'base64url').toString())

describe('the second factor', () => {
  it('is asked for after the password, and alone is enough to step up', async () => {
    const { send, logIn, switchOn, changes } = await start()
    const { code, recovery } = await switchOn(await logIn())
    expect(new Set(recovery).size).toBe(8)
    const first = await send('POST /auth/login', {
      body: { username: 'test', password: 'test', remember: false },
    })
    expect(first).toMatchObject({ status: 401, code: 'proof_required' })
    const { continuation } = first.body
    const finish = (code: string) => send('POST /auth/login', { body: { code, continuation } })
    // The code that has switched it on is used up.
    expect((await finish(code(0))).code).toBe('credentials_invalid')
    const { status, body } = await finish(code(1))
    expect(status).toBe(200)
    const token = body['access_token']
    expect(claimsOf(token)).toMatchObject({ sub: 'test', amr: ['pwd', 'otp', 'mfa'], remember: false })
    // It is used up, whatever comes with it.
    expect((await finish(recovery[0] ?? '')).code).toBe('continuation_invalid')
    // The password alone no longer steps up.
    const password = { username: 'test', password: 'test' }
    for (const path of ['/auth/step-up', '/auth/verify-password'])
      expect((await send(`POST ${path}`, { token, body: password })).code).toBe('proof_required')
    const spoken = (recovery[1] ?? '').toUpperCase().replaceAll('-', ' ')
    const stepped = await send('POST /auth/step-up', { token, body: { code: spoken } })
    expect(claimsOf(stepped.body['access_token'])['sid']).toBe(claimsOf(token)['sid'])
    expect((await send('POST /auth/step-up', { token, body: { code: spoken } })).status).toBe(401)
    expect((await send('GET /account', { token })).body).toEqual({
      passkeys: [],
      second_factor: { on: true, recovery_codes: 6 },
      step_up: ['code'],
    })
    expect(changes).toEqual(['test: second factor on'])
  })

  it('is good for its user only, and takes each code once, however many come at once', async () => {
    const { send, logIn, switchOn } = await start()
    const token = await logIn()
    const { code, recovery } = await switchOn(token)
    const admin = await logIn('admin')
    for (const stolen of [code(1), recovery[0] ?? ''])
      expect((await send('POST /auth/step-up', { token: admin, body: { code: stolen } })).status).toBe(401)
    for (const once of [code(1), recovery[0] ?? '']) {
      const tries = Array.from({ length: 4 }, () =>
        send('POST /auth/step-up', { token, body: { code: once } }),
      )
      const statuses = (await Promise.all(tries)).map(({ status }) => status)
      expect(statuses.filter((status) => status === 200)).toHaveLength(1)
    }
  })

  it('counts wrong codes with wrong passwords, and the right password forgives none', async () => {
    const { send, logIn, switchOn } = await start()
    const { code } = await switchOn(await logIn())
    const password = { username: 'test', password: 'test' }
    const statuses: number[] = []
    for (let round = 0; round < 5; round++) {
      const { body } = await send('POST /auth/login', { body: password })
      const wrong = { code: '000000', continuation: body['continuation'] }
      statuses.push((await send('POST /auth/login', { body: wrong })).status)
    }
    expect(statuses).toEqual([401, 401, 401, 401, 401])
    const blocked = await send('POST /auth/login', { body: password })
    expect(blocked).toMatchObject({ status: 429, code: 'rate_limited' })
    expect(code(1)).toMatch(/^\d{6}$/)
  })

  it('is switched on by a code within five tries and ten minutes, and off by a fresh token', async () => {
    const { send, logIn, wait } = await start()
    let token = await logIn()
    const begin = () => send('POST /account/second-factor/setup', { token })
    const confirm = (code: unknown) => send('POST /account/second-factor', { token, body: { code } })
    expect((await confirm('123456')).status).toBe(400)
    const codeOf = (secret: unknown, later = 0) =>
      new TOTP({ secret: String(secret) }).generate({ timestamp: (1_800_000_000 + later) * 1000 })
    const { secret } = (await begin()).body
    for (const wrong of ['000000', '', null, 1, { $ne: 1 }]) expect((await confirm(wrong)).status).toBe(400)
    // The right one comes too late.
    expect((await confirm(codeOf(secret))).body['message']).toBe('Start again: too many wrong codes')
    const again = (await begin()).body['secret']
    wait(601)
    expect((await confirm(codeOf(again, 601))).body['message']).toBe('Start again: this took too long')
    token = await logIn()
    const last = (await begin()).body['secret']
    expect((await confirm(codeOf(last, 601))).status).toBe(200)
    expect((await begin()).status).toBe(400)
    wait(901)
    // The access token is as old, and no longer fresh.
    expect((await send('DELETE /account/second-factor', { token })).status).toBe(401)
    const { body } = await send('POST /auth/login', { body: { username: 'test', password: 'test' } })
    const code = codeOf(last, 1502)
    token = (await send('POST /auth/login', { body: { code, continuation: body['continuation'] } })).body[
      'access_token'
    ]
    expect((await send('DELETE /account/second-factor', { token })).status).toBe(204)
    expect(await logIn()).toBeDefined()
  })
})

it('takes the passkey of the user who is signed in, and of no one else', async () => {
  const proofs = createProofs({
    users: { verifyCredentials: async () => null, rightsOf: async () => ({ scopes: [] }) },
    passkeys: { verify: async () => 'test', list: async () => [] },
    secondFactors: { use: async () => null, stateOf: async () => ({ on: false, recovery_codes: 0 }) },
    siteOf: () => ({ origin: 'https://app.example' }),
  })
  const stepUp = (sub: string) =>
    proofs.verifyStepUp(
      { passkey: {} },
      { request: new Request('https://app.example'), proved: null, payload: { sub } },
    )
  expect(await stepUp('test')).toEqual({ amr: ['pop', 'user', 'mfa'] })
  expect(await stepUp('admin')).toBeNull()
})

describe('the account', () => {
  it('names the devices of the user, and no others', async () => {
    const { send, logIn } = await start()
    const [token, admin] = [await logIn(), await logIn('admin')]
    const name = (label: unknown, by = token) =>
      send(`PATCH /account/devices/${claimsOf(token)['sid']}`, { token: by, body: { label } })
    const shown = async () => {
      const { sessions } = (await send('GET /auth/sessions', { token })).body as { sessions: Body[] }
      return sessions[0]?.['label']
    }
    expect((await name('Kitchen tablet')).status).toBe(204)
    expect(await shown()).toBe('Kitchen tablet')
    expect((await name('Mine', admin)).status).toBe(404)
    for (const label of ['', ' ', 'x'.repeat(61), 'a\nb', 'a\ud800', 1, {}, undefined])
      expect((await name(label)).status).toBe(400)
    expect(await shown()).toBe('Kitchen tablet')
    expect((await name(null)).status).toBe(204)
    expect(await shown()).toBeNull()
  })

  it('takes no new password that is the old one, and ends the other sessions with it', async () => {
    const { send, logIn } = await start()
    const [token, other] = [await logIn(), await logIn()]
    const change = (new_password: string) => send('POST /change-password', { token, body: { new_password } })
    expect((await change('correct horse')).status).toBe(200)
    expect((await change('correct horse')).body['message']).toBe(
      'The new password must differ from the old one',
    )
    expect((await send('GET /protected', { token })).status).toBe(200)
    expect((await send('GET /protected', { token: other })).code).toBe('token_revoked')
  })

  it('refuses passkeys that prove nothing, with 400 or 401', async () => {
    const { send, logIn } = await start()
    const token = await logIn()
    const { challenge } = (await send('POST /passkeys/challenge')).body
    const responses = [
      null,
      1,
      'x',
      [],
      {},
      { id: 'x' },
      { id: 'x\0' },
      { id: { toString: 1 } },
      { id: 'x', rawId: 'x', type: 'public-key', response: null },
      { id: 'x', response: { clientDataJSON: '!', attestationObject: '!' } },
    ]
    for (const passkey of responses) {
      for (const given of [challenge, 'x', { toString: 1 }, null]) {
        const body = { passkey, challenge: given }
        expect((await send('POST /account/passkeys', { token, body })).status).toBe(400)
      }
      const body = { passkey, challenge }
      expect([400, 401, 429]).toContain((await send('POST /auth/login', { body })).status)
      expect([400, 401, 429]).toContain((await send('POST /auth/step-up', { token, body })).status)
    }
    expect((await send('DELETE /account/passkeys/none%00such', { token })).status).toBe(404)
  })

  it('opens nothing to a token that is not fresh, and nothing by cookie without the CSRF value', async () => {
    const { send, auth } = await start()
    const stale = await auth.createTokenPair('test', { fresh: false })
    const wantFresh = [
      'POST /account/passkeys/options',
      'DELETE /account/passkeys/x',
      'POST /account/second-factor/setup',
      'DELETE /account/second-factor',
      'POST /change-password',
    ]
    for (const route of wantFresh)
      expect([route, (await send(route, { token: stale.access_token })).code]).toEqual([
        route,
        'fresh_token_required',
      ])
    const fresh = await auth.createTokenPair('test', { fresh: true })
    const cookie = auth
      .cookies(fresh)
      .map((line) => line.split(';')[0])
      .join('; ')
    for (const route of [
      ...wantFresh,
      'POST /account/passkeys',
      'POST /account/second-factor',
      'PATCH /account/devices/x',
      'POST /auth/step-up',
      'DELETE /auth/sessions',
    ])
      expect([route, (await send(route, { headers: { cookie } })).code]).toEqual([route, 'csrf_missing'])
  })
})
