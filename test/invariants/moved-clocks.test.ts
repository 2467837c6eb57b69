/**
 * S23 on every store: no offset between two clocks is trusted for longer than both have run alike.
 * After the machine slept, after a clock was set, after a failover to a host with another clock,
 * the first refresh succeeds, and no one is refused.
 */
import { afterEach, expect, it, vi } from 'vitest'
import { type Application, attempt, createApplication, newUser } from './application.ts'
import { describeGrounds, GROUNDS } from './grounds.ts'
import { moveStore, shiftClock, sleepMachine } from './moved-clocks.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

/** Everything that a signed-in user asks of the store. */
async function useSession({ auth, refresh, login, judge, ...app }: Application, token: string) {
  const outcomes: Record<string, string> = {}
  const note = async (name: string, work: () => Promise<{ readonly code: string }>): Promise<void> => {
    outcomes[name] = (await work()).code
  }
  const { pair, code } = await refresh(token)
  outcomes['refresh'] = code
  const [access = '', next = ''] = [pair?.access_token, pair?.refresh_token]
  await note('judge', async () => ({ code: await judge(access) }))
  await note('look', () =>
    attempt(async () => {
      await auth.verifyToken(next, { type: 'refresh', revocation: 'strict' })
      return undefined
    }),
  )
  await note('stepUp', () =>
    attempt(async () => auth.sessions.stepUp(await auth.verifyToken(access), async () => ({ amr: ['otp'] }))),
  )
  await note('again', () => refresh(next))
  await note('login', () => attempt(() => login()))
  outcomes['list'] = String((await auth.sessions.list(app.subOf(token))).length)
  return outcomes
}

const GRANTED = {
  refresh: 'ok',
  judge: 'ok',
  look: 'ok',
  stepUp: 'ok',
  again: 'ok',
  login: 'ok',
  list: '1',
}

describeGrounds(GROUNDS, (ground) => {
  it.each<[string, () => void]>([
    ['the machine slept for 5 s', () => sleepMachine(5)],
    ['the machine slept for an hour', () => sleepMachine(3600)],
    ['the clock was set forward by 3 s', () => shiftClock('system', 3)],
    ['the clock was set back by 3 s', () => shiftClock('system', -3)],
    ['the clock was set forward by an hour', () => shiftClock('system', 3600)],
  ])('S23: the first refresh succeeds after %s, and is sent once', async (_, happen) => {
    const { store, calls } = moveStore(ground().store)
    const app = createApplication(store, { ownClock: false })
    const [first, second] = [await app.login(), await app.login()]
    expect((await app.refresh(first.refresh_token)).code).toBe('ok')
    happen()
    const before = calls['rotate']
    expect((await app.refresh(second.refresh_token)).code).toBe('ok')
    expect(calls['rotate']).toBe(Number(before) + 1)
    expect(await useSession(app, (await app.login()).refresh_token)).toEqual(GRANTED)
  })

  it.each([3, -3, 60, -60])('S23: a failover to a clock %d s ahead refuses no one', async (ahead) => {
    const { store, failOver } = moveStore(ground().store)
    const app = createApplication(store, { ownClock: false })
    const [first, second] = [await app.login(), await app.login()]
    expect((await app.refresh(first.refresh_token)).code).toBe('ok')
    failOver(ahead)
    expect((await app.refresh(second.refresh_token)).code).toBe('ok')
    expect(await useSession(app, (await app.login()).refresh_token)).toEqual(GRANTED)
    // The way back.
    failOver(0)
    expect(await useSession(app, (await app.login()).refresh_token)).toEqual(GRANTED)
  })

  it.each([3, -3])('S23: a store whose clock is %d s ahead refuses nothing', async (ahead) => {
    const { store, failOver } = moveStore(ground().store)
    failOver(ahead)
    const app = createApplication(store, { ownClock: false })
    const sub = newUser()
    const { refresh_token } = await app.login(sub)
    expect(await useSession(app, refresh_token)).toEqual(GRANTED)
    // What was proved before a revocation is refused, what is proved after it is not.
    const provedAt = Date.now() / 1000
    await new Promise((resolve) => setTimeout(resolve, 20))
    await app.auth.revokeSubject(sub)
    expect((await attempt(() => app.auth.sessions.start(sub, { provedAt }))).code).toBe('session_revoked')
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(await useSession(app, (await app.login(sub)).refresh_token)).toEqual(GRANTED)
  })

  it('S23: a failover behind lets no login slip past a revocation', async () => {
    const { store, failOver } = moveStore(ground().store)
    const app = createApplication(store, { ownClock: false })
    const sub = newUser()
    await app.login(sub)
    failOver(-3)
    // The feed, or the next refresh, sees the new clock.
    expect((await app.refresh((await app.login()).refresh_token)).code).toBe('ok')
    const provedAt = Date.now() / 1000
    await new Promise((resolve) => setTimeout(resolve, 20))
    await app.auth.revokeSubject(sub)
    expect((await attempt(() => app.auth.sessions.start(sub, { provedAt }))).code).toBe('session_revoked')
  })
})
