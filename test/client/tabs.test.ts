/**
 * Several tabs of one browser in one process, with news that is late, lost or asked for again. The same in a real
 * browser: `engines/`.
 */
import { describe, expect, it } from 'vitest'
import type { AuthClient } from '../../src/client.ts'
import { createLocks, openDevice, openSignedIn } from './device.ts'
import { startOrigin } from './origin.ts'

const WAYS = [
  { way: 'cookies', options: {} },
  { way: 'refresh by cookie, access in memory', options: { cookies: { carry: ['refresh'] } } },
] as const

describe.each(WAYS)('tabs, tokens in $way', ({ options }) => {
  async function start(count: number) {
    const origin = await startOrigin(options)
    const device = openDevice(origin)
    const tabs = Array.from({ length: count }, () => device.open())
    await tabs[0]!.login({ username: 'ada', password: 'right' })
    await expect.poll(() => tabs.every(({ state }) => state.status === 'signed-in')).toBe(true)
    return { origin, device, tabs }
  }
  const callAll = (tabs: readonly AuthClient[], count: number) =>
    Promise.all(tabs.flatMap((tab) => Array.from({ length: count }, () => tab.fetch('/protected'))))

  it('refresh once at each expiry: twenty of them with fifty calls (REF-16)', async () => {
    const { origin, device, tabs } = await start(20)
    let calls = 0
    for (const [round, each] of [50, 2, 2].entries()) {
      await device.pass(150)
      calls += 20 * each
      const responses = await callAll(tabs, each)
      expect(responses.filter(({ status }) => status === 200)).toHaveLength(20 * each)
      expect(origin.count('/auth/refresh')).toBe(round + 1)
      expect(origin.count('/protected')).toBe(calls)
    }
    expect(device.signedOut).toEqual([])
  })

  it('refresh once though the message is slower than the lock', async () => {
    const { origin, device, tabs } = await start(4)
    device.deliver = () => new Promise((resolve) => setTimeout(resolve, 30))
    for (const round of [1, 2, 3, 4, 5]) {
      await device.pass(150)
      await callAll(tabs, 2)
      expect(origin.count('/auth/refresh')).toBe(round)
    }
  })

  it('go on by themselves when the tab with the message is gone', async () => {
    const { origin, device, tabs } = await start(2)
    device.deliver = () => new Promise(() => undefined)
    await device.pass(150)
    await tabs[0]!.fetch('/protected')
    const call = tabs[1]!.fetch('/protected')
    await expect.poll(async () => [await device.pass(0.1), origin.count('/auth/refresh')][1]).toBe(2)
    expect((await call).status).toBe(200)
  })

  it('are not stopped by a tab that never lets the lock go', async () => {
    const { device, tabs } = await start(2)
    const stuck = device.open({
      platform: { fetch: () => new Promise(() => undefined), after: () => () => undefined },
    })
    void stuck.login({ username: 'ada', password: 'right' })
    await new Promise((resolve) => setTimeout(resolve, 20))
    await device.pass(150)
    const call = tabs[0]!.fetch('/protected')
    await new Promise((resolve) => setTimeout(resolve, 50))
    await device.pass(31)
    expect((await call).status).toBe(200)
  })

  it('share a failure: twenty tabs, one request', async () => {
    const { origin, device, tabs } = await start(20)
    await device.pass(150)
    origin.fault = ({ url }) =>
      url.endsWith('/auth/refresh')
        ? new Response(null, { status: 503, headers: { 'Retry-After': '9' } })
        : undefined
    const calls = await Promise.allSettled(tabs.map((tab) => tab.fetch('/protected')))
    for (const call of calls) expect(call).toMatchObject({ reason: { code: 'http_503', retryAfter: 9 } })
    expect(origin.count('/auth/refresh')).toBe(1)
    expect(device.signedOut).toEqual([])
    origin.fault = () => undefined
    await device.pass(10)
    expect((await callAll(tabs, 1)).every(({ ok }) => ok)).toBe(true)
    expect(origin.count('/auth/refresh')).toBe(2)
  })

  it('are signed out once each, by the server or by one of them', async () => {
    const { origin, device, tabs } = await start(5)
    await origin.auth.revokeSubject('ada')
    await Promise.allSettled(tabs.flatMap((tab) => [tab.fetch('/protected'), tab.fetch('/protected')]))
    await expect.poll(() => device.signedOut).toEqual(Array(5).fill('session_revoked'))
    expect(origin.count('/auth/refresh')).toBe(1)

    device.signedOut.length = 0
    // A login of the very moment of the revocation is refused.
    await device.pass(10)
    await tabs[2]!.login({ username: 'ada', password: 'right' })
    await expect.poll(() => tabs.every(({ state }) => state.status === 'signed-in')).toBe(true)
    await tabs[4]!.logout()
    await expect.poll(() => device.signedOut).toEqual(Array(5).fill('logout'))
    expect(tabs.map(({ state }) => state.status)).toEqual(Array(5).fill('signed-out'))
  })

  it('take over a login, and can tell that it is another one', async () => {
    const { device, tabs } = await start(2)
    const [one, two] = tabs as [AuthClient, AuthClient]
    const first = two.state.login
    expect(first).toBe(one.state.login)
    const changes: unknown[] = []
    const stop = two.subscribe(() => changes.push(two.state.login))
    await one.login({ username: 'eve', password: 'right' })
    await expect.poll(() => changes).toEqual([one.state.login])
    expect(one.state.login).not.toBe(first)
    expect((await two.fetch('/protected', { method: 'POST' })).status).toBe(200)
    stop()
    await device.pass(150)
    await one.refresh()
    expect(changes).toHaveLength(1)
  })

  if ('cookies' in options)
    it('keep a fresh token in memory while another tab refreshes', async () => {
      const { device, tabs } = await start(2)
      const [one, two] = tabs as [AuthClient, AuthClient]
      await device.pass(50)
      await two.refresh()
      await new Promise((resolve) => setTimeout(resolve, 50))
      expect([one.state.fresh, two.state.fresh]).toEqual([true, false])
      expect((await one.fetch('/sensitive')).status).toBe(200)
    })

  it('complete a step-up that another tab was asked for', async () => {
    const { device, tabs } = await start(1)
    const [one] = tabs as [AuthClient]
    let asked = 0
    const two = device.open({
      onStepUp: () => {
        asked++
        return new Promise(() => undefined)
      },
    })
    await one.refresh()
    await two.refresh()
    const call = two.fetch('/sensitive')
    await expect.poll(() => asked).toBe(1)
    await one.stepUp('right')
    expect((await call).status).toBe(200)
  })

  it('a tab that opens later asks for what was just published instead of refreshing', async () => {
    const { origin, device, tabs } = await start(1)
    await device.pass(150)
    await tabs[0]!.refresh()
    expect((await device.open().fetch('/protected')).status).toBe(200)
    expect(origin.count('/auth/refresh')).toBe(1)
  })

  it('without Web Locks and channels each refreshes by itself, and none is signed out', async () => {
    const origin = await startOrigin(options)
    const device = openDevice(origin)
    const platform = { locks: undefined, open: undefined }
    const tabs = Array.from({ length: 4 }, () => device.open({ platform }))
    await tabs[0]!.login({ username: 'ada', password: 'right' })
    const others = [1, 2, 3].map(() => device.open({ platform }))
    for (const _ of [1, 2, 3, 4, 5]) {
      await device.pass(150)
      const responses = await callAll([tabs[0]!, ...others], 5)
      expect(responses.every(({ ok }) => ok)).toBe(true)
    }
    expect(device.signedOut).toEqual([])
  })

  it('without Web Locks a refusal that comes after another tab’s login is the old session’s', async () => {
    const origin = await startOrigin(options)
    const device = openDevice(origin)
    const platform = { locks: undefined }
    const one = await openSignedIn(device, { platform })
    const two = device.open({ platform })
    await device.pass(150)
    let release: () => void = () => undefined
    const held = new Promise<undefined>((resolve) => {
      release = () => resolve(undefined)
    })
    origin.fault = ({ url }) => (url.endsWith('/auth/refresh') ? held : undefined)
    const call = two.fetch('/protected')
    await expect.poll(() => origin.count('/auth/refresh')).toBe(1)
    await one.login({ username: 'ada', password: 'right' })
    await expect.poll(() => two.state.login).toBe(one.state.login)
    release()
    await Promise.allSettled([call])
    expect(device.signedOut).toEqual([])
    expect((await two.fetch('/protected')).status).toBe(200)
  })

  it('announce only the newest message', async () => {
    const origin = await startOrigin(options)
    const device = openDevice(origin)
    const platform = { locks: createLocks() }
    const [one, two] = [device.open({ platform }), device.open({ platform })] as const
    await one.login({ username: 'ada', password: 'right' })
    await expect.poll(() => two.state.status).toBe('signed-in')
    await two.refresh()
    await one.refresh()
    await expect.poll(async () => (await platform.locks.query()).held?.length).toBe(1)
  })

  it('works where a browser forbids storage', async () => {
    const origin = await startOrigin(options)
    const device = openDevice(origin)
    const refuse = () => {
      throw new DOMException('forbidden', 'SecurityError')
    }
    const storage = { getItem: refuse, setItem: refuse, removeItem: refuse }
    const auth = await openSignedIn(device, { storage })
    await device.pass(150)
    expect((await auth.fetch('/protected')).status).toBe(200)
    // The CSRF cookie tells the next page that somebody is signed in.
    auth.close()
    await device.pass(10)
    const next = device.open({ storage })
    await expect.poll(() => next.state.status).toBe('signed-in')
    expect((await next.fetch('/protected', { method: 'POST' })).status).toBe(200)
  })
})
