/**
 * Requests through real nginx, with the configuration of the example and `auth_request`: what
 * reaches the application, and what reaches the client.
 */
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { guards } from '../../../src/adapters/fetch.ts'
import { forwardAuth } from '../../../src/adapters/forward-auth.ts'
import { type FetchHandler, toNodeHandler } from '../../../src/adapters/node.ts'
import { createAuth } from '../../../src/index.ts'
import { authRoutes } from '../../../src/routes.ts'
import { SECRET } from '../../token/forge.ts'
import { HAS_NGINX, type Nginx, startNginx } from './nginx.ts'

let isDown = false
const auth = createAuth({
  secret: SECRET,
  locations: ['header', 'cookie', 'query'],
  isRevoked() {
    if (isDown) throw new Error('the blocklist is down')
    return false
  },
})
const verify = forwardAuth(auth, {
  proxy: 'nginx',
  trusted: ['127.0.0.1'],
  preflights: true,
  requirements: { admin: { scopes: ['admin'] } },
})
const login = authRoutes(auth, {
  verifyCredentials: ({ username }) => ({ subject: username }),
  throttle: false,
})
/** A route as it stood before: a guard, which sees the request of the proxy alone. */
const naive = guards(auth).access()(
  (_request, { sub }) => new Response(null, { headers: { 'X-Auth-Subject': encodeURIComponent(sub) } }),
)

/** What reached the application. */
let seen: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[] = []
let respondVerify: FetchHandler = verify
const cleanUps: (() => unknown)[] = []
let nginx: Nginx

async function listen(handler: RequestListener): Promise<number> {
  const server = createServer(handler)
  server.on('upgrade', (req, socket) => {
    seen.push({ method: req.method ?? '', url: req.url ?? '', headers: req.headers, body: '' })
    socket.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanUps.push(() => server.close().closeAllConnections())
  return (server.address() as AddressInfo).port
}

describe.skipIf(!HAS_NGINX)('nginx, auth_request', () => {
  beforeAll(async () => {
    const app = await listen(async (req, res) => {
      const { method = '', url = '', headers } = req
      seen.push({ method, url, headers, body: await text(req) })
      res.end('the application')
    })
    const authPort = await listen(
      toNodeHandler((request, info) =>
        new URL(request.url).pathname.startsWith('/auth/')
          ? login(request, info)
          : respondVerify(request, info),
      ),
    )
    nginx = await startNginx({ auth: authPort, app })
    cleanUps.push(nginx.close)
  })
  beforeEach(() => {
    seen = []
    isDown = false
    respondVerify = verify
  })
  afterAll(async () => {
    for (const cleanUp of cleanUps.reverse()) await cleanUp()
  })

  const bearer = async (subject: string, scopes: readonly string[] = []) => ({
    Authorization: `Bearer ${await auth.createAccessToken(subject, { scopes })}`,
  })
  const send = (path: string, init: RequestInit = {}) =>
    fetch(`${nginx.origin}${path}`, { redirect: 'manual', ...init })
  /** The cookies of a login, and the CSRF value among them. */
  async function signIn(subject: string) {
    const lines = auth.cookies(await auth.createTokenPair(subject))
    const cookie = lines.map((line) => line.split(';', 1)[0]).join('; ')
    return { cookie, csrf: /csrf_token=([^;]+)/.exec(cookie)?.[1] ?? '' }
  }

  it('passes a request on with its user, and the method, target and body of the client', async () => {
    const headers = await bearer('alice', ['read', 'a,b'])
    const response = await send('/app/notes?a=b', { method: 'POST', headers, body: 'hello' })
    expect([response.status, await response.text()]).toEqual([200, 'the application'])
    expect(seen).toMatchObject([
      {
        method: 'POST',
        url: '/app/notes?a=b',
        body: 'hello',
        headers: { 'x-auth-subject': 'alice', 'x-auth-scopes': 'read a%2Cb' },
      },
    ])
  })

  it('passes on no header of the client that an application could take for one of ours', async () => {
    const names = ['X-Auth-Subject', 'X_Auth_Subject', 'X.Auth.Subject', 'X-Auth_Subject']
    const forged = Object.fromEntries(names.map((name) => [name, 'admin']))
    await send('/app/notes', { headers: { ...forged, ...(await bearer('alice')) } })
    const alike = Object.entries(seen[0]?.headers ?? {}).filter(([name]) => /^x.auth.subject$/.test(name))
    expect(alike).toEqual([['x-auth-subject', 'alice']])
  })

  it('passes a large body on where its location takes one, and asks before that', async () => {
    const body = 'x'.repeat(2 * 1024 * 1024)
    const response = await send('/app/notes', { method: 'POST', headers: await bearer('alice'), body })
    expect(response.status).toBe(200)
    expect(seen.map((request) => request.body.length)).toEqual([body.length])
    const admin = await send('/app/admin/notes', { method: 'POST', headers: await bearer('alice'), body })
    expect(await admin.json()).toMatchObject({ code: 'scope_missing' })
    expect(seen).toHaveLength(1)
  })

  it('refuses with the challenge and the body of every other adapter', async () => {
    const response = await send('/app/notes')
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Bearer')
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(await response.json()).toMatchObject({ code: 'token_missing', error_type: 'MissingTokenError' })
    const bad = await send('/app/notes', { headers: { Authorization: 'Bearer x.y.z' } })
    expect(bad.headers.get('www-authenticate')).toMatch(/^Bearer error="invalid_token"/)
    expect(await bad.json()).toMatchObject({ code: 'token_malformed' })
    expect(seen).toEqual([])
  })

  it('requires of each location what its name says, whatever the client asks for', async () => {
    const plain = await send('/app/admin/x?requirement=&name=', { headers: await bearer('alice') })
    expect(plain.status).toBe(403)
    expect(plain.headers.get('www-authenticate')).toMatch(/error="insufficient_scope".*scope="admin"/)
    expect(await plain.json()).toMatchObject({ code: 'scope_missing' })
    expect((await send('/app/admin/x', { headers: await bearer('root', ['admin']) })).status).toBe(200)
    expect(seen).toHaveLength(1)
  })

  it('passes on no X-Auth header of the client, with or without a check', async () => {
    const spoofed = { 'X-Auth-Subject': 'root', 'X-Auth-Scopes': 'admin', 'X-Auth-Status': '200' }
    await send('/app/notes', { headers: { ...spoofed, ...(await bearer('alice')) } })
    expect(seen[0]?.headers).toMatchObject({ 'x-auth-subject': 'alice' })
    expect(seen[0]?.headers).not.toHaveProperty('x-auth-scopes')
    expect((await send('/app/notes', { headers: spoofed })).status).toBe(401)
  })

  it.each([
    ['text', 'Zoë Müller', 'Zo%C3%AB%20M%C3%BCller'],
    ['line breaks', 'alice\r\nX-Auth-Scopes: admin', 'alice%0D%0AX-Auth-Scopes:%20admin'],
    ['a list', 'alice, root', 'alice%2C%20root'],
    ['escapes', 'a%0Ab', 'a%250Ab'],
    ['controls', '\x01\x1f\x7f\x80', '%01%1F%7F%C2%80'],
  ])('writes a subject of %s so that it is one header value', async (_name, subject, written) => {
    expect((await send('/app/', { headers: await bearer(subject) })).status).toBe(200)
    expect(seen[0]?.headers['x-auth-subject']).toBe(written)
    expect(decodeURIComponent(written)).toBe(subject)
    expect(seen[0]?.headers).not.toHaveProperty('x-auth-scopes')
  })

  describe('a request by cookie', () => {
    const forged = { Origin: 'https://evil.example', 'Sec-Fetch-Site': 'cross-site' }

    it('passed when a page of another site sent it, before the method was told', async () => {
      respondVerify = (request) => naive(request)
      const { cookie } = await signIn('alice')
      await send('/app/transfer', { method: 'POST', headers: { cookie, ...forged }, body: 'to=mallory' })
      expect(seen).toMatchObject([{ method: 'POST', body: 'to=mallory' }])
    })

    it.each(['POST', 'PUT', 'PATCH', 'DELETE'])('is refused when another site sent a %s', async (method) => {
      const { cookie, csrf } = await signIn('alice')
      const response = await send('/app/transfer', {
        method,
        headers: { cookie, ...forged, 'X-CSRF-Token': csrf },
      })
      expect([response.status, (await response.json()) as object]).toMatchObject([
        403,
        { code: 'csrf_mismatch' },
      ])
      const without = await send('/app/transfer', { method, headers: { cookie } })
      expect([without.status, (await without.json()) as object]).toMatchObject([
        403,
        { code: 'csrf_missing' },
      ])
      expect(seen).toEqual([])
    })

    it.each([
      { 'X-Forwarded-Method': 'GET' },
      { 'X-Original-Method': 'GET' },
      { 'X-HTTP-Method-Override': 'GET' },
      { 'X-Forwarded-Host': 'evil.example', 'X-Forwarded-Proto': 'https' },
    ])('is refused whatever the client says of itself: %o', async (extra) => {
      const { cookie } = await signIn('alice')
      const headers = { cookie, Origin: 'https://evil.example', ...(extra as Record<string, string>) }
      expect((await send('/app/transfer', { method: 'POST', headers })).status).toBe(403)
      expect(seen).toEqual([])
    })

    it('passes when the own page sent it', async () => {
      const { cookie, csrf } = await signIn('alice')
      const headers = { cookie, Origin: nginx.origin, 'X-CSRF-Token': csrf }
      expect((await send('/app/transfer', { method: 'POST', headers })).status).toBe(200)
      expect((await send('/app/notes', { headers: { cookie } })).status).toBe(200)
      expect((await send('/app/notes', { method: 'HEAD', headers: { cookie } })).status).toBe(200)
      expect(seen.map(({ method }) => method)).toEqual(['POST', 'GET', 'HEAD'])
    })

    it('is refused when the origin has another scheme than the page that nginx serves', async () => {
      const { cookie, csrf } = await signIn('alice')
      const Origin = nginx.origin.replace('http:', 'https:')
      const headers = { cookie, Origin, 'X-CSRF-Token': csrf }
      expect((await send('/app/transfer', { method: 'POST', headers })).status).toBe(403)
    })

    it('opens a WebSocket for a page of the own origin alone', async () => {
      const { cookie } = await signIn('alice')
      expect(await upgrade({ cookie, Origin: 'https://evil.example' })).toMatch(/^HTTP\/1\.1 403 /)
      expect(seen).toEqual([])
      expect(await upgrade({ cookie, Origin: nginx.origin })).toMatch(/^HTTP\/1\.1 101 /)
      expect(seen[0]?.headers).toMatchObject({ 'x-auth-subject': 'alice', upgrade: 'websocket' })
    })

    /** Sends a handshake; resolves to the head of the response. */
    function upgrade(headers: Record<string, string>): Promise<string> {
      const { hostname, port, host } = new URL(nginx.origin)
      const fixed = { Host: host, Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': '13' }
      const all = { ...fixed, 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', ...headers }
      const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
      return new Promise((resolve, reject) => {
        const socket = connect({ host: hostname, port: Number(port) })
        socket.once('error', reject)
        socket.once('data', (data) => {
          resolve(String(data))
          socket.destroy()
        })
        socket.write(`GET /app/socket HTTP/1.1\r\n${lines.join('')}\r\n`)
      })
    }
  })

  it('finds a token in the query of the client', async () => {
    const token = await auth.createAccessToken('alice')
    expect((await send(`/app/notes?access_token=${token}`)).status).toBe(200)
    expect(seen[0]?.headers['x-auth-subject']).toBe('alice')
  })

  it('lets a preflight pass, without a user', async () => {
    const headers = {
      Origin: 'https://app.example',
      'Access-Control-Request-Method': 'POST',
      'X-Auth-Subject': 'root',
    }
    expect((await send('/app/notes', { method: 'OPTIONS', headers })).status).toBe(200)
    expect(seen[0]?.headers).not.toHaveProperty('x-auth-subject')
    expect((await send('/app/notes', { method: 'OPTIONS' })).status).toBe(401)
  })

  it('turns no refusal into a 500: an ambiguous request is a 400, an outage a 503', async () => {
    const headers = await bearer('alice')
    const two = await send(`/app/?access_token=${headers.Authorization.slice(7)}`, { headers })
    expect(two.headers.get('www-authenticate')).toMatch(/error="invalid_request"/)
    expect([two.status, (await two.json()) as object]).toMatchObject([400, { code: 'request_invalid' }])
    isDown = true
    const down = await send('/app/', { headers })
    expect([down.status, (await down.json()) as object]).toMatchObject([503, { code: 'store_unavailable' }])
    expect(down.headers.get('retry-after')).toBe('1')
    expect(down.headers.get('www-authenticate')).toBeNull()
    expect(seen).toEqual([])
  })

  it('passes nothing on when the process behind /verify is gone or fails', async () => {
    for (const fail of [
      () => new Response(null, { status: 500 }),
      () => new Response(null, { status: 302 }),
    ]) {
      respondVerify = fail
      const response = await send('/app/', { headers: await bearer('alice') })
      expect([response.status, (await response.json()) as object]).toMatchObject([
        503,
        { code: 'store_unavailable' },
      ])
    }
    expect(seen).toEqual([])
  })

  it('keeps the longest identity that it takes within the buffer of nginx', async () => {
    const fits = await send('/app/', { headers: await bearer('ü'.repeat(500)) })
    expect(fits.status).toBe(200)
    const long = await send('/app/', { headers: await bearer('ü'.repeat(600)) })
    expect([long.status, (await long.json()) as object]).toMatchObject([403, { code: 'identity_too_long' }])
    expect(seen).toHaveLength(1)
  })

  it('leaves login to the routes, and shows no one the check itself', async () => {
    const response = await send('/auth/login', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ username: 'alice', password: 'x', delivery: 'body' }),
    })
    expect(response.status).toBe(200)
    for (const path of ['/_verify', '/_verify_admin', '/verify'])
      expect((await send(path, { headers: await bearer('alice') })).status).toBe(404)
  })
})
