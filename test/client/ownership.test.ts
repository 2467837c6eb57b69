/**
 * Never in another's name: after the back/forward cache, a login that was not this client's, or in a
 * browser without channels, the client looks again and knows whose session it is.
 */
import { describe, expect, it } from 'vitest'
import type { AuthClient, AuthClientOptions } from '../../src/client.ts'
import { type Device, openDevice } from './device.ts'
import { type Origin, startOrigin } from './origin.ts'

const ALICE = { username: 'alice', password: 'right' }
const BOB = { username: 'bob', password: 'right' }
const SIGNED_OUT = { code: 'signed_out' }

const FOREIGN = { location: 'https://page.example/', cookies: () => '' }

/** What the server and the page look like. */
const PLACES = [
  { place: 'a page of the server', server: {}, page: {} },
  { place: 'a page of the server, refresh by cookie', server: { cookies: { carry: ['refresh'] } }, page: {} },
  { place: 'a page of another origin', server: {}, page: FOREIGN },
  { place: 'a page of the server without CSRF values', server: { csrf: 'origin' }, page: {} },
] as const

/** How the other login comes about. */
const LOGINS = [
  [
    'a login of a client whose messages do not arrive',
    async (device: Device, settings: AuthClientOptions) => {
      const platform = { ...settings.platform, open: undefined, locks: undefined }
      const other = device.open({ ...settings, platform })
      await other.login(BOB)
      other.close()
    },
  ],
  [
    'a plain request',
    async (device: Device, { baseUrl }: AuthClientOptions) => {
      const own = device.open({ ...(baseUrl && { baseUrl }), storage: null, platform: { open: undefined } })
      await own.login(BOB)
      own.close()
    },
  ],
] as const

describe.each(PLACES)('$place', ({ server, page }) => {
  async function start() {
    const origin = await startOrigin(server)
    const device = openDevice(origin)
    const settings: AuthClientOptions = { baseUrl: origin.url, platform: { ...page, open: undefined } }
    const auth = device.open(settings)
    await auth.login(ALICE)
    return { origin, device, settings, auth }
  }
  const post = (auth: AuthClient) => auth.fetch('/whoami', { method: 'POST' })
  const nameFrom = async (response: Response) => ((await response.json()) as { sub: string }).sub

  it.each(LOGINS)('a page that comes back shows the user of %s', async (_, login) => {
    const { device, settings, auth } = await start()
    const { login: first } = auth.state
    await login(device, settings)
    await device.pass(2)
    device.tell('pageshow')
    await expect.poll(() => auth.state.login).not.toBe(first)
    expect(auth.state.status).toBe('signed-in')
    expect(await nameFrom(await auth.fetch('/whoami'))).toBe('bob')
    expect(await nameFrom(await post(auth))).toBe('bob')
  })

  it.each(LOGINS)(
    'a call that an application makes for its user is not made for that of %s',
    async (_, login) => {
      const { origin, device, settings, auth } = await start()
      await login(device, settings)
      await device.pass(2)
      // The application has heard of nothing: it does not read the state, and listens to no event.
      device.tell('focus')
      const calls = [auth.fetch('/whoami'), post(auth), auth.stepUp('right')]
      const ends = await Promise.allSettled(calls)
      expect(ends).toEqual(Array(3).fill({ status: 'rejected', reason: expect.objectContaining(SIGNED_OUT) }))
      expect(origin.seen.filter((line) => line.endsWith('/whoami'))).toEqual([])
      expect(await nameFrom(await post(auth))).toBe('bob')
    },
  )

  if (!('csrf' in server))
    it.each(LOGINS)(
      'an unsafe call sends nothing in the name of %s, also without an event',
      async (_, login) => {
        const { origin, device, settings, auth } = await start()
        await login(device, settings)
        await expect(post(auth)).rejects.toMatchObject(SIGNED_OUT)
        expect(origin.seen.filter((line) => line === 'POST /whoami').length).toBeLessThan(2)
      },
    )

  it('a page that comes back after a logout is signed out', async () => {
    const { device, settings, auth } = await start()
    const other = device.open(settings)
    await expect.poll(() => other.state.status).toBe('signed-in')
    await other.logout()
    await device.pass(2)
    device.signedOut.length = 0
    device.tell('visibilitychange')
    await expect.poll(() => auth.state.status).toBe('signed-out')
    await expect.poll(() => device.signedOut.length).toBe(1)
  })

  it('a session that ended elsewhere is known when the page comes back', async () => {
    const { origin, device, auth } = await start()
    await device.pass(5)
    await origin.auth.revokeSubject('alice')
    device.tell('focus')
    await expect.poll(() => auth.state.status).toBe('signed-out')
    expect(device.signedOut).toEqual(['session_revoked'])
  })

  it('coming back keeps the token fresh, and asks once', async () => {
    const { origin, device, auth } = await start()
    await device.pass(5)
    const { state } = auth
    for (const event of ['visibilitychange', 'focus', 'pageshow']) device.tell(event)
    await expect.poll(() => origin.count('/auth/session')).toBeGreaterThan(0)
    expect((await auth.fetch('/sensitive', { method: 'POST' })).status).toBe(200)
    expect(auth.state).toBe(state)
    expect(origin.count('/auth/refresh')).toBe(0)
  })

  it('what a portal says of the session ends nothing', async () => {
    const { origin, device, auth } = await start()
    await device.pass(5)
    for (const answer of ['<h1>Welcome</h1>', '{}', '{"active":null}', 'null', '[]']) {
      origin.fault = ({ url }) => (url.endsWith('/session') ? new Response(answer) : undefined)
      device.tell('focus')
      await device.pass(2)
    }
    // Not even our own words, when the refresh route says otherwise.
    origin.fault = ({ url }) => (url.endsWith('/session') ? Response.json({ active: false }) : undefined)
    device.tell('focus')
    await expect.poll(() => origin.count('/auth/refresh')).toBe(1)
    expect((await auth.fetch('/protected')).status).toBe(200)
    expect([auth.state.status, device.signedOut]).toEqual(['signed-in', []])
  })
})

it('a tab without channels learns of a login and a logout by its storage', async () => {
  const origin = await startOrigin()
  const device = openDevice(origin)
  const platform = { open: undefined, locks: undefined }
  const [one, two] = [device.open({ platform }), device.open({ platform })]
  await Promise.all([one.ready, two.ready])
  await one.login(ALICE)
  device.tell('storage')
  await expect.poll(() => two.state).toEqual(one.state)
  const changes: unknown[] = []
  two.subscribe(() => changes.push(two.state))
  device.tell('storage')
  await device.pass(50)
  await one.refresh()
  device.tell('storage')
  await expect.poll(() => two.state).toEqual(one.state)
  expect(changes).toHaveLength(1)
  await two.logout()
  device.tell('storage')
  await expect.poll(() => one.state.status).toBe('signed-out')
  expect(device.signedOut).toEqual(['logout', 'logout'])
  expect(origin.count('/auth/session')).toBe(0)
})

it('a tab without channels learns from its storage why the session has ended', async () => {
  const origin = await startOrigin()
  const device = openDevice(origin)
  const platform = { open: undefined, locks: undefined }
  const [one, two] = [device.open({ platform }), device.open({ platform })]
  await Promise.all([one.ready, two.ready])
  await one.login(ALICE)
  device.tell('storage')
  await expect.poll(() => two.state).toEqual(one.state)
  await origin.auth.revokeSubject('alice')
  await expect(one.refresh()).rejects.toMatchObject(SIGNED_OUT)
  device.tell('storage')
  await expect.poll(() => two.state.status).toBe('signed-out')
  expect(device.signedOut).toEqual(['session_revoked', 'session_revoked'])
})

it('two pages of one site over one API do not stay at odds', async () => {
  const origin = await startOrigin()
  const device = openDevice(origin)
  const open = (location: string) => {
    const storage = new Map<string, string>()
    return device.open({
      baseUrl: origin.url,
      storage: {
        getItem: (key) => storage.get(key) ?? null,
        setItem: (key, value) => storage.set(key, value),
        removeItem: (key) => storage.delete(key),
      },
      platform: { location, cookies: () => '', open: undefined, locks: undefined },
    })
  }
  const [app, app2] = [open('https://app.example/'), open('https://app2.example/')]
  await app.login(ALICE)
  await app2.login(BOB)
  await expect(app.fetch('/whoami', { method: 'POST' })).rejects.toMatchObject(SIGNED_OUT)
  await expect.poll(() => device.signedOut).toEqual(['csrf_mismatch'])
  await device.pass(2)
  device.tell('focus')
  await expect.poll(() => app.state.status).toBe('signed-in')
  const response = await app.fetch('/whoami', { method: 'POST' })
  expect(await response.json()).toMatchObject({ sub: 'bob' })
  expect((await app2.fetch('/whoami', { method: 'POST' })).status).toBe(200)
})

it('a form that signs a user in is seen by a page that was signed out', async () => {
  const origin = await startOrigin()
  const device = openDevice(origin)
  const auth = device.open()
  await auth.login(ALICE)
  await auth.logout()
  await startOther(origin, device)
  expect((await auth.fetch('/whoami', { method: 'POST' })).status).toBe(200)
  expect(auth.state.status).toBe('signed-in')
})

async function startOther(_: Origin, device: Device): Promise<void> {
  const other = device.open({ storage: null, platform: { open: undefined } })
  await other.login(BOB)
  other.close()
}

it('a page that was rendered for one user does nothing for the next', async () => {
  const origin = await startOrigin()
  const device = openDevice(origin)
  const first = device.open()
  await first.login(ALICE)
  first.close()
  await device.pass(10)
  device.storage.clear()
  // Its server has shown alice; its client knows only the cookie.
  const page = device.open()
  await expect.poll(() => page.state.status).toBe('signed-in')
  await startOther(origin, device)
  await expect(page.fetch('/whoami', { method: 'POST' })).rejects.toMatchObject(SIGNED_OUT)
  expect(origin.count('/whoami')).toBe(0)
})
