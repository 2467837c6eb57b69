/** Times and lengths in the wrong unit are refused by plausibility, wherever one is taken. */
import { describe, expect, it } from 'vitest'
import { createAuth } from '../../src/auth/create-auth.ts'
import { createAuthClient } from '../../src/client.ts'
import { toSeconds } from '../../src/internal/duration.ts'
import { authRoutes } from '../../src/routes.ts'
import type { Store } from '../../src/session/store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { actingAs } from '../../src/testing.ts'
import { createKeyRing, generateKey } from '../../src/token/key-ring.ts'
import { claimsOf, codeOf, complaintOf, errorOf, forge, NOW, SECRET, setUp } from '../token/forge.ts'

const MILLISECONDS = NOW * 1000
/** A Date made of seconds, as if they were milliseconds. */
const MISREAD = new Date(NOW)

describe('a clock in milliseconds', () => {
  const wanted =
    /^ConfigurationError: Expected `clock\(\)` to be a number of epoch seconds, .* as milliseconds are$/

  it.each<readonly [string, () => unknown]>([
    ['issuing', () => createAuth({ secret: SECRET, clock: Date.now }).createAccessToken('u')],
    ['verifying', () => createAuth({ secret: SECRET, clock: Date.now }).verifyToken(forge(claimsOf()))],
    ['now()', async () => createAuth({ secret: SECRET, clock: Date.now }).now()],
    [
      'a session',
      () =>
        createAuth({
          secret: SECRET,
          clock: Date.now,
          sessions: { store: memoryStore() },
        }).sessions.start('u'),
    ],
    ['a memory store', () => memoryStore({ clock: Date.now }).now()],
  ])('is not believed: %s', async (_, act) => {
    expect(await complaintOf(act)).toMatch(wanted)
  })

  it.each([undefined, '1800000000', new Date(), 1_800_000_000n])(
    'nor is one that returns %s',
    async (now) => {
      const auth = createAuth({ secret: SECRET, clock: () => now as never })
      expect(await complaintOf(() => auth.createAccessToken('u'))).toMatch(
        /`clock\(\)` to be a number of epoch/,
      )
    },
  )

  it('of a store is a mistake of the store, not an outage', async () => {
    const store: Store = { ...memoryStore(), now: async () => Date.now() }
    const auth = createAuth({ secret: SECRET, sessions: { store } })
    expect(await complaintOf(() => auth.sessions.start('u'))).toMatch(
      /^ConfigurationError: Expected `store\.now\(\)` to be .*epoch seconds, .*looks like milliseconds$/,
    )
  })
})

describe('a moment', () => {
  const { auth } = setUp({ sessions: { store: memoryStore() } })
  const ed = generateKey('EdDSA')
  const takers: readonly (readonly [string, (at: Date | number) => unknown])[] = [
    ['provedAt', (at) => auth.sessions.start('u', { provedAt: at })],
    ['authTime', (at) => auth.createAccessToken('u', { authTime: at })],
    ['authTime', (at) => auth.createTokenPair('u', { authTime: at })],
    ['expiresAt', (at) => auth.createAccessToken('u', { expiresAt: at })],
    ['notBefore', (at) => auth.createAccessToken('u', { notBefore: at })],
    ['verifying[0].notAfter', async (at) => createKeyRing({ verifying: [{ ...ed, notAfter: at }] as never })],
  ]

  it.each(takers)('as `%s` is neither milliseconds nor a Date made of seconds', async (name, take) => {
    const named = name.replace(/[[\]]/g, '\\$&')
    expect(await complaintOf(() => take(MILLISECONDS))).toMatch(
      new RegExp(
        `Error: Expected \`${named}\` to be a Date or a number of epoch seconds, .*; that looks like milliseconds$`,
      ),
    )
    expect(await complaintOf(() => take(MISREAD))).toMatch(
      new RegExp(
        `Error: Expected \`${named}\` .* of 1970; that looks like seconds, and a Date is made of milliseconds$`,
      ),
    )
    expect(await complaintOf(() => take(Number.NaN))).toMatch(new RegExp(`Expected \`${named}\``))
  })

  it('that is plausible is taken', async () => {
    for (const provedAt of [NOW - 1, NOW - 0.5, new Date((NOW - 1) * 1000)])
      expect(await auth.sessions.start('u', { provedAt })).toMatchObject({ token_type: 'bearer' })
    expect(await auth.createAccessToken('u', { authTime: 0 })).toEqual(expect.any(String))
    expect(await auth.createAccessToken('u', { authTime: new Date(0) })).toEqual(expect.any(String))
  })

  it('as `exp` of another library is no life of 50,000 years', async () => {
    const { auth: other } = setUp({ interop: true })
    const error = await errorOf(() => other.verifyToken(forge(claimsOf({ exp: MILLISECONDS }))))
    expect(error).toMatchObject({ code: 'token_malformed' })
    expect(String((error as Error).cause)).toContain('The claim `exp` looks like milliseconds')
    expect(await codeOf(() => other.verifyToken(forge(claimsOf({ exp: NOW + 40 * 365 * 86_400 }))))).toBe(
      'accepted',
    )
  })
})

describe('a length', () => {
  const YEAR = { min: 1, max: 400 * 86_400 }
  const MINUTES = { min: 0, max: 300 }

  it.each([15_000, 30_000, 45_000, 60_000, 90_000, 900_000, 3_600_000, 86_400_000])(
    'of %d is milliseconds',
    async (value) => {
      expect(await complaintOf(() => toSeconds('x', value, YEAR))).toContain('looks like milliseconds')
    },
  )

  it.each([5000, 30_000, 1500, 300_000])(
    'of %d is milliseconds where minutes are the most',
    async (value) => {
      expect(await complaintOf(() => toSeconds('x', value, MINUTES))).toContain('looks like milliseconds')
    },
  )

  it('is milliseconds where an hour is the most, and it is whole seconds of them', async () => {
    for (const deadline of [1000, 2000, 5000])
      expect(await complaintOf(() => redisStore({} as never, { deadline }))).toContain(
        'looks like milliseconds',
      )
  })

  it.each([
    1,
    10,
    60,
    300,
    900,
    1000,
    3600,
    5000,
    7200,
    10_000,
    36_000,
    43_200,
    86_400,
    100_000,
    172_800,
    604_800,
    1_728_000,
    2_592_000,
    7_776_000,
    31_536_000,
    34_560_000 - 1,
  ])('of %d is seconds', (value) => {
    expect(toSeconds('x', value, YEAR)).toBe(value)
  })

  it('of the client is seconds', () => {
    for (const timeout of [10_000, 601, 0, -1, Number.NaN])
      expect(() => createAuthClient({ baseUrl: 'https://api.example', timeout })).toThrow(
        /`timeout` is in seconds, at most 600/,
      )
    expect(() => createAuthClient({ baseUrl: 'https://api.example', timeout: 600 })).not.toThrow()
  })

  it('of an actor is seconds', async () => {
    const actor = actingAs(setUp().auth, 'u', { age: 900_000 })
    expect(await complaintOf(() => actor.token())).toMatch(/`age` .*looks like milliseconds/)
  })
})

it('a limiter that gives a moment for a length locks no one out for years', async () => {
  const full = { consumedPoints: 99, msBeforeNext: Date.now() }
  const limiter = {
    consume: () => Promise.reject(full),
    get: async () => null,
    reward: async () => undefined,
    delete: async () => undefined,
  }
  const handle = authRoutes(setUp().auth, {
    verifyCredentials: () => null,
    address: () => '192.0.2.1',
    throttle: { createLimiter: () => limiter as never },
  })
  const response = await handle(
    new Request('http://localhost/auth/login', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username: 'u', password: 'p' }),
    }),
  )
  expect([response.status, response.headers.get('retry-after')]).toEqual([429, '86400'])
})
