// What an application asks of other services, on every runtime: key sets and introspection of other
// issuers, revocations of the service that has the session store, signatures from elsewhere, and
// the questions of a proxy. `NEIGHBOR`, which the run writes, says where those services are. All
// applications stand at module scope, as in `suite.mjs`.
import assert from 'node:assert/strict'
import { createAuth, createKeyRing, remoteFeed } from 'tokenwright'
import { forwardAuth } from 'tokenwright/forward-auth'
import { NEIGHBOR } from './address.mjs'
import { breakSignature, codeOf } from './checks.mjs'

const CREDENTIALS = { id: 'orders', secret: 's3cret: +%' }
const trusting = createAuth({
  issuers: [{ issuer: NEIGHBOR, audience: 'api', jwks: `${NEIGHBOR}/jwks` }],
})
const discovering = createAuth({ issuers: [{ issuer: NEIGHBOR, audience: 'api' }] })
const asking = createAuth({
  issuers: [
    {
      issuer: NEIGHBOR,
      audience: 'api',
      introspection: { clientId: CREDENTIALS.id, clientSecret: CREDENTIALS.secret },
    },
  ],
})
const forsaken = createAuth({
  issuers: [{ issuer: 'http://127.0.0.1:1', audience: 'api', jwks: 'http://127.0.0.1:1/jwks' }],
})

/** An application without the store, of which one is made: its feed goes on between tests. */
let follower
async function toFollower() {
  follower ??= createAuth({
    keys: createKeyRing({ verifying: (await ask('/sessions/jwks')).keys }),
    issuer: 'https://auth.example',
    audience: 'api',
    revocation: {
      source: remoteFeed({ url: `${NEIGHBOR}/auth/revocations`, credentials: CREDENTIALS }),
    },
  })
  return follower
}

const ask = async (path, query = {}) =>
  (await fetch(`${NEIGHBOR}${path}?${new URLSearchParams(query)}`)).json()
const issue = async (alg, changes = {}) => (await ask('/token', { alg, ...changes })).token
const hitsOf = async (path) => (await ask('/hits', { of: path })).hits

const slowIssuer = { issuer: NEIGHBOR, audience: 'api', jwks: `${NEIGHBOR}/slow/jwks` }
const slowTrusting = createAuth({ issuers: [slowIssuer] })
const slowAsking = createAuth({
  issuers: [
    {
      ...slowIssuer,
      introspection: {
        endpoint: `${NEIGHBOR}/slow/introspect`,
        clientId: CREDENTIALS.id,
        clientSecret: CREDENTIALS.secret,
      },
    },
  ],
})
const slowLoading = createAuth({ keys: createKeyRing({ load: () => ask('/slow/keys') }) })

/** Begins what takes longer than the request, `times` times, and waits for none of it. */
export async function leaveWork(times) {
  const token = await issue('ES256')
  const works = () => [
    slowTrusting.verifyToken(token),
    slowAsking.verifyToken('opaque-good'),
    slowLoading.createAccessToken('alice'),
  ]
  for (let i = 0; i < times; i++) for (const work of works()) work.catch(() => undefined)
  return new Response('left')
}

/** The same work, to its end. */
export async function doWork() {
  const token = await issue('ES256')
  const works = [
    () => slowTrusting.verifyToken(token),
    () => slowAsking.verifyToken('opaque-good'),
    () => slowLoading.createAccessToken('alice'),
  ]
  return new Response(String(await Promise.all(works.map(codeOf))))
}

/** Lets go of what holds a process. */
export const close = async () => follower?.close()

/** What the follower says of a token, for requests one after the other. */
export async function verifyAsFollower(token) {
  const auth = await toFollower()
  return new Response(await codeOf(() => auth.verifyToken(token)))
}

/** Every test, by what it says. */
export const TESTS = {
  ...Object.fromEntries(
    ['RS256', 'ES256', 'EdDSA'].map((alg) => [
      `a token of another issuer, ${alg}`,
      async () => {
        const token = await issue(alg)
        for (let i = 0; i < 3; i++) {
          const { sub, scopes } = await trusting.verifyToken(token)
          assert.deepEqual([sub, scopes], ['user-1', ['orders:read']])
        }
        assert.equal(await codeOf(() => trusting.verifyToken(breakSignature(token))), 'signature_invalid')
        const other = await issue(alg, { aud: 'another' })
        assert.equal(await codeOf(() => trusting.verifyToken(other)), 'audience_invalid')
      },
    ]),
  ),
  async 'a flood of unknown keys makes one fetch'() {
    await trusting.ready()
    const before = await hitsOf('/jwks')
    for (let i = 0; i < 20; i++) {
      const token = await issue('ES256', { kid: `made-up-${i}` })
      assert.equal(await codeOf(() => trusting.verifyToken(token)), 'signature_invalid')
    }
    assert((await hitsOf('/jwks')) - before <= 1)
  },
  async 'an issuer that is found by its metadata'() {
    assert.equal((await discovering.verifyToken(await issue('RS256'))).sub, 'user-1')
    await discovering.ready()
    assert.deepEqual(
      discovering.issuers().map(({ status, keys }) => [status, keys]),
      [['current', 3]],
    )
  },
  async 'an issuer that is down is 503'() {
    const claims = Buffer.from(JSON.stringify({ iss: 'http://127.0.0.1:1', exp: 9_999_999_999 }))
    const header = Buffer.from(JSON.stringify({ alg: 'ES256', kid: 'a' }))
    const token = [header, claims, 'x'.repeat(86)].map((part) =>
      typeof part === 'string' ? part : part.toString('base64url'),
    )
    assert.equal(await codeOf(() => forsaken.verifyToken(token.join('.'))), 'issuer_unavailable')
  },
  async 'opaque tokens, of which the issuer is asked'() {
    for (let i = 0; i < 3; i++) assert.equal((await asking.verifyToken('opaque-good')).sub, 'user-2')
    for (let i = 0; i < 2; i++)
      assert.equal(await codeOf(() => asking.verifyToken('opaque-bad')), 'token_revoked')
  },
  async 'revocations of the service with the store, within a second'() {
    const auth = await toFollower()
    const bob = (await ask('/sessions/start', { sub: 'bob' })).access_token
    for (let round = 0; round < 3; round++) {
      const { access_token } = await ask('/sessions/start', { sub: 'alice' })
      assert.equal(await codeOf(() => auth.verifyToken(access_token)), 'ok')
      await ask('/sessions/end-all', { sub: 'alice' })
      const begun = Date.now()
      while ((await codeOf(() => auth.verifyToken(access_token))) !== 'token_revoked') {
        assert(Date.now() - begun < 1000, 'a revoked token is accepted after a second')
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
    assert.equal(await codeOf(() => auth.verifyToken(bob)), 'ok')
  },
  async 'a strict check of the service with the store'() {
    const auth = await toFollower()
    const { access_token } = await ask('/sessions/start', { sub: 'carol' })
    const check = () => codeOf(() => auth.verifyToken(access_token, { revocation: 'strict' }))
    assert.equal(await check(), 'ok')
    await ask('/sessions/end-all', { sub: 'carol' })
    assert.equal(await check(), 'token_revoked')
  },
  async 'a key that signs elsewhere'() {
    const publicKey = await ask('/sign-key')
    const sign = async (input) => {
      const response = await fetch(`${NEIGHBOR}/sign`, { method: 'POST', body: input })
      return Buffer.from((await response.json()).signature, 'base64')
    }
    const auth = createAuth({
      keys: createKeyRing({ signing: { alg: 'ES256', kid: 'kms', publicKey, sign } }),
    })
    const token = await auth.createAccessToken('alice')
    assert.equal((await auth.verifyToken(token)).sub, 'alice')
    const silent = createAuth({
      keys: createKeyRing({
        signing: {
          alg: 'ES256',
          kid: 'kms',
          publicKey,
          sign: () => Promise.reject(new Error('down')),
        },
      }),
    })
    assert.equal(await codeOf(() => silent.createAccessToken('alice')), 'store_unavailable')
  },
  async 'a proxy that asks before it passes a request on'() {
    const auth = createAuth({ secret: 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu', locations: ['header', 'cookie'] })
    const verify = forwardAuth(auth, {
      proxy: 'nginx',
      trusted: ['127.0.0.1'],
      requirements: { admin: { scopes: ['admin'] } },
    })
    const token = await auth.createAccessToken('älice', { scopes: ['orders:read'] })
    const from = (path, headers, address = '127.0.0.1') =>
      verify(
        new Request(`http://auth.internal${path}`, {
          headers: {
            'x-forwarded-method': 'GET',
            'x-forwarded-proto': 'https',
            'x-forwarded-host': 'app.example.com',
            'x-forwarded-uri': '/orders',
            ...headers,
          },
        }),
        { address },
      )
    const bearer = { authorization: `Bearer ${token}` }
    const passed = await from('/verify', bearer)
    assert.deepEqual(
      [passed.status, passed.headers.get('x-auth-subject'), passed.headers.get('x-auth-scopes')],
      [200, '%C3%A4lice', 'orders:read'],
    )
    const forged = { cookie: `__Host-access_token=${token}`, 'x-forwarded-method': 'POST' }
    const statuses = await Promise.all(
      [
        from('/verify', {}),
        from('/verify/admin', bearer),
        from('/verify', forged),
        from('/verify', bearer, '203.0.113.9'),
      ].map(async (response) => (await response).status),
    )
    assert.deepEqual(statuses, [401, 403, 403, 403])
  },
}
