import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { toIpPrefix } from '../../src/http/ip-prefix.ts'
import { AuthError, ConfigurationError, createAuth } from '../../src/index.ts'
import { createMemoryLimiter } from '../../src/routes/throttle/memory-limiter.ts'
import { createThrottle } from '../../src/routes/throttle/throttle.ts'
import { type AuthRoutesOptions, authRoutes, type Limiter } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { THROTTLES } from './throttles.ts'

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

describe.each(THROTTLES)('an account, counted in %s', (_name, create) => {
  it('has five free failures, then waits that double up to 15 minutes', async () => {
    const throttle = create()
    const fail = (): Promise<string> =>
      outcome(throttle.run({ username: 'alice', address: undefined }, () => null))
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
    const throttle = create()
    const fail = (): Promise<string> =>
      outcome(throttle.run({ username: 'alice', address: undefined }, () => null))
    for (let i = 0; i < 5; i++) await fail()
    vi.advanceTimersByTime(1000)
    expect(await throttle.run({ username: 'alice', address: undefined }, () => 'alice')).toBe('alice')
    for (let i = 0; i < 5; i++) expect(await fail()).toBe('credentials_invalid')
    expect(await fail()).toBe(limited(1))
  })

  it('lets exactly five of a thousand attempts at once reach the password', async () => {
    const throttle = create()
    let looked = 0
    const attempts = Array.from({ length: 1000 }, () =>
      outcome(
        throttle.run({ username: 'alice', address: undefined }, async () => {
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
    expect(await throttle.run({ username: 'alice', address: undefined }, () => 'alice')).toBe('alice')
  })

  it('counts a failure if the application itself says that the password is wrong', async () => {
    const throttle = create()
    const wrong = (): Promise<string> =>
      outcome(
        throttle.run({ username: 'alice', address: ADDRESS }, () =>
          Promise.reject(new AuthError('credentials_invalid')),
        ),
      )
    for (let i = 0; i < 5; i++) expect(await wrong()).toBe('credentials_invalid')
    expect(await wrong()).toBe(limited(1))
  })

  it('accepts any number of right passwords at once', async () => {
    const throttle = create()
    const attempts = Array.from({ length: 100 }, (_, i) =>
      throttle.run({ username: 'alice', address: undefined }, async () => {
        await Promise.resolve()
        return i
      }),
    )
    expect(await Promise.all(attempts)).toEqual(Array.from({ length: 100 }, (_, i) => i))
  })

  it('checks no more wrong passwords beside a right one than usual', async () => {
    const throttle = create()
    let looked = 0
    const attempts = Array.from({ length: 200 }, (_, i) =>
      outcome(
        throttle.run({ username: 'alice', address: undefined }, async () => {
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
    const throttle = create()
    for (const name of ['alice', 'Alice', 'ALICE', ' alice ', '\uff41lice'])
      await outcome(throttle.run({ username: name, address: undefined }, () => null))
    expect(await outcome(throttle.run({ username: 'aLiCe', address: undefined }, () => null))).toBe(
      limited(1),
    )
    expect(await outcome(throttle.run({ username: 'bob', address: undefined }, () => null))).toBe(
      'credentials_invalid',
    )
  })

  it('does not count an attempt that could not be checked', async () => {
    const throttle = create()
    const broken = (): Promise<string> =>
      outcome(
        throttle.run({ username: 'alice', address: ADDRESS }, () =>
          Promise.reject(Object.assign(new Error('down'), { code: 'X' })),
        ),
      )
    for (let i = 0; i < 50; i++) expect(await broken()).toBe('X')
    expect(await throttle.run({ username: 'alice', address: ADDRESS }, () => 'alice')).toBe('alice')
  })
})

describe.each(THROTTLES)('an address, counted in %s', (_name, create) => {
  it('has twenty failures a minute over all accounts', async () => {
    const throttle = create()
    const fail = (name: string): Promise<string> =>
      outcome(throttle.run({ username: name, address: ADDRESS }, () => null))
    for (let i = 0; i < 20; i++) expect(await fail(`user-${i}`)).toBe('credentials_invalid')
    vi.advanceTimersByTime(30_000)
    expect(await fail('another')).toBe(limited(30))
    expect(await outcome(throttle.run({ username: 'another', address: '198.51.100.7' }, () => null))).toBe(
      'credentials_invalid',
    )
    vi.advanceTimersByTime(30_000)
    expect(await fail('another')).toBe('credentials_invalid')
  })

  it('is not limited in successful logins', async () => {
    const throttle = create()
    for (let i = 0; i < 100; i++)
      expect(await throttle.run({ username: `user-${i}`, address: ADDRESS }, () => i)).toBe(i)
  })

  it('counts attempts that its account refused', async () => {
    const throttle = create()
    for (let i = 0; i < 100; i++)
      await outcome(throttle.run({ username: 'alice', address: ADDRESS }, () => null))
    const bob = { username: 'bob', address: ADDRESS }
    expect(await outcome(throttle.run(bob, () => 'bob'))).toBe(limited(60))
    vi.advanceTimersByTime(60_000)
    expect(await throttle.run(bob, () => 'bob')).toBe('bob')
  })

  it('that has reached its limit does not affect the accounts', async () => {
    const throttle = create()
    for (let i = 0; i < 100; i++)
      await outcome(throttle.run({ username: `user-${i}`, address: ADDRESS }, () => null))
    expect(await outcome(throttle.run({ username: 'alice', address: ADDRESS }, () => 'alice'))).toBe(
      limited(60),
    )
    expect(await throttle.run({ username: 'alice', address: '198.51.100.7' }, () => 'alice')).toBe('alice')
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
    ['203.0.113.9:40000', '203.0.113.9'],
    ['[2001:db8:1:2::7]:40000', '2001:db8:1:2::/64'],
    ['[2001:db8:1:2::7]', '2001:db8:1:2::/64'],
    ['203.0.113.9, 10.0.0.7', 'unknown'],
    ['203.0.113.256', 'unknown'],
    ['2001:db8::1::2', 'unknown'],
    ['1:2:3:4:5:6:7:8:9', 'unknown'],
    ['nonsense', 'unknown'],
    ['', 'unknown'],
    [':::::::::::', 'unknown'],
  ])('%s is counted as %s', (address, network) => expect(toIpPrefix(address)).toBe(network))

  it('of hostile length is cut', () => expect(toIpPrefix('1'.repeat(100_000)).length).toBeLessThan(100))
})

describe('a limiter that fails', () => {
  const down = (): Promise<never> => Promise.reject(new Error('connection refused'))

  it.each([
    new Error('connection refused'),
    runInNewContext('new Error("connection refused")'),
    undefined,
    'no connection',
  ])('lets no one try: 503 (%o)', async (reason) => {
    const down = (): Promise<never> => Promise.reject(reason)
    let looked = false
    const throttle = createThrottle(() => ({ consume: down, get: down, reward: down, delete: down }))
    const attempt = throttle.run({ username: 'alice', address: undefined }, () => {
      looked = true
      return 'alice'
    })
    expect(await outcome(attempt)).toBe('store_unavailable {"retryAfter":1}')
    expect(looked).toBe(false)
  })

  it('refuses no one after the password was right', async () => {
    const forgetful: Limiter = {
      consume: async () => ({ consumedPoints: 1, msBeforeNext: 1000 }),
      get: down,
      reward: down,
      delete: down,
    }
    const throttle = createThrottle(() => forgetful)
    expect(await throttle.run({ username: 'alice', address: ADDRESS }, () => 'alice')).toBe('alice')
  })

  it.each([[undefined], ['redis'], [{}], [{ consume() {}, reward() {}, delete() {} }]])(
    'is refused at the start if it is invalid: %j',
    (limiter) =>
      expect(() =>
        authRoutes(createAuth({ secret: SECRET }), {
          verifyCredentials: () => null,
          throttle: { createLimiter: () => limiter as never },
        }),
      ).toThrow(/throttle\.createLimiter.*rate-limiter-flexible/),
  )
})

describe('the memory of a process', () => {
  const settings = { keyPrefix: 'x', points: 1_000_000, duration: 3600 }

  it('keeps no more keys than its limit, and forgets those with the fewest attempts', async () => {
    const limiter = createMemoryLimiter(settings, Date.now, 100)
    for (let i = 0; i < 10; i++) for (let n = 0; n < 5; n++) await limiter.consume(`attacked-${i}`)
    for (let i = 0; i < 1000; i++) await limiter.consume(`key-${i}`)
    expect((await limiter.consume('key-999')).consumedPoints).toBe(2)
    expect(await limiter.get('key-0')).toBeNull()
    for (let i = 0; i < 10; i++) expect((await limiter.get(`attacked-${i}`))?.consumedPoints).toBe(5)
  })

  it('reports that it is full, and has space again when its keys expire', async () => {
    const limiter = createMemoryLimiter(settings, Date.now, 10)
    for (let i = 0; i < 10; i++) expect((await limiter.consume(`key-${i}`)).isFull).toBe(false)
    expect((await limiter.consume('last')).isFull).toBe(true)
    vi.advanceTimersByTime(3_600_000)
    expect(await limiter.get('last')).toBeNull()
    expect((await limiter.consume('another')).isFull).toBe(false)
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

  it('limits logins: 429 with Retry-After and retry_after, without checking the password', async () => {
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

  it('sends the same response for a user that does not exist', async () => {
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

  it('does not count bodies that are not an attempt', async () => {
    const { handle } = toRoutes()
    for (let i = 0; i < 50; i++) expect((await handle(request(''))).status).toBe(400)
    expect((await handle(request('right'))).status).toBe(200)
  })

  it.each([[true], [false]])('lets login and step-up share their limits (sessions: %s)', async (stateful) => {
    const { auth, handle } = toRoutes({}, stateful)
    const { access_token } = await auth.createTokenPair('alice')
    const stepUp = (password: string, address: string): Promise<Response> =>
      handle(
        new Request('http://localhost/auth/verify-password', {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: `Bearer ${access_token}` },
          body: JSON.stringify({ password }),
        }),
        { address },
      )
    // The owner has signed in from home. A run of right answers costs nothing.
    const home = '198.51.100.7'
    for (let i = 0; i < 20; i++) expect((await handle(request('right'), { address: home })).status).toBe(200)
    for (let i = 0; i < 20; i++) expect((await stepUp('right', home)).status).toBe(200)
    // A thief with the token.
    for (let i = 0; i < 3; i++) expect((await stepUp('wrong', ADDRESS)).status).toBe(401)
    for (let i = 0; i < 2; i++)
      expect((await handle(request('wrong'), { address: ADDRESS })).status).toBe(401)
    expect((await stepUp('right', ADDRESS)).status).toBe(429)
    expect((await handle(request('right'), { address: ADDRESS })).status).toBe(429)
    expect((await stepUp('right', home)).status).toBe(200)
    expect((await handle(request('right'), { address: home })).status).toBe(200)
  })

  it('warns once if it does not get the address', async () => {
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

  it('accepts null for an unknown address, for example of a missing header', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const { handle } = toRoutes({ address: ({ headers }) => headers.get('x-real-ip') })
    expect((await handle(request('right'))).status).toBe(200)
    expect(warn).toHaveBeenCalledExactlyOnceWith(
      expect.stringContaining('address'),
      expect.objectContaining({ code: 'TOKENWRIGHT_NO_ADDRESS' }),
    )
  })

  it('reports an address that is not a string to the operator, and tries no password', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const { handle } = toRoutes({ address: () => 7 as never })
    expect((await handle(request('right'))).status).toBe(500)
    expect(warn).toHaveBeenCalledExactlyOnceWith(
      'Expected `address` to be a function that returns a text, got 7 (number)',
      expect.objectContaining({ code: 'TOKENWRIGHT_MISCONFIGURED' }),
    )
  })

  it('warns once of a proxy whose address all clients share', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const forwarded = () => {
      const forwardedRequest = request('right')
      forwardedRequest.headers.set('x-forwarded-for', '192.0.2.1')
      return forwardedRequest
    }
    const { handle } = toRoutes()
    for (let i = 0; i < 3; i++) await handle(forwarded(), { address: ADDRESS })
    expect(warn).toHaveBeenCalledExactlyOnceWith(
      expect.stringContaining('x-forwarded-for'),
      expect.objectContaining({ code: 'TOKENWRIGHT_PROXY_ADDRESS' }),
    )
    warn.mockClear()
    await toRoutes({ address: () => ADDRESS }).handle(forwarded())
    await toRoutes({ throttle: false }).handle(forwarded())
    expect(warn).not.toHaveBeenCalled()
  })

  it.each([
    [undefined, 'undefined'],
    [false, 'false'],
    [true, 'true'],
    ['alice', 'a value of type string'],
    [{}, 'an object without it'],
    [{ subject: '' }, 'an object without it'],
    [{ subject: 7 }, 'an object without it'],
    [[], 'a value of type object'],
  ])(
    'tells the operator once that `verifyCredentials` returned %j, and counts a failure',
    async (result, got) => {
      const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
      const { handle } = toRoutes({ verifyCredentials: () => result as never })
      for (let i = 0; i < 5; i++) {
        const answer = await handle(request('wrong'), { address: ADDRESS })
        expect(answer.status).toBe(500)
        expect(await answer.json()).toMatchObject({ code: 'configuration_invalid' })
      }
      expect((await handle(request('wrong'), { address: ADDRESS })).status).toBe(429)
      expect(warn).toHaveBeenCalledExactlyOnceWith(
        expect.stringContaining(got),
        expect.objectContaining({ code: 'TOKENWRIGHT_MISCONFIGURED' }),
      )
    },
  )

  it.each([
    ['verifyCredentials', 10],
    ['address', 5],
  ] as const)('gives up on `%s` after %d s: 503', async (name, seconds) => {
    const { handle } = toRoutes({ [name]: () => new Promise<never>(() => undefined) })
    const answer = handle(request('right'), { address: ADDRESS })
    await vi.advanceTimersByTimeAsync(seconds * 1000)
    expect((await answer).status).toBe(503)
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
