/** Tickets: given by the route for an access token, used once at one handshake, and no token anywhere. */
import { describe, expect, it } from 'vitest'
import { createAuth, createKeyRing, generateKey, type Ticket } from '../../../src/index.ts'
import { authRoutes } from '../../../src/routes.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { STORES } from '../../contract/opened.ts'
import { claimsOf, codeOf, forge, NOW, SECRET, setUp } from '../../token/forge.ts'
import { open, outcome, serve } from './sockets.ts'

/** A server of sockets with sessions. */
const begin = (options = {}) => serve({ sessions: { store: memoryStore() }, ...options })

/** The claims inside a ticket. */
function inside({
  ticket,
}: Ticket): { readonly access: Readonly<Record<string, unknown>> } & Record<string, unknown> {
  return JSON.parse(Buffer.from(ticket.split('.')[1] ?? '', 'base64url').toString())
}

describe('a ticket', () => {
  it('opens one socket, which knows all claims of the token', async () => {
    const { auth, url, connections, clock } = await begin({ issuer: 'me', audience: 'you', realm: 'staff' })
    const pair = await auth.createTokenPair('user-1', {
      fresh: true,
      scopes: ['a:b'],
      data: { plan: 'pro' },
      amr: ['pwd'],
    })
    const payload = await auth.verifyToken(pair.access_token)
    clock.now += 5
    const ticket = await auth.createTicket(payload)
    expect(ticket.expires_in).toBe(30)
    const client = await open(url, { path: `/?ticket=${ticket.ticket}` })
    expect({ ...connections[0]?.payload }).toEqual({ ...payload, csrf: undefined })
    expect(await outcome(url, { path: `/?ticket=${ticket.ticket}` })).toBe('401 token_revoked')
    expect(await client.ask({ meet: { fresh: true, scopes: ['a:b'] } })).toBe('met by user-1')
    clock.now = NOW + 900
    expect(await client.closed).toEqual({ code: 4401, reason: 'token_expired' })
  })

  it('ends with its token, session and subject', async () => {
    const { auth, url } = await begin()
    const payload = await auth.verifyToken((await auth.createTokenPair('user-1')).access_token)
    const first = await auth.createTicket(payload)
    const second = await auth.createTicket(payload)
    const { closed } = await open(url, { path: `/?ticket=${first.ticket}` })
    await auth.revoke(payload)
    expect(await closed).toEqual({ code: 4401, reason: 'token_revoked' })
    expect(await outcome(url, { path: `/?ticket=${second.ticket}` })).toBe('401 token_revoked')
  })

  it('lasts for half a minute, and no longer than its token', async () => {
    const { auth, url, clock } = await begin()
    const payload = await auth.verifyToken(await auth.createAccessToken('u', { expiresIn: 100 }))
    const use = ({ ticket }: Ticket): Promise<string> => outcome(url, { path: `/?ticket=${ticket}` })
    const [used, unused] = [await auth.createTicket(payload), await auth.createTicket(payload)]
    clock.now = NOW + 34
    expect(await use(used)).toBe('open')
    clock.now = NOW + 35
    expect(await use(unused)).toBe('401 token_expired')
    const early = await auth.createTicket(payload)
    clock.now = NOW + 29
    expect(await use(early)).toBe('401 token_not_active')
    clock.now = NOW + 30
    expect(await use(early)).toBe('open')
    clock.now = NOW + 94
    expect((await auth.createTicket(payload)).expires_in).toBe(6)
    clock.now = NOW + 100
    expect(await codeOf(() => auth.createTicket(payload))).toBe('token_expired')
  })

  it('is not a token, and a token is not a ticket', async () => {
    const { auth, url } = await begin({ interop: true })
    const pair = await auth.createTokenPair('user-1')
    const { ticket } = await auth.createTicket(await auth.verifyToken(pair.access_token))
    for (const type of ['access', 'refresh', 'any'] as const)
      expect(await codeOf(() => auth.verifyToken(ticket, { type }))).toBe('token_malformed')
    expect(await outcome(url, { headers: { Authorization: `Bearer ${ticket}` } })).toBe('401 token_malformed')
    expect(await outcome(url, { protocols: ['tokenwright', `bearer.${ticket}`] })).toBe('401 token_malformed')
    const times = { jti: 'j', iat: NOW, exp: NOW + 30 }
    const access = claimsOf()
    const forged: readonly string[] = [
      pair.access_token,
      pair.refresh_token,
      forge({ ...times, access }),
      forge({ ...times, access }, { header: { alg: 'HS256', typ: 'JWT' } }),
      forge({ ...times, access }, { header: { alg: 'HS256', typ: 'ticket+jwt' }, secret: `${SECRET}x` }),
      ...[
        { ...times },
        { ...times, access: 'text' },
        { ...times, access: { ...access, type: 'refresh' } },
        { ...times, access: { ...access, exp: undefined } },
        { ...times, access, jti: 5 },
        { ...times, access, exp: '9' },
        { ...times, access, iat: undefined },
      ].map((claims) => forge(claims, { header: { alg: 'HS256', typ: 'ticket+jwt' } })),
      `${ticket}x`,
      'x'.repeat(9000),
      '..',
    ]
    for (const text of forged)
      expect(await outcome(url, { path: `/?ticket=${text}` })).toMatch(
        /^401 (token_malformed|signature_invalid)$/,
      )
    expect(await outcome(url, { path: `/?ticket=${ticket}` })).toBe('open')
    const own = forge({ ...times, access }, { header: { alg: 'HS256', typ: 'ticket+jwt' } })
    expect(await outcome(url, { path: `/?ticket=${own}` })).toBe('open')
  })

  it('contains no CSRF value', async () => {
    const { auth } = await begin({ locations: ['header', 'cookie'] })
    const payload = await auth.verifyToken(
      (await auth.createTokenPair('user-1', { data: { plan: 'pro' } })).access_token,
    )
    expect(payload.csrf).toBeTypeOf('string')
    const { access } = inside(await auth.createTicket(payload))
    expect(access).toMatchObject({ sub: 'user-1', plan: 'pro' })
    expect(JSON.stringify(access)).not.toContain(payload.csrf)
  })

  it('is checked by the realm and the requirement of its route', async () => {
    const store = memoryStore()
    const { auth } = setUp({ sessions: { store }, realm: 'staff' })
    const { url } = await begin({ sessions: { store }, realm: 'guests' })
    const { ticket } = await auth.createTicket(
      await auth.verifyToken((await auth.createTokenPair('u')).access_token),
    )
    expect(await outcome(url, { path: `/?ticket=${ticket}` })).toBe('401 realm_mismatch')
  })

  it('needs a store, a signing key and an access token', async () => {
    const { auth } = setUp()
    const payload = await auth.verifyToken(await auth.createAccessToken('u'))
    await expect(auth.createTicket(payload)).rejects.toThrow(/Expected the option `sessions.store`/)
    const stateful = setUp({ sessions: { store: memoryStore() } }).auth
    const { refresh_token } = await stateful.createTokenPair('u')
    const refresh = await stateful.verifyToken(refresh_token, { type: 'refresh' })
    expect(await codeOf(() => stateful.createTicket(refresh))).toBe('access_token_required')
    const key = await generateKey('ES256')
    const issuing = createAuth({ keys: createKeyRing({ signing: key }) })
    const verifying = createAuth({
      keys: createKeyRing({ verifying: [key] }),
      sessions: { store: memoryStore() },
    })
    const foreign = await verifying.verifyToken(await issuing.createAccessToken('u'))
    await expect(verifying.createTicket(foreign)).rejects.toThrow(
      /Expected the key ring to hold a `signing` key/,
    )
  })
})

describe.each(STORES)('fifty uses at once: $name', ({ open: openStore, reason }) => {
  it.skipIf(reason !== null)(`open exactly one socket, over several processes ${reason ?? ''}`, async () => {
    const { store, close } = await openStore()
    try {
      const servers = await Promise.all(
        Array.from({ length: 3 }, () => serve({ sessions: { store }, clock: () => Date.now() / 1000 })),
      )
      const [first] = servers
      for (let round = 0; round < 3; round++) {
        const { access_token } = (await first?.auth.createTokenPair('user-1')) ?? { access_token: '' }
        const payload = await first!.auth.verifyToken(access_token)
        const { ticket } = await first!.auth.createTicket(payload)
        const outcomes = await Promise.all(
          Array.from({ length: 50 }, (_, index) =>
            outcome(servers[index % servers.length]!.url, { path: `/?ticket=${ticket}` }),
          ),
        )
        expect(outcomes.toSorted()).toEqual([...Array(49).fill('401 token_revoked'), 'open'])
      }
      for (const { auth } of servers) await auth.close()
    } finally {
      await close?.()
    }
  })
})

describe('POST /auth/ticket', () => {
  const verifyCredentials = () => null
  const post = (token?: string, headers = {}): Request =>
    new Request('http://localhost/auth/ticket', {
      method: 'POST',
      headers: { ...(token && { Authorization: `Bearer ${token}` }), ...headers },
    })

  it('returns a ticket for an access token, which no cache may store', async () => {
    const { auth, url } = await begin()
    const handle = authRoutes(auth, { verifyCredentials })
    const { access_token, refresh_token } = await auth.createTokenPair('user-1')
    const response = await handle(post(access_token))
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store'])
    const body = (await response.json()) as Ticket
    expect(body).toEqual({ ticket: expect.any(String), expires_in: 30 })
    expect(await outcome(url, { path: `/?ticket=${body.ticket}` })).toBe('open')
    for (const request of [post(), post(refresh_token), post(body.ticket)])
      expect((await handle(request)).status).toBe(401)
    expect((await handle(new Request('http://localhost/auth/ticket'))).status).toBe(405)
  })

  it('returns none for a revoked token, nor to a page of another site', async () => {
    const { auth } = await begin({ locations: ['header', 'cookie'] })
    const handle = authRoutes(auth, { verifyCredentials })
    const { access_token } = await auth.createTokenPair('user-1')
    const Cookie = `__Host-access_token=${access_token}`
    const csrf = (await auth.verifyToken(access_token)).csrf ?? ''
    const codeFor = async (headers: Record<string, string>): Promise<unknown> => {
      const response = await handle(post(undefined, { Cookie, ...headers }))
      return response.ok ? 'ticket' : ((await response.json()) as { code: unknown }).code
    }
    expect(await codeFor({ 'Sec-Fetch-Site': 'cross-site', 'X-CSRF-Token': csrf })).toBe('csrf_mismatch')
    expect(await codeFor({ 'Sec-Fetch-Site': 'same-origin' })).toBe('csrf_missing')
    expect(await codeFor({ 'Sec-Fetch-Site': 'same-origin', 'X-CSRF-Token': csrf })).toBe('ticket')
    await auth.revokeSubject('user-1')
    expect(await codeFor({ 'Sec-Fetch-Site': 'same-origin', 'X-CSRF-Token': csrf })).toBe('token_revoked')
  })

  it('does not exist without a store', async () => {
    const { auth } = setUp()
    const handle = authRoutes(auth, { verifyCredentials })
    expect((await handle(post(await auth.createAccessToken('u')))).status).toBe(404)
  })
})
