/**
 * `restore()`: after a redirect, a form or a passkey that set cookies, the client takes over what the
 * server says of them, without a refresh, so that a token that is fresh stays so.
 */
import { expect, it } from 'vitest'
import type { AuthClientOptions } from '../../src/client.ts'
import { type Device, openDevice, openSignedIn } from './device.ts'
import { type Origin, startOrigin } from './origin.ts'

const ADA = { username: 'ada', password: 'right' }

/** What a page can read of the cookies. */
const PAGES: readonly (readonly [string, AuthClientOptions['platform']])[] = [
  ['of the server', {}],
  ['of another origin', { location: 'https://page.example/', cookies: () => '' }],
]

/** What another program posts to the server with the cookies of this browser, such as a form. */
async function post(origin: Origin, device: Device, path: string, body: object): Promise<void> {
  const [, csrf] = [...device.jar].find(([name]) => name.includes('csrf')) ?? []
  const request = new Request(origin.url + path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...(csrf !== undefined && { 'X-CSRF-Token': csrf }) },
    body: JSON.stringify(body),
  })
  expect((await device.platform.fetch?.(request))?.status).toBe(200)
}

const start = async (platform: AuthClientOptions['platform']) => {
  const origin = await startOrigin()
  const device = openDevice(origin)
  const open = () => device.open({ baseUrl: origin.url, platform: { ...platform, open: undefined } })
  return { origin, device, open }
}

it.each(PAGES)('finds the login of a form, in a page %s', async (_, platform) => {
  const { origin, device, open } = await start(platform)
  const auth = open()
  await auth.ready
  await post(origin, device, '/auth/login', { ...ADA, delivery: 'cookie' })
  origin.seen.length = 0
  expect(await auth.restore()).toBe(true)
  expect(origin.seen).toEqual(['GET /auth/session'])
  expect(auth.state).toMatchObject({ status: 'signed-in', fresh: true })
  expect((await auth.fetch('/sensitive', { method: 'POST' })).status).toBe(200)
  expect(origin.seen).toEqual(['GET /auth/session', 'POST /sensitive'])
})

it.each(PAGES)(
  'finds that a step-up elsewhere has made the token fresh, in a page %s',
  async (_, platform) => {
    const { origin, device, open } = await start(platform)
    const auth = open()
    await auth.login(ADA)
    await device.pass(60)
    await auth.refresh()
    const { login } = auth.state
    await post(origin, device, '/auth/verify-password', { password: 'right' })
    await device.pass(80)
    origin.seen.length = 0
    expect(await auth.restore()).toBe(true)
    expect(auth.state).toMatchObject({ fresh: true, login })
    expect((await auth.fetch('/sensitive')).status).toBe(200)
    expect(origin.seen).toEqual(['GET /auth/session', 'GET /sensitive'])
  },
)

it('changes nothing where nothing has changed', async () => {
  const { origin, open } = await start({})
  const auth = open()
  await auth.login(ADA)
  const { state } = auth
  origin.seen.length = 0
  expect(await auth.restore()).toBe(true)
  expect(auth.state).toBe(state)
  expect(origin.seen).toEqual(['GET /auth/session'])
})

it('is false without a session, and tells of one that has ended', async () => {
  const { origin, device, open } = await start({})
  const auth = open()
  expect(await auth.restore()).toBe(false)
  expect(auth.state.status).toBe('signed-out')
  await auth.login(ADA)
  await device.pass(5)
  await origin.auth.revokeSubject('ada')
  expect(await auth.restore()).toBe(false)
  await expect.poll(() => device.signedOut).toEqual(['session_revoked'])
})

it('tells what was known when the server is out of reach, and with tokens in memory', async () => {
  const { origin, device, open } = await start({})
  const auth = open()
  await auth.login(ADA)
  device.offline = true
  expect(await auth.restore()).toBe(true)
  device.offline = false
  const other = await openSignedIn(openDevice(origin), { delivery: 'body' })
  expect(await other.restore()).toBe(true)
  await other.logout()
  expect(await other.restore()).toBe(false)
})
