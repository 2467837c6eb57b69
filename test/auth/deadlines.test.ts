/**
 * Functions that the application gives: one that never returns must not hold a request for ever.
 * Each has a deadline, after which the response is 503 and says which option it was.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { guards } from '../../src/adapters/fetch.ts'
import { type AuthOptions, type Claims, createAuth } from '../../src/index.ts'
import { type AuthRoutesOptions, authRoutes } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { SECRET } from '../token/forge.ts'

beforeEach(() => void vi.useFakeTimers({ now: 1_700_000_000_000 }))
afterEach(() => void vi.useRealTimers())

const hang = (): Promise<never> => new Promise(() => undefined)
const BASIC = `Basic ${Buffer.from('api:secret').toString('base64')}`

/** What an application gives, and the request that asks for it. */
interface Case {
  readonly auth?: AuthOptions
  readonly routes?: Partial<AuthRoutesOptions<Claims>>
  readonly path: string
  readonly seconds: number
}

const limiter = { consume: hang, get: async () => null, reward: hang, delete: hang }

const CASES: Readonly<Record<string, Case>> = {
  isRevoked: { auth: { isRevoked: hang }, path: '/guarded', seconds: 5 },
  subject: { auth: { subject: hang }, path: '/subject', seconds: 5 },
  'sessions.rights': {
    auth: { sessions: { store: memoryStore(), rights: hang } },
    path: '/auth/refresh',
    seconds: 2,
  },
  verifyCredentials: { routes: { verifyCredentials: hang }, path: '/auth/login', seconds: 10 },
  usernameOf: { routes: { usernameOf: hang }, path: '/auth/verify-password', seconds: 5 },
  address: { routes: { address: hang }, path: '/auth/login', seconds: 5 },
  verifyClient: { routes: { verifyClient: hang }, path: '/auth/introspect', seconds: 5 },
  mayRevoke: { routes: { verifyClient: () => true, mayRevoke: hang }, path: '/auth/revoke', seconds: 5 },
  'throttle.createLimiter': {
    routes: { throttle: { createLimiter: () => limiter } },
    path: '/auth/login',
    seconds: 5,
  },
}

describe('a function of the application that never returns', () => {
  it.each(Object.entries(CASES))(
    '%s: 503 in time',
    async (name, { auth: options, routes, path, seconds }) => {
      const causes: string[] = []
      const auth = createAuth({
        secret: SECRET,
        sessions: { store: memoryStore() },
        on: { refused: ({ cause }) => void causes.push(toText(cause)) },
        ...options,
      })
      const { access_token, refresh_token } = await auth.createTokenPair('u', { fresh: true })
      const handle = authRoutes(auth, {
        verifyCredentials: () => ({ subject: 'u' }),
        address: () => '192.0.2.1',
        ...routes,
      })
      const guarded: Readonly<Record<string, () => (request: Request) => Promise<Response>>> = {
        '/guarded': () => guards(auth).access()(() => new Response()),
        '/subject': () => guards(auth).subject()(() => new Response()),
      }
      const token = path === '/auth/refresh' ? refresh_token : access_token
      const request = new Request(`http://localhost${path}`, {
        method: 'POST',
        headers: {
          authorization: path.endsWith('introspect') || path.endsWith('revoke') ? BASIC : `Bearer ${token}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify({ username: 'u', password: 'right', token }),
      })
      const pending = (guarded[path]?.() ?? handle)(request)
      await vi.advanceTimersByTimeAsync(seconds * 1000 - 100)
      expect(causes).toEqual([])
      await vi.advanceTimersByTimeAsync(200)
      const response = await pending
      expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1'])
      expect(causes.join()).toContain(`No result of \`${name}\` within ${seconds} s`)
    },
  )
})

/** The messages of an error and of what is behind it. */
function toText(error: unknown): string {
  return error instanceof Error ? `${error.message}: ${toText(error.cause)}` : ''
}
