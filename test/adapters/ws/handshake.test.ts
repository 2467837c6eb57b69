/** The handshake: where a token may be, what is refused and how, and that no page of another site opens a socket with a user's cookies. */
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { chooseProtocol } from '../../../src/adapters/ws.ts'
import type { Requirement } from '../../../src/index.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { codeOf, NOW, setUp } from '../../token/forge.ts'
import {
  bearer,
  type Greeting,
  greet,
  open,
  outcome,
  type Refusal,
  rawHandshake,
  serve,
  shout,
} from './sockets.ts'

const INSECURE = { secure: false } as const
const EVIL = 'https://evil.example'

describe('a token at the handshake', () => {
  it('can be in a header', async () => {
    const { url, auth } = await serve()
    const { ask } = await open(url, bearer(await auth.createAccessToken('user-1')))
    expect(await ask('hello')).toBe('echo hello')
  })

  it('can be among the protocols, and its protocol is not the one that is chosen', async () => {
    const { url, auth } = await serve()
    const token = await auth.createAccessToken('user-1')
    const inFront = await open(url, { protocols: [`bearer.${token}`, 'tokenwright'] })
    expect(inFront.socket.protocol).toBe('tokenwright')
    const behind = await open(url, { protocols: ['chat.v2', `bearer.${token}`] })
    expect(behind.socket.protocol).toBe('chat.v2')
    const alone = await shout(url, rawHandshake(url, `Sec-WebSocket-Protocol: bearer.${token}`))
    expect(alone).toMatch(/^HTTP\/1.1 101 /)
    expect(alone).not.toMatch(/sec-websocket-protocol|bearer/i)
  })

  it('can be in the URL only if the application says so', async () => {
    const closed = await serve()
    const token = await closed.auth.createAccessToken('user-1')
    expect(await outcome(closed.url, { path: `/?access_token=${token}` })).toBe('401 token_missing')
    expect(await outcome(closed.url, { path: `/?token=${token}` })).toBe('401 token_missing')
    const opened = await serve(
      { query: { access: 'token' } },
      (guard) => guard.token({ locations: ['query'] }) as ReturnType<typeof guard.access>,
    )
    expect(await outcome(opened.url, { path: `/?token=${token}` })).toBe('open')
  })

  it('may be absent if it is optional, but a bad one is refused', async () => {
    const { url, connections } = await serve(
      {},
      (guard) => guard.optional() as ReturnType<typeof guard.access>,
    )
    const { ask } = await open(url)
    expect(connections[0]?.payload).toBeNull()
    expect(await ask({ meet: { scopes: ['a'] } })).toMatch(/"code":"token_missing"/)
    expect(await outcome(url, bearer('nonsense'))).toBe('401 token_malformed')
  })

  it('comes with its user', async () => {
    const subject = ({ sub }: { readonly sub: string }) => (sub === 'user-1' ? { name: 'Ann' } : null)
    const { url, auth, connections } = await serve(
      { subject },
      (guard) => guard.subject() as ReturnType<typeof guard.access>,
    )
    await open(url, bearer(await auth.createAccessToken('user-1')))
    expect(connections[0]?.subject).toEqual({ name: 'Ann' })
    expect(await outcome(url, bearer(await auth.createAccessToken('user-2')))).toBe('401 subject_unknown')
  })

  it('is a refresh token if the route requires one', async () => {
    const { url, auth } = await serve({}, (guard) => guard.refresh())
    const { access_token, refresh_token } = await auth.createTokenPair('user-1')
    expect(await outcome(url, bearer(refresh_token))).toBe('open')
    expect(await outcome(url, bearer(access_token))).toBe('401 refresh_token_required')
  })
})

describe('a refusal', () => {
  it('is the response of any route, before the upgrade', async () => {
    const { url } = await serve()
    const { status, headers, body } = (await greet(url)) as Refusal
    expect(status).toBe(401)
    expect(headers).toMatchObject({
      'www-authenticate': 'Bearer',
      'content-type': 'application/json',
      'cache-control': 'no-store',
      connection: 'close',
    })
    expect(body).toEqual({ message: 'Token Error', error_type: 'MissingTokenError', code: 'token_missing' })
  })

  it.each<[string, Requirement, string, RegExp]>([
    ['fresh', { fresh: true }, '401 fresh_token_required', /insufficient_user_authentication.*max_age="900"/],
    ['scopes', { scopes: ['chat:read'] }, '403 scope_missing', /insufficient_scope.*scope="chat:read"/],
  ])('carries the challenge of %s', async (_name, requirement, expected, challenge) => {
    const { url, auth } = await serve(
      {},
      (guard) => guard.token(requirement) as ReturnType<typeof guard.access>,
    )
    const greeting = bearer(await auth.createAccessToken('user-1'))
    expect(await outcome(url, greeting)).toBe(expected)
    const { headers } = (await greet(url, greeting)) as Refusal
    expect(headers['www-authenticate']).toMatch(challenge)
    const able = await auth.createAccessToken('user-1', { fresh: true, scopes: ['chat:*'] })
    expect(await outcome(url, bearer(able))).toBe('open')
  })

  it('names what is wrong with the token, and is an event', async () => {
    const heard: unknown[] = []
    const { url, auth, clock } = await serve({ on: { refused: ({ code }) => heard.push(code) } })
    const token = await auth.createAccessToken('user-1', { expiresIn: 10 })
    expect(await outcome(url, { protocols: ['tokenwright', 'bearer.x'] })).toBe('401 token_malformed')
    expect(await outcome(url, bearer(`${token.slice(0, -4)}AAAA`))).toBe('401 signature_invalid')
    clock.now += 16
    expect(await outcome(url, { protocols: ['tokenwright', `bearer.${token}`] })).toBe('401 token_expired')
    expect(heard).toEqual(['token_malformed', 'signature_invalid', 'token_expired'])
  })

  it('is a bare 500 if the error is not an AuthError', async () => {
    const claims = {
      '~standard': {
        version: 1,
        vendor: 'x',
        validate: (): never => {
          throw new Error('secret')
        },
      },
    } as const
    const { auth } = setUp()
    const { url } = await serve({ claims: claims as never })
    const { status, body } = (await greet(url, bearer(await auth.createAccessToken('user-1')))) as Refusal
    expect({ status, body }).toEqual({ status: 500, body: {} })
  })
})

describe('two tokens in one handshake', () => {
  const token = 'a.b.c'
  it.each<[string, Greeting]>([
    ['header and protocol', { ...bearer(token), protocols: ['tokenwright', `bearer.${token}`] }],
    ['two protocols', { protocols: [`bearer.${token}`, `bearer.${token}x`] }],
    ['header and ticket', { ...bearer(token), path: `/?ticket=${token}` }],
    ['protocol and ticket', { protocols: ['tokenwright', `bearer.${token}`], path: `/?ticket=${token}` }],
    ['two tickets', { path: `/?ticket=${token}&ticket=${token}` }],
    ['an empty ticket', { path: '/?ticket=' }],
    ['an empty protocol token', { protocols: ['tokenwright', 'bearer.'] }],
  ])('%s: 400', async (_name, greeting) => {
    const { url } = await serve({ sessions: { store: memoryStore() } })
    expect(await outcome(url, greeting)).toBe('400 request_invalid')
  })

  it('is preferred to a cookie, which does not help a bad one', async () => {
    const { url, auth } = await serve({ locations: ['cookie'], cookies: INSECURE })
    const cookie = `access_token=${await auth.createAccessToken('user-1')}`
    const headers = { Cookie: cookie, Origin: `http://${url}` }
    expect(await outcome(url, { headers })).toBe('open')
    expect(await outcome(url, { headers, protocols: ['tokenwright', 'bearer.x'] })).toBe(
      '401 token_malformed',
    )
  })
})

describe('a cookie at the handshake', () => {
  const modes = ['both', 'token', 'origin'] as const
  it.each(modes)('opens no socket for a page of another site: csrf %s', async (mode) => {
    const { url, auth } = await serve({ locations: ['cookie'], cookies: INSECURE, csrf: mode })
    const Cookie = `access_token=${await auth.createAccessToken('user-1')}`
    const from = (headers: Readonly<Record<string, string>>): Promise<string> =>
      outcome(url, { headers: { Cookie, ...headers } })
    expect(await from({ Origin: EVIL })).toBe('403 csrf_mismatch')
    expect(await from({ Origin: 'null' })).toBe('403 csrf_mismatch')
    expect(await from({ Origin: `http://${url}`, 'Sec-Fetch-Site': 'cross-site' })).toBe('403 csrf_mismatch')
    expect(await from({ 'Sec-Fetch-Site': 'same-site' })).toBe('403 csrf_mismatch')
    expect(await from({ Origin: `http://${url}.evil.example` })).toBe('403 csrf_mismatch')
    expect(await from({ Origin: `http://${url}` })).toBe('open')
    expect(await from({ Origin: `http://${url}`, 'Sec-Fetch-Site': 'same-origin' })).toBe('open')
    expect(await from({})).toBe('open')
  })

  it('opens one for an accepted origin, and for any origin if CSRF protection is off', async () => {
    const welcome = await serve({ locations: ['cookie'], cookies: INSECURE, csrf: { origins: [EVIL] } })
    const Cookie = `access_token=${await welcome.auth.createAccessToken('user-1')}`
    expect(await outcome(welcome.url, { headers: { Cookie, Origin: EVIL } })).toBe('open')
    const off = await serve({ locations: ['cookie'], cookies: INSECURE, csrf: false })
    expect(await outcome(off.url, { headers: { Cookie, Origin: EVIL } })).toBe('open')
  })

  it('does not matter if the page has sent a token itself', async () => {
    const { url, auth } = await serve()
    const token = await auth.createAccessToken('user-1')
    const headers = { Origin: EVIL }
    expect(await outcome(url, { headers, protocols: ['tokenwright', `bearer.${token}`] })).toBe('open')
  })
})

describe('a hostile handshake', () => {
  it('gets a response or is dropped, and the next one is served', async () => {
    const { url, auth } = await serve({ sessions: { store: memoryStore() } })
    const { access_token: token } = await auth.createTokenPair('user-1')
    const authorized = `Authorization: Bearer ${token}`
    const cases: readonly (readonly [string, RegExp])[] = [
      [rawHandshake(url, 'Sec-WebSocket-Protocol: a,,b'), /^HTTP\/1.1 400 /],
      [rawHandshake(url, 'Sec-WebSocket-Protocol: a b, bearer.x'), /^HTTP\/1.1 400 /],
      [rawHandshake(url, 'Sec-WebSocket-Protocol: ,'), /^HTTP\/1.1 400 /],
      [
        rawHandshake(url, 'Sec-WebSocket-Protocol: bearer.x', 'sec-websocket-protocol: bearer.y'),
        /^HTTP\/1.1 400 /,
      ],
      [rawHandshake(url, authorized, authorized), /^HTTP\/1.1 400 /],
      [rawHandshake(url, `Authorization: Bearer ${'x'.repeat(9000)}`), /^HTTP\/1.1 401 /],
      [rawHandshake(url, `Authorization: Bearer ${'x'.repeat(20_000)}`), /^HTTP\/1.1 431 /],
      [rawHandshake(url, authorized).replace('Sec-WebSocket-Key', 'X-Key'), /^HTTP\/1.1 400 /],
      [rawHandshake(url, authorized).replace('Version: 13', 'Version: 99'), /^HTTP\/1.1 400 /],
      [rawHandshake(url, authorized).replace('GET /', 'POST /'), /^HTTP\/1.1 405 /],
      [rawHandshake(url).replace('GET /', 'GET //[?ticket=%ff%zz&ticket'), /^HTTP\/1.1 400 /],
      [`${rawHandshake(url)}${rawHandshake(url, authorized)}`, /^HTTP\/1.1 401 [\s\S]*"token_missing"}$/],
      [
        `GET /plain HTTP/1.1\r\nHost: x\r\n\r\n${rawHandshake(url, 'Sec-WebSocket-Protocol: bearer.x')}`,
        /401 Unauth/,
      ],
      [`${rawHandshake(url)}${'\u0000'.repeat(100_000)}`, /^HTTP\/1.1 401 |^$/],
    ]
    for (const [text, expected] of cases) expect(await shout(url, text), text.slice(0, 200)).toMatch(expected)
    expect(await outcome(url, bearer(token))).toBe('open')
  })

  it('may close while it is checked', async () => {
    let release = (): void => undefined
    const judged = new Promise<void>((resolve) => {
      release = resolve
    })
    let asked = 0
    const isRevoked = async (): Promise<boolean> => {
      asked++
      await judged
      return false
    }
    const { url, auth, guard, server, connections } = await serve({ isRevoked })
    const token = await auth.createAccessToken('user-1')
    const [host = '', port = ''] = url.split(':')
    const clients = [false, true].flatMap((resets) =>
      ['', '\u0001\u0002'].map((more) => {
        const socket = connect(Number(port), host, () =>
          socket.write(rawHandshake(url, `Authorization: Bearer ${token}`) + more),
        )
        socket.on('error', () => undefined)
        return { socket, leave: () => (resets ? socket.resetAndDestroy() : socket.destroy()) }
      }),
    )
    await expect.poll(() => asked).toBe(clients.length)
    for (const { leave } of clients) leave()
    release()
    await expect
      .poll(() => new Promise((resolve) => server.getConnections((_, count) => resolve(count))))
      .toBe(0)
    await expect.poll(() => guard.size).toBe(0)
    for (const connection of connections)
      await expect(connection.recheck()).resolves.toMatchObject({ sub: 'user-1' })
    expect(await outcome(url, bearer(token))).toBe('open')
  })

  it('does not break the server when its socket fails while the refusal is written', async () => {
    const { url, server } = await serve()
    server.prependListener('upgrade', (_request, socket) => {
      socket.destroy(new Error('broken'))
    })
    expect(await shout(url, rawHandshake(url))).toBe('')
    expect(await shout(url, 'GET / HTTP/1.0\r\n\r\n')).toMatch(/plain$/)
  })
})

describe('the locations of a route', () => {
  it('are the configured ones, the protocols, and tickets if a store can tell which were used', async () => {
    const { guard } = await serve({ locations: ['header', 'body', 'cookie'], cookies: INSECURE })
    expect(guard.locations).toEqual(['header', 'cookie', 'protocol'])
    const stateful = await serve({ sessions: { store: memoryStore() } })
    expect(stateful.guard.locations).toEqual(['header', 'protocol', 'ticket'])
  })

  it('cannot be tickets without a store, and neither of the two can be a location of all routes', () => {
    const { auth } = setUp()
    expect(() => auth.prepare({ locations: ['ticket'] })).toThrow(/Expected `sessions.store` beside 'ticket'/)
    for (const location of ['ticket', 'protocol']) {
      expect(() => setUp({ locations: [location as 'header'] })).toThrow(/Expected `locations/)
    }
  })

  it('do not let another route find a token among the protocols', async () => {
    const { auth } = setUp()
    const token = await auth.createAccessToken('user-1')
    const request = new Request('http://localhost/', {
      headers: { 'sec-websocket-protocol': `bearer.${token}` },
    })
    expect(await codeOf(() => auth.authenticate(request))).toBe('token_missing')
    expect(await auth.authenticate(request, { locations: ['protocol'] })).toMatchObject({
      sub: 'user-1',
      iat: NOW,
    })
  })
})

describe('chooseProtocol', () => {
  it.each([
    [['tokenwright', 'bearer.x'], 'tokenwright'],
    [['bearer.x', 'chat'], 'chat'],
    [['BEARER.x', 'Bearer.y'], false],
    [['bearer', 'bearerx'], 'bearer'],
    [[], false],
  ] as const)('%j: %j', (offered, chosen) => {
    expect(chooseProtocol(new Set(offered))).toBe(chosen)
  })
})
