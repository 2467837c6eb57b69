/** An application in this process over an opened store: the library's source, a clock to move, its routes, what it was told. */
import {
  type AuthOptions,
  createAuth,
  isAuthError,
  type SessionOptions,
  type TokenPair,
} from '../../src/index.ts'
import { authRoutes } from '../../src/routes.ts'
import type { Store } from '../../src/session/store.ts'
import { onFinished } from '../at-once.ts'

/** The secret of all applications of these tests. */
export const SECRET = 'Nq5uT2yVb8LkD4wZ7cRm1xGe9SfH3pJa6oQiK0vB'

/** What is counted: the sessions' events. */
const EVENTS = [
  'started',
  'refreshed',
  'replayed',
  'healed',
  'reused',
  'shadowed',
  'steppedUp',
  'ended',
] as const

/** What became of a request: `ok`, or the code of the refusal; with the tokens that it gave. */
export interface Outcome {
  readonly code: string
  readonly pair: TokenPair | null
}

/** Does something that may be refused. */
export async function attempt(work: () => Promise<TokenPair | undefined>): Promise<Outcome> {
  try {
    return { code: 'ok', pair: (await work()) ?? null }
  } catch (error) {
    if (!isAuthError(error)) throw error
    return { code: error.code, pair: null }
  }
}

let users = 0

/** A name that nobody has had. */
export function newUser(): string {
  users += 1
  return `user-${process.pid}-${users}`
}

/** What can be different. */
export interface Differences extends Omit<AuthOptions, 'sessions'> {
  readonly sessions?: Partial<SessionOptions>
  /** Whether the clock stands still until it is moved. Default true; false takes the system's and the store's. */
  readonly ownClock?: boolean
}

/** Makes an application. */
export function createApplication(store: Store, { sessions, ownClock = true, ...options }: Differences = {}) {
  let now = Math.floor(Date.now() / 1000)
  const events: Record<string, number> = {}
  const on = Object.fromEntries(
    EVENTS.map((name) => [
      name,
      () => {
        events[name] = (events[name] ?? 0) + 1
      },
    ]),
  )
  const auth = createAuth({
    ...(!options.keys && { secret: SECRET }),
    ...(ownClock && { clock: () => now }),
    locations: ['header', 'cookie'],
    on,
    ...options,
    sessions: { store, overlap: 30, ...sessions },
  })
  onFinished(() => auth.close())
  const handle = authRoutes(auth, {
    verifyCredentials: ({ username, password }) => {
      if (password === 'again') return { subject: username, amr: ['otp'], acr: 'high' }
      return password === 'right' ? { subject: username, amr: ['pwd'] } : null
    },
  })
  const login = (sub = newUser()): Promise<TokenPair> => auth.sessions.start(sub, { fresh: true })
  const refresh = (token: string): Promise<Outcome> =>
    attempt(async () =>
      auth.sessions.refresh(await auth.verifyToken(token, { type: 'refresh', revocation: 'off' })),
    )
  const judge = async (token: string, revocation: 'feed' | 'strict' = 'strict'): Promise<string> => {
    const { code } = await attempt(async () => {
      await auth.verifyToken(token, { revocation })
      return undefined
    })
    return code
  }
  return {
    auth,
    handle,
    events,
    login,
    refresh,
    judge,
    now: () => now,
    move(seconds: number) {
      now = Math.round((now + seconds) * 1000) / 1000
    },
    sidOf: (token: string) => String(auth.decodeUnverified(token).payload['sid']),
    subOf: (token: string) => String(auth.decodeUnverified(token).payload['sub']),
    genOf: (token: string) => Number(auth.decodeUnverified(token).payload['gen']),
  }
}

/** An application. */
export type Application = ReturnType<typeof createApplication>
