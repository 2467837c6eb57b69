/**
 * One tab against a real server: tokens attached and refreshed ahead and on refusal, once for any number of calls; lost answers,
 * a server that is down or busy, a network that is away, clocks that jump; and what is never done with a token.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { AuthClientError, createAuthClient, createSessionList } from '../../src/client.ts'
import { openDevice, openSignedIn } from './device.ts'
import { startOrigin } from './origin.ts'

const RIGHT = { username: 'ada', password: 'right' }

/** The three ways in which tokens travel. */
const WAYS = [
  { way: 'cookies', options: {}, client: {} },
  { way: 'refresh by cookie, access in memory', options: { cookies: { carry: ['refresh'] } }, client: {} },
  { way: 'bodies', options: {}, client: { delivery: 'body' } },
] as const

describe.each(WAYS)('tokens in $way', ({ options, client: settings }) => {
  const start = async () => {
    const origin = await startOrigin(options)
    const device = openDevice(origin)
    return { origin, device, auth: await openSignedIn(device, settings) }
  }

  it('attaches the token, on unsafe methods too', async () => {
    const { auth } = await start()
    expect((await auth.fetch('/protected')).status).toBe(200)
    const response = await auth.fetch('/protected', { method: 'POST', body: 'hello' })
    expect(await response.json()).toMatchObject({ body: 'hello' })
  })

  it('refreshes once for fifty calls whose token ended', async () => {
    const { auth, origin, device } = await start()
    await device.pass(150)
    const responses = await Promise.all(Array.from({ length: 50 }, () => auth.fetch('/protected')))
    expect(responses.map(({ status }) => status)).toEqual(Array(50).fill(200))
    expect(origin.count('/auth/refresh')).toBe(1)
    expect(origin.count('/protected')).toBe(50)
  })

  it('refreshes once for fifty calls that the server refuses, though the clock here says the token is good', async () => {
    const { auth, origin, device } = await start()
    device.drift(-3600)
    await device.pass(150)
    device.drift(-150)
    const responses = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        auth.fetch('/protected', { method: 'POST', body: `${index}` }),
      ),
    )
    const bodies = await Promise.all(
      responses.map(async (response) => ((await response.json()) as { body: string }).body),
    )
    expect(bodies).toEqual(Array.from({ length: 50 }, (_, index) => `${index}`))
    expect(origin.count('/auth/refresh')).toBe(1)
    expect(origin.count('/protected')).toBe(100)
  })

  it('refreshes ahead without holding the call up', async () => {
    const { auth, origin, device } = await start()
    await device.pass(92)
    let release: () => void = () => undefined
    const held = new Promise<undefined>((resolve) => {
      release = () => resolve(undefined)
    })
    origin.fault = ({ url }) => (url.endsWith('/auth/refresh') ? held : undefined)
    expect((await auth.fetch('/protected')).status).toBe(200)
    release()
    await expect.poll(() => auth.state.expiresAt).toBe(origin.now + 100)
    expect(auth.state.fresh).toBe(false)
    expect(origin.count('/auth/refresh')).toBe(1)
  })

  it('sends a lost refresh again, and goes on with the successor', async () => {
    const { auth, origin, device } = await start()
    for (const _ of [1, 2, 3]) {
      await device.pass(150)
      let lost = 0
      origin.fault = ({ url }) => (url.endsWith('/auth/refresh') && lost++ < 2 ? 'lost' : undefined)
      const call = auth.fetch('/protected')
      await expect.poll(() => lost).toBe(1)
      await expect.poll(async () => [await device.pass(0.5), lost][1]).toBe(2)
      await expect.poll(async () => [await device.pass(1), lost][1]).toBe(3)
      expect((await call).status).toBe(200)
    }
    expect(device.signedOut).toEqual([])
    expect(auth.state.status).toBe('signed-in')
  })

  it.each([
    [
      '503',
      () => Response.json({ code: 'store_unavailable' }, { status: 503, headers: { 'Retry-After': '7' } }),
    ],
    ['429', () => Response.json({ code: 'rate_limited' }, { status: 429, headers: { 'Retry-After': '7' } })],
  ])('is not signed out by %s, and asks again only when told', async (_, answer) => {
    const { auth, origin, device } = await start()
    await device.pass(150)
    origin.fault = ({ url }) => (url.endsWith('/auth/refresh') ? answer() : undefined)
    const before = origin.seen.length
    const calls = await Promise.allSettled(Array.from({ length: 50 }, () => auth.fetch('/protected')))
    const { code } = (await answer().json()) as { code: string }
    for (const call of calls) {
      expect(call).toMatchObject({
        status: 'rejected',
        reason: { code, status: answer().status, retryAfter: 7 },
      })
    }
    await device.pass(6.9)
    await expect(auth.fetch('/protected')).rejects.toMatchObject({ code })
    expect(origin.seen.slice(before)).toEqual(['POST /auth/refresh'])
    expect(device.signedOut).toEqual([])
    expect(auth.state.status).toBe('signed-in')
    origin.fault = () => undefined
    await device.pass(0.2)
    expect((await auth.fetch('/protected')).status).toBe(200)
  })

  it('a failure does not last when the clock is set back', async () => {
    const { auth, origin, device } = await start()
    await device.pass(150)
    origin.fault = () => new Response(null, { status: 502 })
    await expect(auth.fetch('/protected')).rejects.toMatchObject({ code: 'http_502', status: 502 })
    origin.fault = () => undefined
    device.drift(-3600)
    await expect(auth.refresh()).resolves.toBeUndefined()
  })

  it('is not signed out offline, and goes on when the network is back', async () => {
    const { auth, origin, device } = await start()
    await device.pass(150)
    device.offline = true
    const call = expect(auth.fetch('/protected')).rejects.toMatchObject({ code: 'unreachable', status: 0 })
    for (let round = 0; round < 10; round++) {
      await new Promise((resolve) => setImmediate(resolve))
      await device.pass(0.5)
    }
    await call
    expect(auth.state.status).toBe('signed-in')
    expect(origin.count('/auth/refresh')).toBe(0)
    device.offline = false
    await device.pass(1)
    expect((await auth.fetch('/protected')).status).toBe(200)
    expect(device.signedOut).toEqual([])
  })

  it('a token that still is good is used while no new one can be had', async () => {
    const { auth, origin, device } = await start()
    await device.pass(99)
    origin.fault = ({ url }) =>
      url.endsWith('/auth/refresh') ? new Response(null, { status: 500 }) : undefined
    expect((await auth.fetch('/protected')).status).toBe(200)
  })

  it('gives an auth route its time, and no more', async () => {
    const { auth, origin, device } = await start()
    await device.pass(150)
    origin.fault = ({ url }) => (url.endsWith('/auth/refresh') ? new Promise(() => undefined) : undefined)
    const call = expect(auth.fetch('/protected')).rejects.toMatchObject({ code: 'unreachable' })
    for (const tries of [1, 2, 3]) {
      await expect.poll(() => origin.count('/auth/refresh')).toBe(tries)
      await device.pass(10)
      await new Promise((resolve) => setTimeout(resolve, 20))
      await device.pass(1)
    }
    await call
  })

  it('signs out once when the session is over, and every waiting call is told so', async () => {
    const { auth, origin, device } = await start()
    await origin.auth.revokeSubject('ada')
    const calls = await Promise.allSettled(Array.from({ length: 50 }, () => auth.fetch('/protected')))
    for (const call of calls) {
      expect(call).toMatchObject({ reason: { code: 'signed_out', status: 401 } })
    }
    await expect.poll(() => device.signedOut).toEqual(['session_revoked'])
    expect(origin.count('/auth/refresh')).toBe(1)
    expect(auth.state).toEqual({ status: 'signed-out', expiresAt: null, fresh: false, login: null })
    // Signed out, calls go without a token, and a refusal is an answer like any other.
    expect((await auth.fetch('/protected')).status).toBe(401)
    expect(origin.count('/auth/refresh')).toBe(1)
    expect(device.signedOut).toHaveLength(1)
  })

  it('goes on refreshing no token that is refused however new it is', async () => {
    const { auth, origin } = await start()
    const refused = () => Response.json({ code: 'token_expired' }, { status: 401 })
    origin.fault = ({ url }) => (url.endsWith('/protected') ? refused() : undefined)
    expect((await auth.fetch('/protected')).status).toBe(401)
    expect([origin.count('/auth/refresh'), origin.count('/protected')]).toEqual([1, 2])
  })

  it('a 401 that is not ours signs no user out, neither from a route nor from the refresh', async () => {
    const { auth, origin, device } = await start()
    expect((await auth.fetch('/foreign-401')).status).toBe(401)
    expect(origin.count('/auth/refresh')).toBe(0)
    await device.pass(150)
    origin.fault = () => new Response('<h1>Login to the hotel</h1>', { status: 401 })
    await expect(auth.fetch('/protected')).rejects.toMatchObject({ code: 'http_401' })
    origin.fault = () => new Response('<h1>Welcome to the hotel</h1>')
    await device.pass(1)
    await expect(auth.fetch('/protected')).rejects.toMatchObject({ code: 'response_invalid' })
    expect(device.signedOut).toEqual([])
  })

  it('logs out at the server and here; not when the server cannot be asked', async () => {
    const { auth, origin, device } = await start()
    device.offline = true
    await expect(auth.logout()).rejects.toMatchObject({ code: 'unreachable' })
    expect(auth.state.status).toBe('signed-in')
    device.offline = false
    await auth.logout()
    await expect.poll(() => device.signedOut).toEqual(['logout'])
    expect(await origin.auth.sessions.list('ada')).toEqual([])
    expect([...device.jar]).toEqual([])
    expect([...device.storage.values()].join('')).toBe('delivery' in settings ? '' : '{"reason":"logout"}')
    // Nobody is signed out who was not in.
    await auth.logout()
    expect(device.signedOut).toHaveLength(1)
  })

  it('lists and ends sessions', async () => {
    const { auth, device, origin } = await start()
    await openSignedIn(openDevice(origin), settings)
    const sessions = createSessionList(auth)
    const listed = await sessions.list()
    expect(listed.map(({ current }) => current).sort()).toEqual([false, true])
    await sessions.endOthers()
    const [own, ...others] = await sessions.list()
    expect(others).toEqual([])
    await sessions.end(own!.id)
    await expect(auth.fetch('/protected')).rejects.toMatchObject({ code: 'signed_out' })
    expect(device.signedOut).toHaveLength(1)
    await expect(sessions.list()).rejects.toMatchObject({ code: 'token_missing', status: 401 })
  })

  it('rejects a wrong password with the code of the server', async () => {
    const { auth } = await start()
    const error = await auth.login({ username: 'ada', password: 'wrong' }).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(AuthClientError)
    expect(error).toMatchObject({
      code: 'credentials_invalid',
      status: 401,
      message: 'Bad username or password',
    })
    expect(auth.state.status).toBe('signed-in')
  })

  it('sends a stream once only', async () => {
    const { auth, origin, device } = await start()
    const stream = () => new Blob(['long']).stream()
    const post = (path: string) =>
      auth.fetch(path, { method: 'POST', body: stream(), duplex: 'half' } as RequestInit)
    await device.pass(150)
    expect(await (await post('/protected')).json()).toMatchObject({ body: 'long' })
    device.drift(-3600)
    await device.pass(150)
    const before = origin.count('/protected')
    expect((await post('/protected')).status).toBe(401)
    expect(origin.count('/protected')).toBe(before + 1)
    // The refusal was not for nothing: the next one finds a good token.
    expect((await post('/protected')).status).toBe(200)
  })

  it('sends a Request again, with its body', async () => {
    const { auth, origin, device } = await start()
    device.drift(-3600)
    await device.pass(150)
    const request = new Request(`${origin.url}/protected`, { method: 'PUT', body: 'whole' })
    expect(await (await auth.fetch(request)).json()).toMatchObject({ body: 'whole' })
    expect(origin.count('/protected')).toBe(2)
  })

  it('keeps what belongs between page loads, and no token where none was asked for', async () => {
    const { auth, origin, device } = await start()
    const kept = [...device.storage.values()].join()
    expect(kept).not.toMatch(/eyJ/)
    const reloaded = device.open(settings)
    await expect.poll(() => reloaded.state.status).not.toBe('unknown')
    if ('delivery' in settings) return expect(reloaded.state.status).toBe('signed-out')
    expect(reloaded.state).toMatchObject({ status: 'signed-in', login: auth.state.login })
    const inMemory = 'cookies' in options
    auth.close()
    await device.pass(10)
    expect((await reloaded.fetch('/protected', { method: 'POST' })).status).toBe(200)
    expect(origin.count('/auth/refresh')).toBe(inMemory ? 1 : 0)
    expect(origin.count('/protected')).toBe(1)
  })
})

describe('a refresh token that a cookie client gets in a body', () => {
  it('is kept nowhere', async () => {
    const origin = await startOrigin({ cookies: { carry: ['access'] } })
    const device = openDevice(origin)
    await openSignedIn(device)
    expect([...device.storage.values()].join()).toContain('expiresAt')
    expect([...device.storage.values()].join()).not.toMatch(/eyJ/)
  })
})

describe('an API on another origin', () => {
  it('is sent the CSRF value of its own responses, not what another server left in the cookies of this page', async () => {
    const origin = await startOrigin()
    const device = openDevice(origin)
    const cookies = () => '__Host-csrf_token=of-the-page'
    const platform = { location: 'https://page.example/', cookies }
    const auth = await openSignedIn(device, { baseUrl: origin.url, platform })
    expect((await auth.fetch('/protected', { method: 'POST' })).status).toBe(200)
    auth.close()
    await device.pass(10)
    const reloaded = device.open({ baseUrl: origin.url, platform })
    expect((await reloaded.fetch('/protected', { method: 'POST' })).status).toBe(200)
  })
})

describe('a client that a server creates while it renders a page', () => {
  it('is made without `baseUrl`, and sends nothing anywhere', async () => {
    const sent: string[] = []
    const client = createAuthClient({
      platform: {
        fetch: async (input) => {
          sent.push(new URL((input as Request).url).hostname)
          throw new TypeError('fetch failed')
        },
      },
    })
    expect(client.state.status).toBe('unknown')
    await expect(client.login({ username: 'a', password: 'b' })).rejects.toMatchObject({
      code: 'unreachable',
    })
    expect(new Set(sent)).toEqual(new Set(['missing.invalid']))
  })
})

describe('tokens in bodies', () => {
  it('are kept only in the storage that was named, and shared through it', async () => {
    const origin = await startOrigin()
    const device = openDevice(origin)
    const storage = {
      map: new Map<string, string>(),
      getItem: async (key: string) => storage.map.get(key) ?? null,
      setItem: async (key: string, value: string) => void storage.map.set(key, value),
      removeItem: async (key: string) => void storage.map.delete(key),
    }
    const settings = { delivery: 'body', storage } as const
    const [one, two] = [await openSignedIn(device, settings), device.open(settings)]
    expect([...storage.map.values()].join().match(/eyJ[^"]*/g)).toHaveLength(1)
    await device.pass(150)
    expect((await two.fetch('/protected')).status).toBe(200)
    expect((await one.fetch('/protected')).status).toBe(200)
    expect(origin.count('/auth/refresh')).toBe(1)
    await device.pass(150)
    expect((await one.fetch('/protected')).status).toBe(200)
    await two.logout()
    expect(storage.map.size).toBe(0)
    expect(device.storage.size).toBe(0)
  })

  it('need no browser at all', async () => {
    const origin = await startOrigin()
    const auth = createAuthClient({ baseUrl: origin.url, platform: { now: () => origin.now } })
    await auth.login(RIGHT)
    expect(await auth.getToken()).toMatch(/^eyJ/)
    origin.now += 150
    expect((await auth.fetch('/protected')).status).toBe(200)
    await auth.logout()
    expect(await auth.getToken()).toBeNull()
    expect(() => createAuthClient({ baseUrl: 'no address' })).toThrow(TypeError)
  })
})

describe('a token', () => {
  /** Another origin, which writes down what it is sent. */
  async function startForeign() {
    const seen: (string | undefined)[] = []
    const server = createServer((request, response) => {
      seen.push(request.headers.authorization ?? (request.headers['x-csrf-token'] as string | undefined))
      response.end('{}')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    return { seen, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
  }

  it('goes to the origin of `baseUrl` only, also over a redirect', async () => {
    const [origin, foreign] = [await startOrigin(), await startForeign()]
    const auth = createAuthClient({ baseUrl: origin.url, platform: { now: () => origin.now } })
    await auth.login(RIGHT)
    await auth.fetch(`${foreign.url}/protected`)
    await auth.fetch(new URL(`${foreign.url}/protected`), { method: 'POST' })
    await auth.fetch(new Request(`${foreign.url}/protected`))
    await auth.fetch(`//${new URL(foreign.url).host}/protected`)
    origin.fault = () => Response.redirect(`${foreign.url}/`, 307)
    await auth.fetch('/protected')
    expect(foreign.seen).toEqual([undefined, undefined, undefined, undefined, undefined])
  })

  it('and a password follow no redirect of an auth route', async () => {
    const [origin, foreign] = [await startOrigin(), await startForeign()]
    const auth = createAuthClient({ baseUrl: origin.url, platform: { now: () => origin.now } })
    origin.fault = () => Response.redirect(`${foreign.url}/`, 307)
    await expect(auth.login(RIGHT)).rejects.toMatchObject({ code: 'unreachable' })
    expect(foreign.seen).toEqual([])
  })

  it('of the caller’s own is left alone', async () => {
    const origin = await startOrigin()
    const auth = createAuthClient({ baseUrl: origin.url, platform: { now: () => origin.now } })
    await auth.login(RIGHT)
    const response = await auth.fetch('/open', { headers: { Authorization: 'Bearer other' } })
    expect(await response.json()).toMatchObject({ token: 'Bearer other' })
  })
})
