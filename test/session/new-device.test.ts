/** The event `newDevice`: a login that nothing among the subject's live sessions looks like. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, expect, it, vi } from 'vitest'
import { type AuthOptions, createAuth } from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'
const FIREFOX = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:131.0) Gecko/20100101 Firefox/131.0'
const NEWER = 'Mozilla/5.0 (Windows NT 11.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0.2'
const IPHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile/15E148 Safari/604.1'

function setUp(options: Partial<AuthOptions['sessions']> = {}, change: object = {}, listens = true) {
  let now = 1_700_000_000
  const clock = () => now
  const told: unknown[] = []
  const memory = memoryStore({ clock })
  const list = vi.fn(memory.list)
  const auth = createAuth({
    secret: SECRET,
    clock,
    sessions: { store: { ...memory, list, ...change }, ...options },
    ...(listens && { on: { newDevice: (event) => void told.push(event) } }),
  })
  const login = async (userAgent: string | null, subject = 'ada', ip = '192.0.2.1') => {
    const pair = await auth.sessions.start(subject, { userAgent, ip })
    now += 1
    // The event follows the login.
    await new Promise((resolve) => setImmediate(resolve))
    const { sid } = await auth.verifyToken(pair.access_token)
    return { ...pair, sid: sid ?? '' }
  }
  return { auth, told, login, list, pass: (seconds: number) => (now += seconds) }
}

describe('a login', () => {
  it('on a device that no live session looks like is told, with where it came from', async () => {
    const { told, login } = setUp()
    await login(FIREFOX)
    const { sid } = await login(IPHONE, 'ada', '2001:db8::9')
    expect(told).toEqual([{ sid, sub: 'ada', ip: '2001:db8::9', userAgent: IPHONE }])
  })

  it('with another version of what was seen is not', async () => {
    const { told, login } = setUp()
    await login(FIREFOX)
    await login(NEWER)
    await login(IPHONE)
    await login(IPHONE.replace('17_5', '18_0_1').replace('17.5', '18.0'))
    expect(told).toHaveLength(1)
  })

  it('that has nothing to be compared with is not', async () => {
    const { auth, told, login } = setUp()
    const first = await login(FIREFOX)
    await login(IPHONE, 'bob')
    await login(null)
    await auth.sessions.end(first.sid)
    // Only the session without a user agent is left.
    await login(IPHONE)
    expect(told).toEqual([])
  })

  it('is compared with live sessions only', async () => {
    const { auth, told, login, pass } = setUp({ idle: '1h' })
    const first = await login(FIREFOX)
    await login(IPHONE)
    expect(told).toHaveLength(1)
    await auth.sessions.end(first.sid)
    await login(FIREFOX)
    expect(told).toHaveLength(2)
    pass(3600)
    await login(FIREFOX)
    expect(told).toHaveLength(2)
  })

  it('is compared with where a session was last seen', async () => {
    const { auth, told, login, pass } = setUp()
    const { refresh_token } = await login(FIREFOX)
    pass(7200)
    const payload = await auth.verifyToken(refresh_token, { type: 'refresh' })
    await auth.sessions.refresh(payload, { userAgent: IPHONE })
    await login(IPHONE)
    expect(told).toEqual([])
  })

  it('is compared with the session that ended to make place for it', async () => {
    const { told, login } = setUp({ max: { perSubject: 1 } })
    await login(FIREFOX)
    await login(NEWER)
    expect(told).toEqual([])
    await login(IPHONE)
    expect(told).toHaveLength(1)
  })

  it('is told by at least one of several at once', async () => {
    const { auth, told, login } = setUp()
    await login(FIREFOX)
    await Promise.all(Array.from({ length: 10 }, () => auth.sessions.start('ada', { userAgent: IPHONE })))
    await new Promise((resolve) => setImmediate(resolve))
    expect(told.length).toBeGreaterThanOrEqual(1)
  })

  it('reads no list where no one listens, and one where a channel has a subscriber', async () => {
    const { login, list } = setUp({}, {}, false)
    await login(FIREFOX)
    expect(list).not.toHaveBeenCalled()
    const heard: unknown[] = []
    const onMessage = (event: unknown): void => void heard.push(event)
    subscribe('tokenwright:newDevice', onMessage)
    try {
      await login(IPHONE)
    } finally {
      unsubscribe('tokenwright:newDevice', onMessage)
    }
    expect(list).toHaveBeenCalledTimes(1)
    expect(heard).toHaveLength(1)
  })

  it('is neither refused nor delayed by a list that fails or hangs', async () => {
    const failing = setUp({}, { list: () => Promise.reject(new Error('down')) })
    await failing.login(FIREFOX)
    await failing.login(IPHONE)
    expect(failing.told).toEqual([])
    const hanging = setUp({}, { list: () => new Promise(() => undefined) })
    await hanging.login(FIREFOX)
    expect(hanging.told).toEqual([])
  })
})
