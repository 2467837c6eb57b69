/**
 * Attacks on passwords, each with what the owner of the account sees meanwhile.
 */
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { AuthError } from '../../src/index.ts'
import { foldName, toAccountKey } from '../../src/routes/throttle/account-key.ts'
import { createMemoryLimiter } from '../../src/routes/throttle/memory-limiter.ts'
import { createThrottle, type Throttle } from '../../src/routes/throttle/throttle.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { createStoreThrottle, THROTTLES } from './throttles.ts'

const HOME = '198.51.100.7'
const HOTEL = '198.51.100.200'
const ATTACKER = '203.0.113.9'
const HOUR = 3_600_000
const DAY = 24 * HOUR

beforeEach(() => void vi.useFakeTimers({ now: 1_700_000_000_000 }))
afterEach(() => void vi.useRealTimers())

/** An application with one user, whose password is `right`. */
function createApplication(throttle: Throttle) {
  let looked = 0
  async function login(username: string, password: string, address: string | undefined): Promise<string> {
    try {
      return await throttle.run({ username, address }, () => {
        looked += 1
        return password === 'right' ? 'ok' : null
      })
    } catch (error) {
      return (error as AuthError).code
    }
  }
  return { throttle, login, looked: () => looked }
}

const WAYS: typeof THROTTLES = [
  ...THROTTLES,
  [
    'rate-limiter-flexible',
    // Its timers hold 24 days at most.
    () =>
      createThrottle(
        (settings) =>
          new RateLimiterMemory({ ...settings, duration: Math.min(settings.duration, 23 * 86_400) }),
      ),
  ],
]

describe.each(WAYS)('counted in %s', (_name, create) => {
  it('one address that never stops locks out no owner, wherever the owner is', async () => {
    const { login, looked } = createApplication(create())
    expect(await login('alice', 'right', HOME)).toBe('ok')
    for (let second = 0; second < 4 * 3600; second++) {
      await login('alice', 'wrong', ATTACKER)
      vi.advanceTimersByTime(1000)
      if (second % 600 !== 0) continue
      expect(await login('alice', 'right', HOME)).toBe('ok')
    }
    expect(looked()).toBeLessThan(120)
  })

  it('one address that never stops locks no new owner out of an unused account', async () => {
    const { login, looked } = createApplication(create())
    for (let second = 0; second < 2 * 3600; second++) {
      await login('alice', 'wrong', ATTACKER)
      vi.advanceTimersByTime(1000)
    }
    expect(looked()).toBeLessThanOrEqual(20)
    expect(await login('alice', 'right', HOTEL)).toBe('ok')
  })

  it('twenty addresses slow down strangers, and the owner at home notices nothing', async () => {
    const { login, looked } = createApplication(create())
    await login('alice', 'right', HOME)
    const before = looked()
    for (let minute = 0; minute < 60; minute++) {
      for (let i = 0; i < 20; i++) await login('alice', 'wrong', `203.0.113.${i}`)
      vi.advanceTimersByTime(60_000)
    }
    // Twenty at once, then one in five minutes.
    expect(looked() - before).toBeLessThanOrEqual(20 + 12)
    expect(await login('alice', 'right', HOTEL)).toBe('rate_limited')
    expect(await login('alice', 'right', HOME)).toBe('ok')
    // And that is what opens the account for the owner elsewhere.
    expect(await login('alice', 'right', HOTEL)).toBe('ok')
  })

  it('a botnet of 1,000 has at most 100 consecutive guesses, however long it takes', async () => {
    const { login, looked, throttle } = createApplication(create())
    await login('alice', 'right', HOME)
    const before = looked()
    for (let round = 0; round < 140; round++) {
      for (let i = 0; i < 8; i++) await login('alice', 'wrong', `203.0.${(i + round) % 250}.${i * 6}`)
      vi.advanceTimersByTime(round < 100 ? 300_000 : 4 * HOUR)
    }
    expect(looked() - before).toBeLessThanOrEqual(80)
    expect(await login('alice', 'right', HOTEL)).toBe('rate_limited')
    // The owner's own address still has its share, and more failures there do not add up to more
    // than 100.
    for (let i = 0; i < 40; i++) {
      await login('alice', 'wrong', HOME)
      vi.advanceTimersByTime(HOUR)
    }
    expect(looked() - before).toBeLessThanOrEqual(100)
    expect(await login('alice', 'right', HOTEL)).toBe('rate_limited')
    await throttle.reset({ username: 'alice' })
    expect(await login('alice', 'right', HOTEL)).toBe('ok')
  })

  it('a success under another spelling forgives nothing, because it may be the account of the attacker', async () => {
    const { login, looked } = createApplication(create())
    for (let i = 0; i < 400; i++) {
      await login('alice', 'wrong', `203.0.113.${i % 200}`)
      await login('Alice', 'right', ATTACKER)
      vi.advanceTimersByTime(300_000)
    }
    expect(looked() - 400).toBeLessThanOrEqual(80)
  })
})

describe('made-up names', () => {
  it('that fill the table slow down strangers, and refuse no one', async () => {
    const { login } = createApplication(
      createThrottle((settings) => createMemoryLimiter(settings, Date.now, 500)),
    )
    await login('alice', 'right', HOME)
    for (let i = 0; i < 9; i++) {
      await login('victim', 'wrong', ATTACKER)
      vi.advanceTimersByTime(i < 8 ? 10_000 : 0)
    }
    for (let i = 0; i < 5000; i++) {
      await login(`made-up-${i}`, 'wrong', `2001:db8:${(i >> 4).toString(16)}:${(i & 15).toString(16)}::1`)
    }
    // What was attacked in earnest is still known.
    expect(await login('victim', 'right', ATTACKER)).toBe('rate_limited')
    expect(await login('new user', 'right', HOTEL)).toBe('ok')
    expect(await login('another', 'wrong', HOTEL)).toBe('credentials_invalid')
    expect(await login('another', 'right', HOTEL)).toBe('rate_limited')
    vi.advanceTimersByTime(2000)
    expect(await login('another', 'right', HOTEL)).toBe('ok')
    for (let i = 0; i < 4; i++) expect(await login('alice', 'wrong', HOME)).toBe('credentials_invalid')
    expect(await login('alice', 'right', HOME)).toBe('ok')
  })
})

describe.each(THROTTLES)('an address, counted in %s', (_name, create) => {
  it('with an attacker behind it accepts its other users where they are known', async () => {
    const { login } = createApplication(create())
    await login('alice', 'right', HOME)
    for (let i = 0; i < 100; i++) await login(`name-${i}`, 'wrong', HOME)
    expect(await login('bob', 'right', HOME)).toBe('rate_limited')
    expect(await login('alice', 'right', HOME)).toBe('ok')
  })

  it('that is invalid counts as a shared one, known for no account', async () => {
    const { login } = createApplication(create())
    await login('alice', 'right', 'unknown')
    for (let i = 0; i < 30; i++) await login(`name-${i}`, 'wrong', `203.0.113.9, 10.0.0.${i}`)
    expect(await login('alice', 'right', 'garbage')).toBe('rate_limited')
    expect(await login('alice', 'right', HOME)).toBe('ok')
  })

  it('is forgotten for an account after 90 days without a success', async () => {
    const { login } = createApplication(create())
    await login('alice', 'right', HOME)
    vi.advanceTimersByTime(60 * DAY)
    await login('alice', 'right', HOME)
    vi.advanceTimersByTime(60 * DAY)
    const attack = async () => {
      for (let i = 0; i < 30; i++) await login('alice', 'wrong', `203.0.113.${i}`)
    }
    await attack()
    expect(await login('alice', 'right', HOME)).toBe('ok')
    vi.advanceTimersByTime(91 * DAY)
    await attack()
    expect(await login('alice', 'right', HOME)).toBe('rate_limited')
  })
})

describe.each(THROTTLES)('a subject that was looked up, counted in %s', (_name, create) => {
  it('is counted over all its names, before the password is compared', async () => {
    const throttle = create()
    let compared = 0
    const guess = (username: string, address: string): Promise<string | null> =>
      throttle
        .run<string>({ username, address }, async (countAgainst) => {
          await countAgainst('user-1')
          compared += 1
          return null
        })
        .catch((error: AuthError): string => error.code)
    const names = Array.from({ length: 100 }, (_, i) => `alias-${i}@example.com`)
    const ends = await Promise.all(names.map((name, i) => guess(name, i % 2 === 0 ? ATTACKER : HOTEL)))
    expect(compared).toBe(10)
    expect(ends.filter((end) => end === 'credentials_invalid')).toHaveLength(10)
    expect(ends.filter((end) => end === 'rate_limited')).toHaveLength(90)
    await throttle.reset({ subject: 'user-1' })
    vi.advanceTimersByTime(60_000)
    expect(await guess('alias-200@example.com', ATTACKER)).toBe('credentials_invalid')
  })

  it('refuses even if the application swallows the refusal', async () => {
    const throttle = create()
    const run = (username: string, result: string | null) =>
      throttle
        .run({ username, address: ATTACKER }, async (countAgainst) => {
          await countAgainst('user-1').catch(() => undefined)
          return result
        })
        .catch((error: AuthError) => error.code)
    for (let i = 0; i < 5; i++) await run(`alias-${i}`, null)
    expect(await run('alias-9', 'ok')).toBe('rate_limited')
  })

  it('takes any number of right passwords at once', async () => {
    const throttle = create()
    const right = Array.from({ length: 100 }, (_, i) =>
      throttle.run({ username: `alias-${i % 3}`, address: HOME }, async (countAgainst) => {
        await countAgainst('user-1')
        await Promise.resolve()
        return 'ok'
      }),
    )
    expect(new Set(await Promise.all(right))).toEqual(new Set(['ok']))
  })
})

describe.each(THROTTLES)('spellings of a name, counted in %s', (_name, create) => {
  it.each([
    ['alice', ['ALICE', 'álice', 'Ａlice', 'a\u0301lice', 'al\u00adice', 'ali\u200bce', 'alice  ', 'alıce']],
    ['strasse', ['straße', 'STRASSE', 'strase']],
    ['user7', ['user٧', 'user７', 'user➆', 'uſer7']],
    ['bjorn', ['bjørn', 'BJÖRN']],
    ['ælfred', ['aelfred']],
  ])('%s: one account', (name, spellings) => {
    for (const spelling of spellings) expect(foldName(spelling), spelling).toBe(foldName(name))
  })

  it('are distinct if they differ, and in each realm', () => {
    expect(foldName('bob')).not.toBe(foldName('rob'))
    expect(foldName('user1')).not.toBe(foldName('user2'))
    expect(foldName('李')).not.toBe(foldName('王'))
    expect(toAccountKey('alice', 'staff')).not.toEqual(toAccountKey('alice', null))
  })

  it('by the hundred do not evade the limit', async () => {
    const { login, looked } = createApplication(create())
    const marks = Array.from(
      { length: 900 },
      (_, i) => `a${String.fromCodePoint(0x300 + (i % 60))}lice${' '.repeat(i / 60)}`,
    )
    for (const [i, name] of marks.entries()) await login(name, 'wrong', `203.0.${i >> 8}.${i & 255}`)
    expect(looked()).toBeLessThanOrEqual(21)
  })
})

describe('two processes that share a store', () => {
  const create = (): readonly [
    ReturnType<typeof createApplication>,
    ReturnType<typeof createApplication>,
  ] => {
    const store = memoryStore()
    return [createApplication(createStoreThrottle(store)), createApplication(createStoreThrottle(store))]
  }

  it('the owner is known to one after a login at the other', async () => {
    const [one, other] = create()
    expect(await other.login('alice', 'wrong', HOME)).toBe('credentials_invalid')
    expect(await one.login('alice', 'right', HOME)).toBe('ok')
    // Strangers use up their share; the owner, whom the other process took for one, has another.
    for (let i = 0; i < 40; i++) await one.login('alice', 'wrong', `203.0.113.${i}`)
    expect(await one.login('alice', 'right', HOTEL)).toBe('rate_limited')
    for (let i = 0; i < 4; i++) expect(await other.login('alice', 'wrong', HOME)).toBe('credentials_invalid')
    expect(await other.login('alice', 'right', HOME)).toBe('ok')
  })

  it('a reset at one ends the waits at the other', async () => {
    const [one, other] = create()
    for (let i = 0; i < 8; i++) await other.login('alice', 'wrong', HOME)
    expect(await other.login('alice', 'right', HOME)).toBe('rate_limited')
    await one.throttle.reset({ username: 'alice' })
    for (let i = 0; i < 4; i++) expect(await other.login('alice', 'wrong', HOME)).toBe('credentials_invalid')
    expect(await other.login('alice', 'right', HOME)).toBe('ok')
  })
})
