import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { AuthError, ConfigurationError, createAuth } from '../../src/index.ts'
import { toIpPrefix } from '../../src/routes/throttle/ip-prefix.ts'
import { createMemoryLimiter } from '../../src/routes/throttle/memory-limiter.ts'
import { createThrottle } from '../../src/routes/throttle/throttle.ts'
import { type AuthRoutesOptions, authRoutes, type Limiter } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'
const ADDRESS = '203.0.113.9'

beforeEach(() => void vi.useFakeTimers({ now: 1_700_000_000_000 }))
afterEach(() => void vi.useRealTimers())

/** How an attempt ends: `ok`, or its code and when to try again. */
async function outcome(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt
    return 'ok'
  } catch (error) {
    const { code, detail } = error as AuthError
    return detail === undefined ? code : `${code} ${JSON.stringify(detail)}`
  }
}
const limited = (seconds: number): string => `rate_limited {"retryAfter":${seconds}}`

describe('an account', () => {
  it('has five failures for free, then waits that double up to 15 minutes', async () => {
    const throttle = createThrottle({})
    const fail = (): Promise<string> => outcome(throttle.run('alice', undefined, () => null))
    for (let i = 0; i < 5; i++) expect(await fail()).toBe('credentials_invalid')
    for (const wait of [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]) {
      expect(await fail()).toBe(limited(wait))
      // Whoever does not wait makes it no longer.
      expect(await fail()).toBe(limited(wait))
      vi.advanceTimersByTime(wait * 1000 - 10)
      expect(await fail()).toBe(limited(1))
      vi.advanceTimersByTime(10)
      expect(await fail()).toBe('credentials_invalid')
    }
  })

  it('is forgiven everything by the right password', async () => {
    const throttle = createThrottle({})
    const fail = (): Promise<string> => outcome(throttle.run('alice', undefined, () => null))
    for (let i = 0; i < 5; i++) await fail()
    vi.advanceTimersByTime(1000)
    expect(await throttle.run('alice', undefined, () => 'alice')).toBe('alice')
    for (let i = 0; i < 5; i++) expect(await fail()).toBe('credentials_invalid')
    expect(await fail()).toBe(limited(1))
  })

  it('lets exactly five of a thousand attempts at once reach the password', async () => {
    const throttle = createThrottle({})
    let looked = 0
    const attempts = Array.from({ length: 1000 }, () =>
      outcome(
        throttle.run('alice', undefined, async () => {
          looked += 1
          await Promise.resolve()
          return null
        }),
      ),
    )
    const ends = await Promise.all(attempts)
    expect(looked).toBe(5)
    expect(new Set(ends)).toEqual(new Set(['credentials_invalid', limited(1)]))
    // And the flood has made nobody wait longer than one second.
    vi.advanceTimersByTime(1000)
    expect(await throttle.run('alice', undefined, () => 'alice')).toBe('alice')
  })

  it('is charged where the application itself says that the password is wrong', async () => {
    const throttle = createThrottle({})
    const wrong = (): Promise<string> =>
      outcome(throttle.run('alice', ADDRESS, () => Promise.reject(new AuthError('credentials_invalid'))))
    for (let i = 0; i < 5; i++) expect(await wrong()).toBe('credentials_invalid')
    expect(await wrong()).toBe(limited(1))
  })

  it('takes any number of right passwords at once', async () => {
    const throttle = createThrottle({})
    const attempts = Array.from({ length: 100 }, (_, i) =>
      throttle.run('alice', undefined, async () => {
        await Promise.resolve()
        return i
      }),
    )
    expect(await Promise.all(attempts)).toEqual(Array.from({ length: 100 }, (_, i) => i))
  })

  it('lets a right password at the same moment as many wrong ones open no door for them but the usual', async () => {
    const throttle = createThrottle({})
    let looked = 0
    const attempts = Array.from({ length: 200 }, (_, i) =>
      outcome(
        throttle.run('alice', undefined, async () => {
          looked += 1
          await Promise.resolve()
          return i === 2 ? 'alice' : null
        }),
      ),
    )
    const ends = await Promise.all(attempts)
    expect(ends.filter((end) => end === 'ok')).toHaveLength(1)
    expect(looked).toBeLessThanOrEqual(10)
  })

  it('is one account however its name is written', async () => {
    const throttle = createThrottle({})
    for (const name of ['alice', 'Alice', 'ALICE', ' alice ', '\uff41lice'])
      await outcome(throttle.run(name, undefined, () => null))
    expect(await outcome(throttle.run('aLiCe', undefined, () => null))).toBe(limited(1))
    expect(await outcome(throttle.run('bob', undefined, () => null))).toBe('credentials_invalid')
  })

  it('does not pay for an attempt that nobody could judge', async () => {
    const throttle = createThrottle({})
    const broken = (): Promise<string> =>
      outcome(
        throttle.run('alice', ADDRESS, () => Promise.reject(Object.assign(new Error('down'), { code: 'X' }))),
      )
    for (let i = 0; i < 50; i++) expect(await broken()).toBe('X')
    expect(await throttle.run('alice', ADDRESS, () => 'alice')).toBe('alice')
  })
})

describe('an address', () => {
  it('has twenty failures a minute over all accounts', async () => {
    const throttle = createThrottle({})
    const fail = (name: string): Promise<string> => outcome(throttle.run(name, ADDRESS, () => null))
    for (let i = 0; i < 20; i++) expect(await fail(`user-${i}`)).toBe('credentials_invalid')
    vi.advanceTimersByTime(30_000)
    expect(await fail('another')).toBe(limited(30))
    expect(await outcome(throttle.run('another', '198.51.100.7', () => null))).toBe('credentials_invalid')
    vi.advanceTimersByTime(30_000)
    expect(await fail('another')).toBe('credentials_invalid')
  })

  it('is not limited in what succeeds', async () => {
    const throttle = createThrottle({})
    for (let i = 0; i < 100; i++) expect(await throttle.run(`user-${i}`, ADDRESS, () => i)).toBe(i)
  })

  it('is not charged for attempts that its account refused', async () => {
    const throttle = createThrottle({})
    for (let i = 0; i < 100; i++) await outcome(throttle.run('alice', ADDRESS, () => null))
    expect(await throttle.run('bob', ADDRESS, () => 'bob')).toBe('bob')
  })

  it('that is used up leaves the accounts alone', async () => {
    const throttle = createThrottle({})
    for (let i = 0; i < 100; i++) await outcome(throttle.run(`user-${i}`, ADDRESS, () => null))
    expect(await outcome(throttle.run('alice', ADDRESS, () => 'alice'))).toBe(limited(60))
    expect(await throttle.run('alice', '198.51.100.7', () => 'alice')).toBe('alice')
  })

  it.each([
    ['203.0.113.9', '203.0.113.9'],
    ['::ffff:203.0.113.9', '203.0.113.9'],
    ['::FFFF:CB00:7109', '203.0.113.9'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002::1', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['64:ff9b::203.0.113.9', '64:ff9b:0:0::/64'],
    ['nonsense', 'nonsense'],
    ['', ''],
    [':::::::::::', '0:0:0:0::/64'],
  ])('%s is counted as %s', (address, network) => expect(toIpPrefix(address)).toBe(network))

  it('of hostile length is cut', () => expect(toIpPrefix('1'.repeat(100_000)).length).toBeLessThan(100))
})

describe('a limiter that is out of order', () => {
  it('lets nobody try: 503', async () => {
    const broken: Limiter = {
      consume: () => Promise.reject(new Error('connection refused')),
      reward: () => Promise.reject(new Error('connection refused')),
      delete: () => Promise.reject(new Error('connection refused')),
    }
    let looked = false
    const throttle = createThrottle({ createLimiter: () => broken })
    const attempt = throttle.run('alice', undefined, () => {
      looked = true
      return 'alice'
    })
    expect(await outcome(attempt)).toBe('store_unavailable {"retryAfter":1}')
    expect(looked).toBe(false)
  })

  it('after the password was right refuses nobody', async () => {
    const forgetful: Limiter = {
      consume: async () => ({ consumedPoints: 1, msBeforeNext: 1000 }),
      reward: () => Promise.reject(new Error('gone')),
      delete: () => Promise.reject(new Error('gone')),
    }
    const throttle = createThrottle({ createLimiter: () => forgetful })
    expect(await throttle.run('alice', ADDRESS, () => 'alice')).toBe('alice')
  })
})

describe('the memory of a process', () => {
  const settings = { keyPrefix: 'x', points: 1_000_000, duration: 3600 }
  const isOut = (attempt: Promise<unknown>): Promise<boolean> =>
    attempt.then(
      () => false,
      () => true,
    )

  it('keeps no more keys than it says', async () => {
    const limiter = createMemoryLimiter(settings, 100)
    for (let i = 0; i < 1000; i++) expect(await isOut(limiter.consume(`key-${i}`))).toBe(false)
    // The newest is known, the oldest is forgotten.
    expect((await limiter.consume('key-999')).consumedPoints).toBe(2)
    expect((await limiter.consume('key-0')).consumedPoints).toBe(1)
    expect(vi.getTimerCount()).toBeLessThanOrEqual(100)
  })

  it('never forgets a key that may be blocked, and refuses new ones when it is full of them', async () => {
    const limiter = createMemoryLimiter(settings, 10)
    for (let i = 0; i < 10; i++) for (let n = 0; n < 5; n++) await limiter.consume(`blocked-${i}`)
    for (let i = 0; i < 200; i++) expect(await isOut(limiter.consume(`key-${i}`))).toBe(true)
    for (let i = 0; i < 10; i++) expect((await limiter.consume(`blocked-${i}`)).consumedPoints).toBe(6)
    vi.advanceTimersByTime(3_600_000)
    expect(await isOut(limiter.consume('key'))).toBe(false)
  })
})

describe('authRoutes', () => {
  const request = (password: string, username = 'alice'): Request =>
    new Request('http://localhost/auth/login', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username, password }),
    })
  const toRoutes = (options: Partial<AuthRoutesOptions<object>> = {}, stateful = true) => {
    let looked = 0
    const auth = createAuth({ secret: SECRET, ...(stateful && { sessions: { store: memoryStore() } }) })
    const handle = authRoutes(auth, {
      verifyCredentials: ({ username, password }) => {
        looked += 1
        return password === 'right' ? { subject: username } : null
      },
      ...options,
    } as AuthRoutesOptions<object>)
    return { auth, handle, looked: () => looked }
  }

  it('limits logins: 429 with Retry-After and retry_after, and no look at the password', async () => {
    const { handle, looked } = toRoutes()
    for (let i = 0; i < 5; i++)
      expect((await handle(request('wrong'), { address: ADDRESS })).status).toBe(401)
    const refused = await handle(request('right'), { address: ADDRESS })
    expect(refused.status).toBe(429)
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(refused.headers.get('www-authenticate')).toBeNull()
    expect(await refused.json()).toEqual({
      message: 'Too many requests',
      error_type: 'RateLimitExceededError',
      code: 'rate_limited',
      retry_after: 1,
    })
    expect(looked()).toBe(5)
    vi.advanceTimersByTime(1000)
    expect((await handle(request('right'), { address: ADDRESS })).status).toBe(200)
  })

  it('answers the same for a user that does not exist', async () => {
    const { handle } = toRoutes()
    const bodies = async (username: string): Promise<string[]> => {
      const answers: string[] = []
      for (let i = 0; i < 7; i++) {
        const { status, headers, ...answer } = await handle(request('wrong', username)).then(
          async (response) => ({
            status: response.status,
            headers: [...response.headers],
            text: await response.text(),
          }),
        )
        answers.push(`${status} ${JSON.stringify(headers)} ${answer.text}`)
      }
      return answers
    }
    expect(await bodies('nobody')).toEqual(await bodies('alice'))
  })

  it('does not count bodies that are no attempt', async () => {
    const { handle } = toRoutes()
    for (let i = 0; i < 50; i++) expect((await handle(request(''))).status).toBe(400)
    expect((await handle(request('right'))).status).toBe(200)
  })

  it('limits step-up without sessions by the account, with sessions by the session', async () => {
    for (const stateful of [false, true]) {
      const { auth, handle } = toRoutes({}, stateful)
      const { access_token } = await auth.createTokenPair('alice')
      const prove = (password: string): Promise<Response> =>
        handle(
          new Request('http://localhost/auth/verify-password', {
            method: 'POST',
            headers: { 'content-type': 'application/json', authorization: `Bearer ${access_token}` },
            body: JSON.stringify({ password }),
          }),
        )
      for (let i = 0; i < 5; i++) expect((await prove('wrong')).status).toBe(401)
      expect((await prove('right')).status).toBe(429)
      // A thief's tries at the step-up keep nobody from logging in.
      expect((await handle(request('right'))).status).toBe(stateful ? 200 : 429)
    }
  })

  it('warns once of an address that it does not learn', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const { handle } = toRoutes()
    for (let i = 0; i < 3; i++) await handle(request('right'), { address: ADDRESS })
    expect(warn).not.toHaveBeenCalled()
    for (let i = 0; i < 3; i++) await handle(request('right'))
    expect(warn).toHaveBeenCalledExactlyOnceWith(
      expect.stringContaining('address'),
      expect.objectContaining({ code: 'TOKENWRIGHT_NO_ADDRESS' }),
    )
    warn.mockClear()
    await toRoutes({ throttle: false }).handle(request('right'))
    expect(warn).not.toHaveBeenCalled()
  })

  it('limits nothing with `throttle: false`', async () => {
    const { handle, looked } = toRoutes({ throttle: false })
    for (let i = 0; i < 30; i++)
      expect((await handle(request('wrong'), { address: ADDRESS })).status).toBe(401)
    expect(looked()).toBe(30)
  })

  it.each([[true], [5], ['memory'], [{ createLimiter: 5 }], [{ limiter: () => undefined }], [null]])(
    'refuses throttle: %j',
    (throttle) => expect(() => toRoutes({ throttle: throttle as never })).toThrow(ConfigurationError),
  )
})
