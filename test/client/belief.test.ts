/**
 * What the client believes: which CSRF cookie is its server's, who says that a session is over, and
 * what it makes of knowing nothing. And what it does where the browser denies its APIs.
 */
import { describe, expect, it } from 'vitest'
import type { AuthClientOptions } from '../../src/client.ts'
import { openDevice, openSignedIn } from './device.ts'
import { startOrigin } from './origin.ts'

const WAYS = [
  { way: 'cookies', options: {} },
  { way: 'refresh by cookie, access in memory', options: { cookies: { carry: ['refresh'] } } },
] as const
const EVE = { username: 'eve', password: 'right' }

describe.each(WAYS)('the CSRF value, tokens in $way', ({ options }) => {
  /** A cookie of another program stands before the server's own. */
  function plant(device: ReturnType<typeof openDevice>, ...names: string[]) {
    const own = [...device.jar]
    device.jar.clear()
    for (const name of names) device.jar.set(name, 'planted')
    for (const [name, value] of own) device.jar.set(name, value)
  }
  const start = async () => {
    const origin = await startOrigin(options)
    const device = openDevice(origin)
    return { origin, device, auth: await openSignedIn(device) }
  }

  it.each([['csrf_token'], ['__Secure-csrf_token'], ['my-csrf_token'], ['__Evil-csrf_token']])(
    'is not that of a planted %s',
    async (name) => {
      const { device, auth } = await start()
      plant(device, name)
      expect((await auth.fetch('/protected', { method: 'POST' })).status).toBe(200)
      await auth.refresh()
      auth.close()
      await device.pass(10)
      // Nothing is known but the cookies.
      device.storage.clear()
      const reloaded = device.open()
      await expect.poll(() => reloaded.state.status).toBe('signed-in')
      expect((await reloaded.fetch('/protected', { method: 'POST' })).status).toBe(200)
    },
  )

  it('is tried with the other value when the first one is refused', async () => {
    const origin = await startOrigin({
      cookies: { ...('cookies' in options && options.cookies), domain: 'example.com' },
    })
    const device = openDevice(origin)
    const auth = await openSignedIn(device)
    plant(device, '__Host-csrf_token')
    auth.close()
    await device.pass(10)
    device.storage.clear()
    const reloaded = device.open()
    await reloaded.refresh()
    expect((await reloaded.fetch('/protected', { method: 'POST' })).status).toBe(200)
    expect(device.signedOut).toEqual([])
  })

  it('of another program keeps no session from its logout', async () => {
    const origin = await startOrigin({
      cookies: { ...('cookies' in options && options.cookies), domain: 'example.com' },
    })
    const device = openDevice(origin)
    const auth = await openSignedIn(device)
    auth.close()
    await device.pass(10)
    plant(device, '__Host-csrf_token')
    device.storage.clear()
    const reloaded = device.open()
    await reloaded.logout()
    expect(reloaded.state.status).toBe('signed-out')
    expect(await origin.auth.sessions.list('ada')).toEqual([])
  })

  it('of a session that another one replaced sends nothing in its name', async () => {
    const { origin, device, auth } = await start()
    const { login } = auth.state
    // A login that is no client's: a form, or a browser without BroadcastChannel.
    const other = device.open({ storage: null, platform: { open: undefined } })
    await other.login(EVE)
    await expect(auth.fetch('/protected', { method: 'POST' })).rejects.toMatchObject({ code: 'signed_out' })
    expect(origin.count('/protected')).toBe(0)
    expect(auth.state.status).toBe('signed-in')
    expect(auth.state.login).not.toBe(login)
    // From now on the page shows the other user, and works.
    expect((await auth.fetch('/protected', { method: 'POST' })).status).toBe(200)
    expect(device.signedOut).toEqual([])
  })

  it('of an API on another origin whose session was replaced ends the session here', async () => {
    const { origin, device, auth: first } = await start()
    first.close()
    await device.pass(10)
    device.storage.clear()
    const platform = { location: 'https://page.example/', cookies: () => '' }
    const auth = await openSignedIn(device, { baseUrl: origin.url, platform })
    await device.open({ storage: null, platform: { open: undefined } }).login(EVE)
    await expect(auth.refresh()).rejects.toMatchObject({ code: 'signed_out' })
    expect(auth.state.status).toBe('signed-out')
    await expect.poll(() => device.signedOut).toEqual(['csrf_mismatch'])
  })
})

it('an unsafe call whose CSRF value is another session’s finds that out at once', async () => {
  const origin = await startOrigin()
  const device = openDevice(origin)
  const platform = { location: 'https://page.example/', cookies: () => '' }
  const auth = await openSignedIn(device, { baseUrl: origin.url, platform })
  await device.open({ storage: null, platform: { open: undefined } }).login(EVE)
  await expect(auth.fetch('/protected', { method: 'POST' })).rejects.toMatchObject({ code: 'signed_out' })
  expect(auth.state.status).toBe('signed-out')
})

describe('the end of a session', () => {
  const start = async () => {
    const origin = await startOrigin()
    const device = openDevice(origin)
    return { origin, device, auth: await openSignedIn(device) }
  }

  it.each([
    [
      'a page of a portal',
      () => new Response('<h1>Welcome</h1>', { headers: { 'Content-Type': 'text/html' } }),
    ],
    ['empty JSON', () => Response.json({})],
    ['an empty 200', () => new Response(null)],
  ])('is not said by %s: logout rejects and signs no one out', async (_, response) => {
    const { origin, auth } = await start()
    origin.fault = ({ url }) => (url.endsWith('/auth/logout') ? response() : undefined)
    await expect(auth.logout()).rejects.toMatchObject({ code: 'response_invalid' })
    expect(auth.state.status).toBe('signed-in')
    origin.fault = () => undefined
    await auth.logout()
    expect(auth.state.status).toBe('signed-out')
  })

  it.each([
    ['a code of its own', () => Response.json({ code: 'UNAUTHENTICATED' }, { status: 401 })],
    ['our code of another route', () => Response.json({ code: 'credentials_invalid' }, { status: 401 })],
    [
      'a challenge',
      () =>
        new Response('no', { status: 401, headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' } }),
    ],
  ])('is not said by a gateway with %s', async (_, response) => {
    const { origin, device, auth } = await start()
    origin.fault = ({ url }) => (url.endsWith('/auth/refresh') ? response() : undefined)
    await expect(auth.refresh()).rejects.toMatchObject({ status: 401 })
    expect(auth.state.status).toBe('signed-in')
    origin.fault = () => undefined
    await auth.refresh()
    expect(device.signedOut).toEqual([])
  })
})

describe.each([
  ['on the same origin, without a CSRF cookie', { csrf: 'origin' }, {}],
  ['on another origin', { csrf: 'origin' }, { location: 'https://page.example/', cookies: () => '' }],
] as const)('with nothing in storage, an API %s', (_, options, platform) => {
  const start = async () => {
    const origin = await startOrigin(options)
    const device = openDevice(origin)
    const settings: AuthClientOptions = { baseUrl: origin.url, platform }
    return { origin, device, settings }
  }

  it('the state is unknown until the server was asked', async () => {
    const { origin, device, settings } = await start()
    ;(await openSignedIn(device, settings)).close()
    await device.pass(10)
    device.storage.clear()
    const auth = device.open(settings)
    expect((await auth.fetch('/protected')).status).toBe(200)
    expect(auth.state.status).toBe('unknown')
    await auth.refresh()
    expect(auth.state).toMatchObject({ status: 'signed-in', expiresAt: origin.now + 100 })
    expect(device.signedOut).toEqual([])
  })

  it('a call that is refused asks the server once', async () => {
    const { origin, device, settings } = await start()
    ;(await openSignedIn(device, settings)).close()
    await device.pass(10)
    device.storage.clear()
    await device.pass(150)
    expect((await device.open(settings).fetch('/protected')).status).toBe(200)
    expect(origin.count('/auth/refresh')).toBe(1)
  })

  it('a user who never signed in is signed out after one question, also after a reload', async () => {
    const { origin, device, settings } = await start()
    const auth = device.open(settings)
    expect((await auth.fetch('/protected')).status).toBe(401)
    expect(auth.state.status).toBe('signed-out')
    expect((await auth.fetch('/protected')).status).toBe(401)
    await expect(auth.refresh()).rejects.toMatchObject({ code: 'signed_out' })
    expect(origin.count('/auth/refresh')).toBe(1)
    expect(device.signedOut).toEqual([])
  })
})

it('a browser that has every API and denies it is one with none of them', async () => {
  const denied = (): never => {
    throw new DOMException('The operation is insecure.', 'SecurityError')
  }
  const locks = { request: denied, query: denied }
  const origin = await startOrigin()
  const device = openDevice(origin)
  const platform = { open: denied, locks, cookies: denied }
  const auth = await openSignedIn(device, { platform, storage: null })
  await device.pass(150)
  const calls = Array.from({ length: 5 }, () => auth.fetch('/protected', { method: 'POST' }))
  expect((await Promise.all(calls)).map(({ status }) => status)).toEqual(Array(5).fill(200))
  expect(origin.count('/auth/refresh')).toBe(1)
  await auth.logout()
  expect(auth.state.status).toBe('signed-out')
})
