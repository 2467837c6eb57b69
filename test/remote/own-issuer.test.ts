/**
 * Two services of one kind: one signs users in and publishes its metadata, its key set and its revocations; the other one is told its
 * name, and finds out the rest.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { toNodeHandler } from '../../src/adapters/node.ts'
import {
  type Auth,
  type AuthOptions,
  ConfigurationError,
  createAuth,
  createKeyRing,
  generateKey,
  type KeySet,
  remoteFeed,
} from '../../src/index.ts'
import { authRoutes } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { codeOf } from '../token/forge.ts'

const CLIENT = { id: 'orders', secret: 's3cret: +%' }

/** Starts the service that signs users in; `path` is a part of its name. */
async function startIssuer(path = '', options: AuthOptions = {}) {
  let handle: ReturnType<typeof toNodeHandler>
  const hits: string[] = []
  const server = createServer((req, res) => {
    hits.push(String(req.url))
    void handle(req, res)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const auth = createAuth({
    keys: createKeyRing({ signing: generateKey('ES256') }),
    issuer: origin + path,
    audience: 'orders',
    sessions: { store: memoryStore() },
    ...options,
  })
  handle = toNodeHandler(
    authRoutes(auth, {
      verifyCredentials: () => null,
      throttle: false,
      metadata: true,
      verifyClient: ({ id, secret }) => id === CLIENT.id && secret === CLIENT.secret,
    }),
  )
  onTestFinished(async () => {
    await auth.close()
    server.closeAllConnections()
    server.close()
  })
  return { auth, origin, issuer: origin + path, hits }
}

function start(options: AuthOptions): Auth {
  const auth = createAuth(options)
  onTestFinished(() => auth.close())
  return auth
}

const follow = (origin: string, issuer?: string) =>
  remoteFeed({
    url: `${origin}/auth/revocations`,
    credentials: CLIENT,
    ...(issuer !== undefined && { issuer }),
  })

describe('a service that is told the name of another one', () => {
  it.each(['', '/tenants/a'])('finds its key set by its metadata, with the path "%s"', async (path) => {
    const { auth, issuer, hits } = await startIssuer(path, { profile: 'rfc9068' })
    const orders = start({ issuers: [{ issuer, audience: 'orders', profile: 'rfc9068' }] })
    const token = await auth.createAccessToken('alice', {
      scopes: ['orders:read'],
      clientId: 'app',
      fresh: true,
    })
    expect(await orders.verifyToken(token, { fresh: true, scopes: ['orders:read'] })).toMatchObject({
      sub: 'alice',
      scopes: ['orders:read'],
      iss: issuer,
      client_id: 'app',
      sid: undefined,
    })
    expect(hits).toEqual([
      `${path}/.well-known/openid-configuration`,
      `/.well-known/oauth-authorization-server${path}`,
      '/.well-known/jwks.json',
    ])
    expect(orders.issuers()).toMatchObject([{ issuer, status: 'current', keys: 1 }])
  })

  it('accepts no refresh token, and no token for another service', async () => {
    const { auth, issuer } = await startIssuer()
    const orders = start({ issuers: [{ issuer, audience: 'orders' }] })
    const { refresh_token } = await auth.sessions.start('alice')
    expect(await codeOf(() => orders.verifyToken(refresh_token))).toMatch(/token_malformed|audience_invalid/)
    const other = await auth.createAccessToken('alice', { audience: 'bills' })
    expect(await codeOf(() => orders.verifyToken(other))).toBe('audience_invalid')
  })

  it('follows a rotation of its keys', async () => {
    let set: KeySet = { keys: [generateKey('ES256', 'first')] }
    const keys = createKeyRing({ load: () => set, every: '1s' })
    let now = Date.now() / 1000
    const clock = (): number => now
    const { auth, issuer } = await startIssuer('', { keys, clock })
    const orders = start({ issuers: [{ issuer, audience: 'orders' }], clock })
    const first = await auth.createAccessToken('alice')
    expect(await codeOf(() => orders.verifyToken(first))).toBe('accepted')
    set = { keys: [...set.keys, { ...generateKey('ES256', 'second'), signsFrom: now + 10 }] }
    now += 11
    const second = await auth.createAccessToken('alice')
    expect(auth.decodeUnverified(second).header['kid']).toBe('second')
    expect(await codeOf(() => orders.verifyToken(second))).toBe('accepted')
    expect(await codeOf(() => orders.verifyToken(first))).toBe('accepted')
  })
})

describe('with its revocations', () => {
  async function setUp(options: AuthOptions = {}, others: AuthOptions = {}) {
    const a = await startIssuer('', options)
    const orders = start({
      issuers: [{ issuer: a.issuer, audience: 'orders' }],
      revocation: { source: follow(a.origin) },
      ...others,
    })
    return { ...a, orders, verify: (token: string) => codeOf(() => orders.verifyToken(token)) }
  }

  it('refuses the tokens of a session that has ended, within a second', async () => {
    const { auth, verify } = await setUp()
    const bob = await auth.sessions.start('bob')
    for (const end of [
      () => auth.sessions.endAll('alice'),
      (sid: string) => auth.sessions.end(sid),
      () => auth.revokeSubject('alice'),
    ]) {
      const { access_token } = await auth.sessions.start('alice')
      const { sid = '' } = await auth.verifyToken(access_token)
      expect(await verify(access_token)).toBe('accepted')
      await end(sid)
      await expect.poll(() => verify(access_token), { timeout: 1000, interval: 20 }).toBe('token_revoked')
    }
    expect(await verify(bob.access_token)).toBe('accepted')
  })

  it('asks about them on a strict route, and refuses tokens without a session, too', async () => {
    const { auth, orders } = await setUp()
    const token = await auth.createAccessToken('alice')
    const session = (await auth.sessions.start('alice')).access_token
    const strict = (text: string) => codeOf(() => orders.verifyToken(text, { revocation: 'strict' }))
    expect([await strict(token), await strict(session)]).toEqual(['accepted', 'accepted'])
    await auth.revoke(await auth.verifyToken(token))
    await auth.sessions.endAll('alice')
    expect([await strict(token), await strict(session)]).toEqual(['token_revoked', 'token_revoked'])
  })

  it('in a realm of its own', async () => {
    const realm = 'staff'
    const { auth, verify } = await setUp({ realm }, { realm })
    const { access_token } = await auth.sessions.start('alice')
    expect(await verify(access_token)).toBe('accepted')
    await auth.sessions.endAll('alice')
    await expect.poll(() => verify(access_token), { timeout: 1000, interval: 20 }).toBe('token_revoked')
    const users = await setUp({ realm })
    const token = await users.auth.createAccessToken('alice')
    // The page is of another realm.
    expect(await users.verify(token)).toBe('store_unavailable')
  })

  it('is of one issuer, which is named where there are several', async () => {
    const { auth, origin, issuer } = await startIssuer()
    const idp = { issuer: 'https://idp.example', audience: 'orders', sharesSubjects: true }
    const own = { issuer, audience: 'orders', sharesSubjects: true }
    const of = (name?: string): AuthOptions => ({
      issuers: [own, idp],
      revocation: { source: follow(origin, name) },
    })
    for (const name of [undefined, 'https://another.example'])
      expect(() => createAuth(of(name))).toThrow(ConfigurationError)
    const orders = start(of(issuer))
    const { access_token } = await auth.sessions.start('alice')
    expect(await codeOf(() => orders.verifyToken(access_token))).toBe('accepted')
    await auth.sessions.endAll('alice')
    expect(await codeOf(() => orders.verifyToken(access_token, { revocation: 'strict' }))).toBe(
      'token_revoked',
    )
    // Those of another one are an outage: they say nothing of these tokens.
    const wrong = start(of('https://idp.example'))
    expect(await codeOf(() => wrong.verifyToken(access_token))).toBe('store_unavailable')
  })

  it('beside own keys is of the application, unless it is named', async () => {
    const { auth, origin, issuer } = await startIssuer()
    const { access_token } = await auth.sessions.start('alice')
    await auth.sessions.endAll('alice')
    const of = (name?: string) =>
      start({
        keys: createKeyRing({ signing: generateKey('ES256') }),
        issuer: 'https://orders.example',
        issuers: [{ issuer, audience: 'orders', sharesSubjects: true }],
        revocation: { source: follow(origin, name) },
      })
    expect(await codeOf(() => of().verifyToken(access_token))).toBe('store_unavailable')
    expect(await codeOf(() => of(issuer).verifyToken(access_token))).toBe('token_revoked')
  })

  it('needs the subjects as the issuer names them', async () => {
    const { auth, origin, issuer } = await startIssuer()
    const orders = start({
      issuers: [{ issuer, audience: 'orders', toUser: ({ sub }) => ({ sub: `a|${sub}` }) }],
      revocation: { source: follow(origin) },
    })
    const token = await auth.createAccessToken('alice')
    await expect(orders.verifyToken(token)).rejects.toThrow(/`issuers\[0\]\.toUser` gave another `sub`/)
  })
})
