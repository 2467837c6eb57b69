/** The options of sessions and revocation: defaults, bounds, and the deadline of `rights`. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ConfigurationError } from '../../src/index.ts'
import type { RevocationOptions } from '../../src/session/resolve-revocation-options.ts'
import { resolveSessions, type SessionOptions } from '../../src/session/resolve-session-options.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import type { TokenPayload } from '../../src/token/token-payload.ts'

const DAY = 86_400
const CONTEXT = { accessTtl: 900, maxLifetime: 400 * DAY, leeway: 5, realm: undefined }
const PAYLOAD = { sub: 'alice' } as TokenPayload

const resolve = (options: Partial<SessionOptions> = {}, revocation?: RevocationOptions) =>
  resolveSessions({ store: memoryStore(), ...options }, revocation, CONTEXT)

afterEach(() => {
  vi.useRealTimers()
})

describe('resolveSessions', () => {
  it('fills in the defaults', () => {
    expect(resolve()).toMatchObject({
      sessions: {
        overlap: 30,
        idle: 20 * DAY,
        absolute: 90 * DAY,
        jitter: 0.1,
        rotation: true,
        accessTtl: 900,
        logTtl: 900 + 5 + 120,
        cutOffTtl: 400 * DAY + 5 + 120,
        realm: null,
        rights: null,
      },
      revocation: { mode: 'feed', maxStale: 60, whenStale: 'refuse', accessTtl: 900, leeway: 5 },
    })
  })

  it('is null without sessions, also where revocation is off', () => {
    expect(resolveSessions(undefined, undefined, CONTEXT)).toBeNull()
    expect(resolveSessions(undefined, 'off', CONTEXT)).toBeNull()
  })

  it.each<[string, () => unknown, RegExp]>([
    ['revocation without a store', () => resolveSessions(undefined, 'feed', CONTEXT), /sessions\.store/],
    ['no store', () => resolve({ store: 'memory' as never }), /sessions\.store/],
    [
      'a store without a method',
      () => resolve({ store: { ...memoryStore(), list: undefined as never } }),
      /`list`/,
    ],
    ['an unknown option', () => resolve({ idel: '1d' } as never), /did you mean `idle`/],
    ['an overlap over 5 minutes', () => resolve({ overlap: '301s' }), /sessions\.overlap/],
    [
      'an idle time over limits.lifetime',
      () => resolve({ idle: '401d', absolute: '401d' }),
      /sessions\.idle/,
    ],
    ['an end before the idle time', () => resolve({ idle: '2d', absolute: '1d' }), /sessions\.absolute/],
    ['a jitter over a half', () => resolve({ jitter: 0.51 }), /sessions\.jitter/],
    ['a negative jitter', () => resolve({ jitter: -0.1 }), /sessions\.jitter/],
    ['rotation that is no boolean', () => resolve({ rotation: 1 as never }), /sessions\.rotation/],
    ['rights that are no function', () => resolve({ rights: {} as never }), /sessions\.rights/],
    ['an unknown mode', () => resolve({}, { mode: 'fed' as never }), /revocation\.mode/],
    ['an unknown whenStale', () => resolve({}, { whenStale: 'deny' as never }), /revocation\.whenStale/],
    ['a maxStale over an hour', () => resolve({}, { maxStale: '61m' }), /revocation\.maxStale/],
  ])('refuses %s', (_, work, message) => {
    expect(work).toThrow(ConfigurationError)
    expect(work).toThrow(message)
  })

  it.each(['now', 'start', 'rotate', 'readAttempts', 'forgetAttempts', 'inspect'])(
    'refuses a store without %s',
    (method) => {
      expect(() => resolve({ store: { ...memoryStore(), [method]: undefined } })).toThrow(`\`${method}\``)
    },
  )
})

describe('rights', () => {
  const rightsOf = (rights: NonNullable<SessionOptions['rights']>) => {
    const prepared = resolve({ rights })?.sessions.rights
    if (!prepared) throw new Error('Expected rights')
    return prepared
  }

  it('are called with the subject and the payload', async () => {
    const rights = vi.fn(async () => ({ scopes: ['read'] }))
    expect(await rightsOf(rights)(PAYLOAD)).toEqual({ scopes: ['read'] })
    expect(rights).toHaveBeenCalledWith('alice', PAYLOAD)
  })

  it('have 2 seconds', async () => {
    vi.useFakeTimers()
    const late = rightsOf(() => new Promise((resolve) => setTimeout(resolve, 2001, null)))(PAYLOAD)
    const refused = expect(late).rejects.toMatchObject({
      code: 'store_unavailable',
      cause: { message: 'No result of `sessions.rights` within 2 s' },
    })
    await vi.advanceTimersByTimeAsync(2000)
    await refused
    const inTime = rightsOf(() => new Promise((resolve) => setTimeout(resolve, 1999, null)))(PAYLOAD)
    await vi.advanceTimersByTimeAsync(1999)
    expect(await inTime).toBeNull()
    vi.clearAllTimers()
  })

  it('leave no timer behind', async () => {
    vi.useFakeTimers()
    await rightsOf(() => null)(PAYLOAD)
    await expect(rightsOf(() => Promise.reject(new Error('down')))(PAYLOAD)).rejects.toThrow('down')
    expect(vi.getTimerCount()).toBe(0)
  })
})
