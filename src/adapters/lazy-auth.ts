/**
 * Applications and guards that are made when the first request comes, for modules that a build
 * evaluates.
 */
import { ConfigurationError, expected, isCallable } from '../internal/configuration-error.ts'
import type { FetchGuards } from './fetch-guards.ts'

/**
 * Calls a function once, when its result is first needed: `lazyAuth(() => createAuth(...))`. So
 * `next build`, which evaluates modules, needs no secret and no store. An error is thrown again at
 * each call.
 */
export function lazyAuth<A extends object>(create: () => A): () => A {
  if (!isCallable(create))
    throw new ConfigurationError(
      expected('lazyAuth(create)', 'a function, as in `lazyAuth(() => createAuth(...))`', create),
    )
  let made: A | undefined
  return () => {
    made ??= create()
    return made
  }
}

/** A guarded handler of any kind. */
type Handler = (...args: never[]) => unknown

/** A guard of any kind. */
type Wrap = (handler: Handler) => Handler

/** The members of a table of guards that make guards. */
const NAMES = ['access', 'refresh', 'fresh', 'scopes', 'subject', 'optional', 'token'] as const

/** What `deferGuards` returns. */
interface Deferred<C, U> {
  /** Makes a handler, at once or at the first request. */
  defer(make: (guard: FetchGuards<C, U>) => Handler): Handler
  /** The functions that make guards. */
  readonly table: Pick<FetchGuards<C, U>, (typeof NAMES)[number]>
}

/**
 * Creates a table of guards.
 *
 * @param create creates the guards; called once
 * @param isReady whether they are made at once
 */
export function deferGuards<C, U>(create: () => FetchGuards<C, U>, isReady: boolean): Deferred<C, U> {
  const getGuards = lazyAuth(create)
  const defer: Deferred<C, U>['defer'] = (make) => {
    if (isReady) return make(getGuards())
    let handler: Handler | undefined
    return async (...args) => {
      handler ??= make(getGuards())
      return handler(...args)
    }
  }
  const entries = NAMES.map((name) => {
    const makeGuard = (args: readonly unknown[], guard: FetchGuards<C, U>): Wrap =>
      (guard[name] as unknown as (...rest: readonly unknown[]) => Wrap)(...args)
    const factory = (...args: readonly unknown[]): Wrap => {
      if (isReady) return makeGuard(args, getGuards())
      return (handler) => defer((guard) => makeGuard(args, guard)(handler))
    }
    return [name, factory]
  })
  return { defer, table: Object.fromEntries(entries) as Deferred<C, U>['table'] }
}
