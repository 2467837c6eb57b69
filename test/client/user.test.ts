/** The user's data: loaded once per login over all tabs, never another user's. */
import { expect, it } from 'vitest'
import { type AuthClient, createUser } from '../../src/client.ts'
import { openDevice, openSignedIn } from './device.ts'
import { startOrigin } from './origin.ts'

async function start(count: number) {
  const origin = await startOrigin()
  const device = openDevice(origin)
  const tabs = Array.from({ length: count }, () => device.open())
  const users = tabs.map((auth) =>
    createUser(
      auth,
      async () => (await (await auth.fetch('/whoami')).json()) as { sub: string },
      device.platform,
    ),
  )
  return { origin, device, tabs, users }
}

const login = (auth: AuthClient, username: string) => auth.login({ username, password: 'right' })

it('is loaded once per login over all tabs, and is null without one', async () => {
  const { origin, tabs, users } = await start(4)
  await Promise.all(tabs.map((auth) => auth.refresh().catch(() => undefined)))
  expect(await Promise.all(users.map((user) => user.get()))).toEqual([null, null, null, null])
  for (const user of users) user.subscribe(() => undefined)
  await login(tabs[0]!, 'ada')
  await expect.poll(() => users.map(({ current }) => current?.sub)).toEqual(Array(4).fill('ada'))
  expect(origin.count('/whoami')).toBe(1)
  expect(await users[3]!.get()).toEqual({ sub: 'ada' })
  await login(tabs[2]!, 'eve')
  await expect.poll(() => users.map(({ current }) => current?.sub)).toEqual(Array(4).fill('eve'))
  expect(origin.count('/whoami')).toBe(2)
  await users[1]!.reload()
  expect(origin.count('/whoami')).toBe(3)
  await tabs[1]!.logout()
  await expect.poll(() => users.map(({ current }) => current)).toEqual(Array(4).fill(null))
})

it('is kept over refreshes, and failures of its loading are the caller’s', async () => {
  const { origin, device, tabs, users } = await start(1)
  const [user] = users as [(typeof users)[0]]
  await login(tabs[0]!, 'ada')
  origin.fault = ({ url }) => (url.endsWith('/whoami') ? new Response('no', { status: 500 }) : undefined)
  await expect(user.get()).rejects.toThrow()
  origin.fault = () => undefined
  expect(await user.get()).toEqual({ sub: 'ada' })
  await device.pass(150)
  await tabs[0]!.refresh()
  expect(await user.get()).toEqual({ sub: 'ada' })
  expect(origin.count('/whoami')).toBe(2)
  user.close()
})

it('of a page that knows only its cookies is loaded once', async () => {
  const { origin, device } = await start(0)
  ;(await openSignedIn(device)).close()
  await device.pass(10)
  device.storage.clear()
  const auth = device.open()
  const user = createUser(auth, async () => (await auth.fetch('/whoami')).json(), device.platform)
  expect(await user.get()).toEqual({ sub: 'ada' })
  expect(await user.get()).toEqual({ sub: 'ada' })
  expect(origin.count('/whoami')).toBe(1)
})
