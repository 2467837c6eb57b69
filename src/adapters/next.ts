/**
 * Entry point `tokenwright/next`: Next.js 15 and later with the App Router. Guards of route
 * handlers as in `tokenwright/fetch`, and what is only there: the proxy that refreshes, the token
 * of a server component, and guards of server actions. Next.js is known by the shape of its
 * objects.
 *
 * The runtime is Node: `proxy.ts`, or `middleware.ts` with `runtime: 'nodejs'`. The Edge runtime
 * has no `node:crypto`.
 */
import type { Auth } from '../auth/auth.ts'
import type { PayloadFor } from '../auth/authenticator.ts'
import type { Requirement } from '../auth/requirement.ts'
import { ConfigurationError, expected, isCallable } from '../internal/configuration-error.ts'
import { readFunction } from '../internal/read-options.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import type { FetchGuards } from './fetch-guards.ts'
import type { AddressedGuardOptions } from './guards.ts'
import { createLazyGuards, type LazyAuth, lazyAuth } from './lazy-auth.ts'
import { type CookieReader, type CookieStore, createActionGuard, readToken } from './next/cookies.ts'
import { createProxy, type ProxyHandler } from './next/proxy.ts'
import type { RefreshingOptions } from './page-refresh.ts'

export type { FetchGuard, FetchGuards, FetchSubjectGuard } from './fetch-guards.ts'
export type { GuardOptions } from './guards.ts'
export type { CookieReader, CookieStore } from './next/cookies.ts'
export type { ProxyHandler } from './next/proxy.ts'
export type { HeaderSource, RefreshingOptions } from './page-refresh.ts'
export type { LazyAuth }
export { lazyAuth }

/** A guard of server actions: wraps one that gets the payload as its first argument. */
export type ActionGuard<P> = <Args extends readonly unknown[], R>(
  action: (payload: P, ...args: Args) => R | Promise<R>,
) => (...args: Args) => Promise<R>

/** The guards of one application. */
export interface NextGuards<C, U> extends FetchGuards<C, U> {
  /**
   * The function to export from `proxy.ts`. If the access cookie has expired or is about to, it
   * refreshes the session: the page that is rendered now sees the new token, and the browser gets
   * it with the response. So does a form that passes the origin check and repeats the CSRF value;
   * server actions do not, their guard refreshes. A refused refresh changes nothing.
   *
   * @param handler the rest of the proxy; it gets the request of Next.js itself, with the new
   *   cookies. Default: continues
   */
  proxy<Rest extends unknown[], R extends Request = Request>(
    handler?: ProxyHandler<R, Rest>,
    options?: RefreshingOptions,
  ): (request: R, ...rest: Rest) => Promise<Response>
  /**
   * Reads who is signed in, in a server component: `await guard.currentToken(cookies())`. Null if
   * no one is, or if the token does not satisfy the requirement. Renews nothing and checks no
   * origin: use it to render, not to change data.
   *
   * @throws {AuthError} `store_unavailable`, if the requirement asks the store and it does not
   *   respond
   */
  currentToken(
    cookies: CookieReader | Promise<CookieReader>,
    requirement?: Requirement,
  ): Promise<TokenPayload<C> | null>
  /**
   * Guards a server action: `guard.action(cookies)(async (payload, form: FormData) => { ... })`.
   * With a session store it refreshes an expired access token first and sets the new cookies. It
   * checks no origin: Next.js does that for server actions.
   *
   * @param cookies the function of `next/headers`
   * @returns a guard; the action that it makes throws the `AuthError` of a refusal
   */
  action<const R extends Requirement = Record<never, never>>(
    cookies: () => CookieStore | Promise<CookieStore>,
    requirement?: R,
  ): ActionGuard<PayloadFor<R, C>>
}

/** A route handler of Next.js. */
type RouteHandler = (request: Request) => Promise<Response>

/** The methods that the routes of `authRoutes` have, as exports of a `route.ts`. */
export interface RouteHandlers {
  /** Lists sessions, and serves the key set. */
  readonly GET: RouteHandler
  /** Everything else. */
  readonly POST: RouteHandler
  /** Ends sessions. */
  readonly DELETE: RouteHandler
  /** Preflight requests. */
  readonly OPTIONS: RouteHandler
}

/**
 * Creates the guards of one application.
 *
 * @param auth what `createAuth` returns; or a function that returns it, which is called at the
 *   first request: `next build` evaluates modules, and may do so without the secret
 * @throws {ConfigurationError} for an invalid requirement: when the route is made, or with a
 *   function at the first request
 *
 * @example
 * ```ts
 * import { createAuth } from 'tokenwright'
 * import { guards, lazyAuth } from 'tokenwright/next'
 *
 * const auth = lazyAuth(() => createAuth({ locations: ['cookie'] }))
 * const guard = guards(auth)
 * export const GET = guard.access()((_request, payload) => Response.json({ sub: payload.sub }))
 * ```
 */
export function guards<C, U>(
  auth: Auth<C, U> | (() => Auth<C, U>),
  options: AddressedGuardOptions<[request: Request, ...rest: never[]]> = {},
): NextGuards<C, U> {
  const { getAuth, table, defer } = createLazyGuards(auth, options)
  return {
    ...table,
    proxy(handler, refreshing) {
      readFunction('handler', handler)
      return defer((guard) => createProxy(guard, handler, refreshing))
    },
    currentToken: async (cookies, requirement = {}) => readToken(getAuth(), await cookies, requirement),
    action(cookies, requirement) {
      if (!isCallable(cookies))
        throw new ConfigurationError(
          expected('cookies', 'the function of `next/headers`, not called', cookies),
        )
      return createActionGuard(getAuth, cookies, requirement ?? {})
    },
  } as NextGuards<C, U>
}

/**
 * The exports of a `route.ts` that serves `authRoutes`, such as `app/auth/[...path]/route.ts`.
 *
 * @param create returns the routes; called at the first request
 *
 * @example
 * ```ts
 * import { createAuth } from 'tokenwright'
 * import { lazyAuth, routeHandlers } from 'tokenwright/next'
 * import { authRoutes } from 'tokenwright/routes'
 *
 * const auth = lazyAuth(() => createAuth({ locations: ['cookie'] }))
 * const verifyCredentials = () => null
 * export const { GET, POST } = routeHandlers(() => authRoutes(auth(), { verifyCredentials }))
 * ```
 */
export function routeHandlers(create: () => RouteHandler): RouteHandlers {
  const routes = lazyAuth(create)
  // The second argument of a route handler is its parameters, and none of the routes'.
  const handle: RouteHandler = async (request) => routes()(request)
  return { GET: handle, POST: handle, DELETE: handle, OPTIONS: handle }
}
