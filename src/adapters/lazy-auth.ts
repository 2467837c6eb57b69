/**
 * Applications and guards that are made when the first request comes, for modules that a build
 * evaluates.
 */
import type { Auth } from '../auth/auth.ts'
import { ConfigurationError, expected, isCallable } from '../internal/configuration-error.ts'
import { createFetchGuards, type FetchGuards } from './fetch-guards.ts'
import type { AddressedGuardOptions } from './guards.ts'

/** What `lazyAuth` returns: a function that makes its result at the first call. */
export interface LazyAuth<A extends object> {
  /** Returns the result, and makes it first if it must. */
  (): A
  /** Tells it from other functions. */
  readonly isLazyAuth: true
}

/**
 * Calls a function once, when its result is first needed: `lazyAuth(() => createAuth(...))`. So a
 * build that evaluates modules, as those of Next.js and SvelteKit, needs no secret and no store. An
 * error is thrown again at each call.
 */
export function lazyAuth<A extends object>(create: () => A): LazyAuth<A> {
  if (!isCallable(create))
    throw new ConfigurationError(
      expected('lazyAuth(create)', 'a function, as in `lazyAuth(() => createAuth(...))`', create),
    )
  let made: A | undefined
  const get = (): A => {
    made ??= create()
    return made
  }
  return Object.assign(get, { isLazyAuth: true as const })
}

/** Whether a value is what `lazyAuth` returned, and not any function. */
export function isLazyAuth(value: unknown): value is LazyAuth<object> {
  return isCallable(value) && Object.hasOwn(value, 'isLazyAuth')
}

/** A guarded handler of any kind. */
type Handler = (...args: never[]) => unknown

/** A guard of any kind. */
type Wrap = (handler: Handler) => Handler

/** The members of a table of guards that make guards. */
const NAMES = ['access', 'refresh', 'fresh', 'scopes', 'subject', 'optional', 'token'] as const

/** The options of guards of fetch handlers. */
type Options = AddressedGuardOptions<[request: Request, ...rest: never[]]>

/** What `createLazyGuards` returns. */
export interface LazyGuards<C, U> {
  /** The application; made by the first call. */
  readonly getAuth: () => Auth<C, U>
  /** The guards. */
  readonly table: FetchGuards<C, U>
  /** Makes a handler of the guards, at once or at the first request. */
  defer(make: (guard: FetchGuards<C, U>) => Handler): Handler
}

/**
 * Creates the guards of one application that is at hand, or that is made for the first request.
 *
 * @throws {ConfigurationError} for invalid arguments; with a function at the first request
 */
export function createLazyGuards<C, U>(
  auth: Auth<C, U> | (() => Auth<C, U>),
  options: Options,
): LazyGuards<C, U> {
  if (!isCallable(auth)) {
    const table = createFetchGuards(auth, options)
    return { getAuth: () => auth, table, defer: (make) => make(table) }
  }
  const getAuth = lazyAuth(auth)
  const getGuards = lazyAuth(() => createFetchGuards(getAuth(), options))
  const defer: LazyGuards<C, U>['defer'] = (make) => {
    let handler: Handler | undefined
    return async (...args) => {
      handler ??= make(getGuards())
      return handler(...args)
    }
  }
  const entries = NAMES.map((name) => {
    const factory = (...args: readonly unknown[]): Wrap => {
      const makeGuard = (guard: FetchGuards<C, U>): Wrap =>
        (guard[name] as unknown as (...rest: readonly unknown[]) => Wrap)(...args)
      return (handler) => defer((guard) => makeGuard(guard)(handler))
    }
    return [name, factory]
  })
  const table = {
    ...Object.fromEntries(entries),
    peek: async (source, requirement) => getGuards().peek(source, requirement),
    refreshing: (handler, refreshing) => defer((guard) => guard.refreshing(handler, refreshing)),
  } as FetchGuards<C, U>
  return { getAuth, table, defer }
}
