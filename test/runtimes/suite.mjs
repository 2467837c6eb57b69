// What the library must do on every runtime: plain functions that throw, run one after the other.
// `createAuth` and the rest stand at module scope on purpose: there Workers allow neither
// randomness, nor timers, nor a clock.
import assert from 'node:assert/strict'
import { AuthError, createAuth, createKeyRing, generateKey, isAuthError } from 'tokenwright'
import { createAuthClient } from 'tokenwright/client'
import { guards } from 'tokenwright/fetch'
import { instrument } from 'tokenwright/otel'
import { authRoutes } from 'tokenwright/routes'
import { memoryStore } from 'tokenwright/stores/memory'
import { breakSignature, codeOf } from './checks.mjs'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']

const plain = createAuth({ secret: SECRET })
const stateful = createAuth({
  secret: SECRET,
  locations: ['header', 'cookie', 'body'],
  sessions: { store: memoryStore(), overlap: 0 },
})
const strict = { revocation: 'strict' }
const guard = guards(stateful)
const routes = authRoutes(stateful, {
  verifyCredentials: ({ username, password }) =>
    username === 'test' && password === 'test' ? { subject: username, scopes: ['posts:*'] } : null,
  address: () => '203.0.113.9',
  verifyClient: ({ id, secret }) => id === 'orders' && secret === 's3cret',
})
const answer = (_request, { sub }) => Response.json({ sub })
const routesByPath = {
  '/protected': guard.access()(answer),
  '/fresh': guard.fresh()(answer),
  '/posts': guard.scopes('posts:read')(answer),
  '/admin': guard.scopes('admin:*')(answer),
}

/** The whole application as one fetch handler. */
export function handle(request) {
  const handler = routesByPath[new URL(request.url).pathname]
  return handler === undefined ? routes(request) : handler(request)
}

const URL_BASE = 'https://app.example.com'
const ask = (method, path, headers = {}, body) =>
  handle(
    new Request(URL_BASE + path, {
      method,
      headers: { ...(body && { 'content-type': 'application/json' }), ...headers },
      ...(body && { body: JSON.stringify(body) }),
    }),
  )
const bearer = (token) => ({ authorization: `Bearer ${token}` })
const login = async (delivery = 'body') => {
  const response = await ask('POST', '/auth/login', {}, { username: 'test', password: 'test', delivery })
  assert.equal(response.status, 200)
  return { response, ...(await response.json()) }
}

/** What OpenTelemetry's meter has, as far as it is used: names what is counted. */
function createMeter(counted) {
  return {
    createCounter: (name) => ({ add: (value) => value > 0 && counted.push(name) }),
    createHistogram: (name) => ({ record: () => counted.push(name) }),
    createObservableGauge: () => ({ addCallback: () => undefined, removeCallback: () => undefined }),
  }
}

async function signsAndVerifies(alg) {
  const auth = createAuth({ keys: createKeyRing({ signing: generateKey(alg) }) })
  const token = await auth.createAccessToken('alice', { fresh: true, scopes: ['a'] })
  for (let i = 0; i < 3; i++) assert.equal((await auth.verifyToken(token, { fresh: true })).sub, 'alice')
  assert.equal(await codeOf(() => auth.verifyToken(breakSignature(token))), 'signature_invalid')
  // What another process would do: only the public keys, as JWKs.
  const [jwk] = auth.jwks().keys
  const verifier = createAuth({ keys: createKeyRing({ verifying: [jwk] }) })
  assert.equal((await verifier.verifyToken(token)).sub, 'alice')
}

/** Every test, by what it says. */
export const TESTS = {
  ...Object.fromEntries(ALGORITHMS.map((alg) => [`${alg} signs and verifies`, () => signsAndVerifies(alg)])),
  async 'is watched by OpenTelemetry'() {
    const counted = []
    const stop = instrument(stateful, { meter: createMeter(counted) })
    const { access_token } = await login()
    await ask('GET', '/protected', bearer(access_token))
    stop()
    for (const name of ['tokens.issued', 'sessions.started', 'authentications', 'store.call.duration'])
      assert(counted.includes(`tokenwright.${name}`), name)
  },
  async 'is watched on tracing channels'() {
    const { tracingChannel } = globalThis.process.getBuiltinModule('node:diagnostics_channel')
    const messages = []
    const subscribers = { asyncEnd: ({ outcome, cached }) => messages.push({ outcome, cached }) }
    const channel = tracingChannel('tokenwright:authenticate')
    const { access_token } = await login()
    channel.subscribe(subscribers)
    await ask('GET', '/protected', bearer(access_token))
    await ask('GET', '/protected', bearer(access_token))
    channel.unsubscribe(subscribers)
    await ask('GET', '/protected', bearer(access_token))
    assert.deepEqual(messages, [
      { outcome: 'verified', cached: false },
      { outcome: 'verified', cached: true },
    ])
  },
  async 'HS256, HS384, HS512 sign and verify'() {
    for (const [alg, length] of [
      ['HS256', 32],
      ['HS384', 48],
      ['HS512', 64],
    ]) {
      const key = new Uint8Array(length).map((_, i) => i * 7 + length)
      const auth = createAuth({ keys: createKeyRing({ signing: { alg, key } }) })
      const token = await auth.createAccessToken('alice')
      assert.equal((await auth.verifyToken(token)).sub, 'alice')
      assert.equal(await codeOf(() => auth.verifyToken(breakSignature(token))), 'signature_invalid')
    }
  },
  async 'a token that another runtime signed is good'() {
    const auth = createAuth({ secret: SECRET, clock: () => 1_700_000_100 })
    const token =
      'eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiJhbGljZSIsImlhdCI6MTcwMDAwMDAwMCwiZXhwIjoxNzAwMDAwOTAwLCJ0eXBlIjoiYWNjZXNzIiwianRpIjoieCIsImZyZXNoIjpmYWxzZX0.ausS1vk228oa_SWH8xGi36xAUodBZhZ3Ud-ieJIyjuY'
    assert.equal((await auth.verifyToken(token)).sub, 'alice')
  },
  async 'any text is an AuthError'() {
    const token = await plain.createAccessToken('alice')
    const texts = [
      '',
      '.',
      '..',
      'a.b.c',
      '\u0000',
      '\ud800',
      'x'.repeat(100_000),
      `${token}.`,
      `.${token}`,
      token.slice(1),
    ]
    for (const text of texts) assert.notEqual(await codeOf(() => plain.verifyToken(text)), 'ok')
  },
  async 'claims, data and getters'() {
    const token = await plain.createAccessToken('alice', { data: { tenant: 't1', deep: { a: [1] } } })
    const payload = await plain.verifyToken(token)
    assert.deepEqual(payload.data, { tenant: 't1', deep: { a: [1] } })
    assert(payload.expiresAt instanceof Date && payload.timeUntilExpiry > 800)
    assert(Object.isFrozen(payload))
  },
  async 'the guards of fetch'() {
    const { access_token, refresh_token } = await login()
    const statuses = async (token) =>
      Promise.all(
        Object.keys(routesByPath).map(async (path) => (await ask('GET', path, bearer(token))).status),
      )
    assert.deepEqual(await statuses(access_token), [200, 200, 200, 403])
    assert.deepEqual(await statuses(refresh_token), [401, 401, 401, 401])
    const missing = await ask('GET', '/protected')
    assert.equal(missing.status, 401)
    assert.equal(missing.headers.get('www-authenticate'), 'Bearer')
  },
  async 'refresh, reuse and the end of the family'() {
    const first = await login()
    const refresh = (refresh_token) => ask('POST', '/auth/refresh', {}, { refresh_token })
    const second = await (await refresh(first.refresh_token)).json()
    assert.equal(
      (await (await ask('GET', '/fresh', bearer(second.access_token))).json()).code,
      'fresh_token_required',
    )
    assert.equal((await (await refresh(first.refresh_token)).json()).code, 'refresh_reused')
    assert.equal((await (await refresh(second.refresh_token)).json()).code, 'session_revoked')
    assert.equal(
      (await (await ask('GET', '/protected', bearer(second.access_token))).json()).code,
      'token_revoked',
    )
  },
  async 'step-up by password'() {
    const { access_token } = await login()
    const proved = await ask('POST', '/auth/verify-password', bearer(access_token), { password: 'test' })
    const { access_token: fresh } = await proved.json()
    assert.equal((await ask('GET', '/fresh', bearer(fresh))).status, 200)
  },
  async 'cookies with CSRF'() {
    const { response, csrf_token } = await login('cookie')
    const cookie = response.headers
      .getSetCookie()
      .map((line) => line.split(';', 1)[0])
      .join('; ')
    assert.match(cookie, /__Host-access_token=.*__Host-refresh_token=.*__Host-csrf_token=/)
    assert.equal((await ask('GET', '/protected', { cookie })).status, 200)
    assert.equal((await ask('POST', '/auth/refresh', { cookie })).status, 403)
    assert.equal((await ask('POST', '/auth/refresh', { cookie, 'x-csrf-token': csrf_token })).status, 200)
    assert.equal((await ask('POST', '/auth/logout', { cookie, 'x-csrf-token': csrf_token })).status, 204)
    assert.equal((await (await ask('GET', '/protected', { cookie })).json()).code, 'token_revoked')
  },
  async 'revocation by token, session and subject'() {
    await stateful.ready()
    for (const revoke of [
      (payload) => stateful.revoke(payload),
      ({ sid }) => stateful.sessions.end(sid),
      ({ sub }) => stateful.revokeSubject(sub),
    ]) {
      const { access_token } = await stateful.createTokenPair('carol')
      await revoke(await stateful.verifyToken(access_token))
      assert.equal(await codeOf(() => stateful.verifyToken(access_token)), 'token_revoked')
      assert.equal(await codeOf(() => stateful.verifyToken(access_token, strict)), 'token_revoked')
    }
  },
  async 'the revocations for services without the store'() {
    const client = { authorization: `Basic ${btoa('orders:s3cret')}` }
    const get = (query = '') => ask('GET', `/auth/revocations${query}`, client)
    assert.equal((await ask('GET', '/auth/revocations')).status, 401)
    const { cursor } = await (await get()).json()
    const { access_token } = await stateful.createTokenPair('erin')
    const { sub, sid, jti, iat } = await stateful.verifyToken(access_token)
    // Nothing but a server's socket keeps a process alive for a request that is held.
    const alive = setTimeout(() => undefined, 10_000)
    const held = get(`?wait=5&cursor=${encodeURIComponent(cursor)}`)
    await stateful.sessions.end(sid)
    const { entries } = await (await held).json()
    clearTimeout(alive)
    assert.deepEqual(
      entries.map(({ kind, key }) => [kind, key]),
      [['sid', sid]],
    )
    const asked = await ask('POST', '/auth/revocations', client, { sub, sid, jti, iat })
    assert.equal((await asked.json()).revoked, true)
  },
  async 'hostile bodies'() {
    for (const body of ['{', '[]', 'null', '{"username":1}', `{"username":"${'x'.repeat(20_000)}"}`]) {
      const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body }
      assert.equal((await handle(new Request(`${URL_BASE}/auth/login`, init))).status, 400)
    }
  },
  async 'the limit of failed logins'() {
    const attempt = () => ask('POST', '/auth/login', {}, { username: 'dora', password: 'wrong' })
    const statuses = await Promise.all(Array.from({ length: 20 }, async () => (await attempt()).status))
    assert.deepEqual(statuses.toSorted(), [401, 401, 401, 401, 401, ...Array(15).fill(429)])
  },
  async 'the client: login, refresh once for many calls, step-up, logout'() {
    const asked = []
    const fetch = (input, init) => {
      const request = new Request(input, init)
      asked.push(new URL(request.url).pathname)
      return Promise.resolve(handle(request))
    }
    const client = createAuthClient({
      baseUrl: URL_BASE,
      platform: { fetch },
      onStepUp: () => client.stepUp('test'),
    })
    await client.login({ username: 'test', password: 'test' })
    await client.refresh()
    const answers = await Promise.all(Array.from({ length: 5 }, () => client.fetch('/fresh')))
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200, 200, 200],
    )
    assert.equal(asked.filter((path) => path === '/auth/verify-password').length, 1)
    await client.logout()
    assert.equal(client.state.status, 'signed-out')
    client.close()
  },
  async 'errors are told apart'() {
    assert(new AuthError('token_missing') instanceof Error)
    assert.equal(isAuthError(new Error('x')), false)
  },
}
