/**
 * What people expect of a client: events by name, `ready`, tokens that last long enough, headers for
 * what is no fetch, a base path, and a word when the browser keeps no cookies.
 */
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  type AuthClient,
  type AuthClientError,
  type AuthClientOptions,
  createAuthClient,
} from '../../src/client.ts'
import { openDevice, openSignedIn } from './device.ts'
import { startOrigin } from './origin.ts'

const ADA = { username: 'ada', password: 'right' }
const WAYS = [
  { way: 'cookies', options: {}, client: {} },
  { way: 'refresh by cookie, access in memory', options: { cookies: { carry: ['refresh'] } }, client: {} },
  { way: 'bodies', options: {}, client: { delivery: 'body' } },
] as const

/** Writes down the events of a client. */
function listen(auth: AuthClient) {
  const heard: unknown[] = []
  auth.on('signed-in', ({ status }) => heard.push(`signed-in ${status}`))
  auth.on('refreshed', ({ fresh }) => heard.push(`refreshed ${fresh}`))
  auth.on('refresh-failed', ({ code }) => heard.push(`refresh-failed ${code}`))
  auth.on('signed-out', (reason) => heard.push(`signed-out ${reason}`))
  auth.on('step-up', ({ maxAge }) => heard.push(`step-up ${maxAge}`))
  return heard
}

describe.each(WAYS)('tokens in $way', ({ options, client: settings }) => {
  const start = async (more: AuthClientOptions = {}) => {
    const origin = await startOrigin(options)
    const device = openDevice(origin)
    const auth = device.open({ ...settings, ...more })
    return { origin, device, auth, heard: listen(auth) }
  }

  it('events tell what happens, by name', async () => {
    const { origin, device, auth, heard } = await start({ onStepUp: () => auth.stepUp('right') })
    await auth.login(ADA)
    await auth.refresh()
    await auth.fetch('/sensitive')
    origin.fault = ({ url }) => (url.endsWith('/refresh') ? new Response(null, { status: 502 }) : undefined)
    await device.pass(150)
    await auth.fetch('/protected').catch(() => undefined)
    origin.fault = () => undefined
    await auth.refresh()
    await auth.logout()
    expect(heard).toEqual([
      'signed-in signed-in',
      'refreshed false',
      'step-up 100',
      'refreshed true',
      'refresh-failed http_502',
      'refreshed false',
      'signed-out logout',
    ])
  })

  it('a login and a step-up take any proof, in one request or several', async () => {
    const { auth, origin } = await start()
    const first = await auth
      .login({ username: 'careful', password: 'right' })
      .catch((error: unknown) => error)
    expect(first).toMatchObject({ code: 'proof_required', next: { methods: ['totp'] } })
    const { continuation } = first as AuthClientError
    await expect(auth.login({ code: '000000', continuation })).rejects.toMatchObject({
      code: 'credentials_invalid',
    })
    await auth.login({ code: '123456', continuation })
    expect(auth.state).toMatchObject({ status: 'signed-in', fresh: true })
    await auth.refresh()
    await expect(auth.stepUp({ code: '000000' })).rejects.toMatchObject({ code: 'credentials_invalid' })
    await auth.stepUp({ code: '123456' })
    expect(auth.state.fresh).toBe(true)
    expect((await auth.fetch('/sensitive')).status).toBe(200)
    expect(origin.count('/auth/step-up')).toBe(2)
  })

  it('tokens of a route of the application are adopted, fresh as they are', async () => {
    const { auth, origin, device } = await start()
    const response = await device.platform.fetch?.(
      new Request(`${origin.url}/auth/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...ADA, delivery: 'delivery' in settings ? settings.delivery : 'cookie' }),
      }),
    )
    await auth.adopt(((await response?.json()) ?? {}) as object)
    expect(auth.state).toMatchObject({ status: 'signed-in', fresh: true })
    const before = origin.seen.length
    expect((await auth.fetch('/sensitive')).status).toBe(200)
    expect(origin.seen.slice(before)).not.toContain('POST /auth/refresh')
  })

  it('a listener that has left is called no more, and an error of one stops nothing', async () => {
    const { auth } = await start()
    const heard: string[] = []
    const uncaught: unknown[] = []
    const queue = vi.spyOn(globalThis, 'queueMicrotask').mockImplementation((run) => {
      void Promise.resolve()
        .then(run)
        .catch((error: unknown) => uncaught.push(error))
    })
    onTestFinished(() => queue.mockRestore())
    const leave = auth.on('signed-in', () => heard.push('one'))
    auth.on('signed-in', () => {
      throw new Error('broken')
    })
    auth.on('signed-in', () => heard.push('two'))
    await auth.login(ADA)
    await expect.poll(() => heard).toEqual(['one', 'two'])
    leave()
    await auth.login({ ...ADA, username: 'eve' })
    await expect.poll(() => heard).toEqual(['one', 'two', 'two'])
    expect(uncaught).toHaveLength(2)
  })

  it('a token lasts as long as it is asked to, if it can', async () => {
    const { origin, device, auth } = await start()
    await auth.login(ADA)
    await device.pass(30)
    await auth.getToken({ minValidity: 60 })
    expect(origin.count('/auth/refresh')).toBe(0)
    await auth.getToken({ minValidity: 80 })
    expect(origin.count('/auth/refresh')).toBe(1)
    expect(auth.state.expiresAt).toBe(origin.now + 100)
    // Longer than any token lives: one refresh, and what there is.
    await auth.getToken({ minValidity: 1000 })
    expect(origin.count('/auth/refresh')).toBe(2)
    origin.fault = () => new Response(null, { status: 503 })
    await device.pass(30)
    await expect(auth.getToken({ minValidity: 80 })).rejects.toMatchObject({ code: 'http_503' })
    await expect(auth.getToken({ minValidity: 10 })).resolves.not.toThrow()
  })

  it('headers are those of a request with that method', async () => {
    const { origin, device, auth } = await start()
    expect(await auth.headers('POST')).toEqual({})
    await auth.login(ADA)
    for (const method of ['GET', 'POST']) {
      const cookie = [...device.jar].map(([name, value]) => `${name}=${value}`).join('; ')
      const headers = { ...(await auth.headers(method)), ...(!('delivery' in settings) && { cookie }) }
      const response = await fetch(`${origin.url}/protected`, { method, headers })
      expect([method, response.status]).toEqual([method, 200])
    }
    await device.pass(150)
    await auth.headers()
    expect(origin.count('/auth/refresh')).toBe(1)
  })

  it('a call may do without a step-up', async () => {
    let asked = 0
    const { auth } = await start({ onStepUp: () => ++asked > 9 })
    await auth.login(ADA)
    await auth.refresh()
    const response = await auth.fetch('/sensitive', { stepUp: false })
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([
      401,
      'fresh_token_required',
    ])
    expect(asked).toBe(0)
  })

  it('the login returns what the server says, without tokens', async () => {
    const { auth } = await start()
    const body = await auth.login(ADA)
    expect(body).toMatchObject({ token_type: 'bearer', expires_in: 100 })
    expect(JSON.stringify(body)).not.toMatch(/eyJ/)
  })

  it('debug prints each decision in one line, without a token', async () => {
    const lines: string[] = []
    const print = vi.spyOn(console, 'info').mockImplementation((...words) => void lines.push(words.join(' ')))
    onTestFinished(() => print.mockRestore())
    const { device, auth } = await start({ debug: true, onStepUp: () => auth.stepUp('right') })
    await auth.login(ADA)
    device.drift(-3600)
    await device.pass(150)
    await auth.fetch('/protected?secret=1')
    await auth.fetch('/sensitive')
    device.tell('focus')
    await auth.logout()
    const text = lines.join('\n')
    for (const word of [
      '/login 200',
      'GET /protected token_expired',
      '/refresh 200',
      'fresh_token_required',
      'looks again: focus',
      'signed-out logout',
    ])
      expect(text).toContain(word)
    expect(text).not.toMatch(/eyJ|secret/)
    const [csrf = 'none'] = [...device.jar.values()]
    expect(text).not.toContain(csrf)
    expect(lines.every((line) => !line.includes('\n'))).toBe(true)
  })

  it('is found ready after a reload', async () => {
    const { device, auth } = await start()
    await auth.login(ADA)
    const next = device.open({ ...settings })
    const heard = listen(next)
    const isIn = !('delivery' in settings)
    expect(await next.ready).toBe(next.state)
    expect(next.state.status).toBe(isIn ? 'signed-in' : 'signed-out')
    expect(heard).toEqual(isIn ? ['signed-in signed-in'] : [])
  })

  it('coming online and a refresh by hand ask at once, whatever was said before', async () => {
    const { origin, device, auth } = await start()
    await auth.login(ADA)
    await device.pass(150)
    const busy = () => new Response(null, { status: 503, headers: { 'Retry-After': '50' } })
    origin.fault = ({ url }) => (url.endsWith('/refresh') ? busy() : undefined)
    await expect(auth.fetch('/protected')).rejects.toMatchObject({ code: 'http_503' })
    origin.fault = () => undefined
    await expect(auth.fetch('/protected')).rejects.toMatchObject({ code: 'http_503' })
    device.tell('online')
    expect((await auth.fetch('/protected')).status).toBe(200)
  })

  it('a server that is slow for long ends no session, and is waited for', async () => {
    const { origin, device, auth } = await start()
    await auth.login(ADA)
    await device.pass(150)
    origin.fault = async ({ url }) => {
      const due = origin.now + 12
      if (url.endsWith('/refresh'))
        while (origin.now < due) await new Promise((resolve) => setTimeout(resolve, 2))
      return undefined
    }
    const slowly = async (call: Promise<unknown>) => {
      let isOver = false
      call.then(
        () => (isOver = true),
        () => (isOver = true),
      )
      for (let round = 0; round < 400 && !isOver; round++) {
        await new Promise((resolve) => setTimeout(resolve, 10))
        await device.pass(0.5)
      }
    }
    const first = auth.fetch('/protected')
    await slowly(first)
    await expect(first).rejects.toMatchObject({ code: 'unreachable' })
    await device.pass(2)
    const second = auth.fetch('/protected')
    await slowly(second)
    expect((await second).status).toBe(200)
    expect(device.signedOut).toEqual([])
    origin.fault = () => undefined
    await auth.refresh()
    expect(auth.state.status).toBe('signed-in')
  })

  it.each([-86_400, 86_400, 40 * 365 * 86_400])(
    'a clock that is set by %i s costs a refresh at most',
    async (change) => {
      const { origin, device, auth } = await start()
      await auth.login(ADA)
      device.drift(change)
      for (const event of ['focus', 'online']) device.tell(event)
      expect((await auth.fetch('/protected')).status).toBe(200)
      device.drift(-change)
      expect((await auth.fetch('/protected', { method: 'POST' })).status).toBe(200)
      await device.pass(150)
      expect((await auth.fetch('/protected')).status).toBe(200)
      expect(origin.count('/auth/refresh')).toBeLessThan(4)
      expect(device.signedOut).toEqual([])
    },
  )
})

describe('cookies that the browser does not keep are told at the login', () => {
  const FOREIGN = { location: 'https://page.example/', cookies: (): string => '' }
  const HTTPS = { location: 'https://app.example.com/' }
  it.each<[string, AuthClientOptions['platform'], string | undefined]>([
    ['over HTTP', {}, 'http'],
    ['of another site', { location: 'https://page.example.org/', cookies: () => '' }, 'third-party'],
    ['in a frame', { ...HTTPS, isFramed: true }, 'third-party'],
    ['of a sibling', { location: 'https://www.example.com/', cookies: () => '' }, 'domain'],
    ['of a wrong domain', HTTPS, 'domain'],
  ])('%s', async (_, platform, cause) => {
    const origin = await startOrigin()
    const device = openDevice(origin)
    device.refusesCookies = true
    const outer = { ...platform }
    const isHttps = cause !== 'http'
    const client = device.open(
      isHttps
        ? {
            baseUrl: 'https://app.example.com',
            platform: {
              ...outer,
              fetch: async (input) => {
                const request = input as Request
                const target = request.url.replace('https://app.example.com', origin.url)
                const { method, headers } = request
                const body = method === 'POST' ? await request.text() : null
                return fetch(target, { method, headers, body })
              },
            },
          }
        : {},
    )
    const refused = client.login(ADA)
    await expect(refused).rejects.toMatchObject({ code: 'cookies_refused', cause })
    await expect(refused).rejects.toThrow(`${cause}`)
    expect(client.state.status).not.toBe('signed-in')
  })

  it.each([
    ['of an API on another origin', {}, FOREIGN],
    ['without CSRF values', { csrf: 'origin' }, {}],
    ['with a CSRF cookie of another name', {}, { cookies: (): string => '' }],
  ] as const)('and those that it keeps are not: %s', async (_, options, platform) => {
    const origin = await startOrigin(options)
    const auth = await openSignedIn(openDevice(origin), { baseUrl: origin.url, platform })
    expect(auth.state.status).toBe('signed-in')
    expect((await auth.fetch('/protected', { method: 'POST' })).status).toBe(200)
  })

  it('nor where the server cannot say', async () => {
    const origin = await startOrigin()
    const device = openDevice(origin)
    origin.fault = ({ url }) =>
      url.endsWith('/session') ? new Response('<html>', { status: 200 }) : undefined
    await openSignedIn(device, { baseUrl: origin.url, platform: FOREIGN })
    expect(device.signedOut).toEqual([])
  })
})

describe('ready', () => {
  const FOREIGN = { location: 'https://page.example/', cookies: (): string => '' }
  it('asks the server when nothing is stored', async () => {
    const origin = await startOrigin()
    const device = openDevice(origin)
    const settings = { baseUrl: origin.url, platform: FOREIGN }
    const first = await openSignedIn(device, settings)
    first.close()
    await device.pass(10)
    device.storage.clear()
    const next = device.open(settings)
    expect((await next.ready).status).toBe('signed-in')
    await next.logout()
    device.storage.clear()
    expect((await device.open(settings).ready).status).toBe('signed-out')
    expect(device.signedOut).toEqual(['logout'])
  })

  it('is unknown, and not without limit, when the server is out of reach', async () => {
    const origin = await startOrigin()
    const device = openDevice(origin)
    device.offline = true
    const auth = device.open({ baseUrl: origin.url, platform: FOREIGN })
    const { ready } = auth
    for (let round = 0; round < 10; round++) {
      await new Promise((resolve) => setImmediate(resolve))
      await device.pass(0.5)
    }
    expect((await ready).status).toBe('unknown')
    device.offline = false
    await device.pass(2)
    device.tell('online')
    await expect.poll(() => auth.state.status).toBe('signed-out')
  })
})

describe('baseUrl', () => {
  it.each([
    ['https://api.example.com', '/me', '/me'],
    ['https://api.example.com', 'me', '/me'],
    ['https://api.example.com/v1', '/me', '/v1/me'],
    ['https://api.example.com/v1/', 'me?q=1', '/v1/me?q=1'],
    ['https://api.example.com/v1', 'https://api.example.com/me', '/me'],
    ['https://api.example.com/v1', '/me:all', '/v1/me:all'],
  ])('%s and %s', async (baseUrl, path, wanted) => {
    const sent: string[] = []
    const auth = createAuthClient({
      baseUrl,
      platform: {
        fetch: async (input) => {
          const { url } = input as Request
          sent.push(url.replace('https://api.example.com', ''))
          return Response.json({ access_token: 'a', expires_in: 100 })
        },
      },
    })
    await auth.login(ADA)
    await auth.fetch(path)
    expect(sent).toEqual([`${new URL(baseUrl).pathname.replace(/\/$/, '')}/auth/login`, wanted])
  })

  it.each([undefined, '', '/', '/api', './api', '../api'])(
    'of %j is no mistake where a server renders: requests are unreachable',
    async (baseUrl) => {
      const fetch = vi.fn(() => Promise.reject(new TypeError('fetch failed')))
      const auth = createAuthClient({ ...(baseUrl !== undefined && { baseUrl }), platform: { fetch } })
      await expect(auth.login(ADA)).rejects.toMatchObject({ code: 'unreachable' })
      expect((await auth.ready).status).toBe('signed-out')
    },
  )

  it.each(['about:srcdoc', 'about:blank', 'data:text/html,x', 'blob:null/7f3'])(
    'in a frame at %s is needed, and no mistake',
    async (href) => {
      vi.stubGlobal('location', { href })
      onTestFinished(() => void vi.unstubAllGlobals())
      const platform = { fetch: () => Promise.reject(new TypeError('fetch failed')) }
      const auth = createAuthClient({ baseUrl: '/api', platform })
      await expect(auth.login(ADA)).rejects.toMatchObject({ code: 'unreachable' })
    },
  )

  it('of a worker is that of its page', async () => {
    const sent: string[] = []
    vi.stubGlobal('location', { href: 'blob:https://app.example.com/7f3' })
    onTestFinished(() => void vi.unstubAllGlobals())
    const fetch = async (input: unknown) => {
      sent.push((input as Request).url)
      return Response.json({ active: false })
    }
    const auth = createAuthClient({ storage: null, platform: { fetch, open: undefined, locks: undefined } })
    await auth.refresh().catch(() => undefined)
    expect(sent).toEqual(['https://app.example.com/auth/refresh'])
  })
})

it('a platform whose every part throws is one with none', async () => {
  const origin = await startOrigin()
  const device = openDevice(origin)
  const denied = (): never => {
    throw new DOMException('denied', 'SecurityError')
  }
  const channel = { onmessage: null, postMessage: denied, close: denied, unref: denied }
  const locks = { request: denied, query: denied }
  const platform = { open: () => channel, locks, cookies: denied, storage: denied }
  const auth = device.open({ platform })
  await auth.login(ADA)
  await device.pass(150)
  expect((await auth.fetch('/protected', { method: 'POST' })).status).toBe(200)
  device.tell('focus')
  await auth.logout()
  auth.close()
  expect(auth.state.status).toBe('signed-out')
})
