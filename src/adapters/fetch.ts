/**
 * Entry point `tokenwright/fetch`: guards for handlers that take a fetch `Request` and return a
 * `Response`: SvelteKit, Astro, React Router, Elysia, h3, Bun, Deno, Workers and others with these
 * types. Further arguments of the platform are passed on. For Next.js see `tokenwright/next`.
 */
import type { Auth } from '../auth/auth.ts'
import { createFetchGuards, type FetchGuards } from './fetch-guards.ts'
import type { AddressedGuardOptions } from './guards.ts'
import { createLazyGuards, isLazyAuth, type LazyAuth, lazyAuth } from './lazy-auth.ts'

export type { FetchGuard, FetchGuards, FetchSubjectGuard } from './fetch-guards.ts'
export type { GuardOptions } from './guards.ts'
export type { HeaderSource, RefreshingOptions } from './page-refresh.ts'
export type { LazyAuth }
export { lazyAuth }

/**
 * Creates the guards of one application.
 *
 * @param auth what `createAuth` returns; or `lazyAuth(() => createAuth(...))`, which is called at
 *   the first request: some builds evaluate modules, and have no secret
 * @throws {ConfigurationError} from a guard with an invalid requirement: when the route is made, or
 *   with `lazyAuth` at the first request
 *
 * @example
 * ```ts
 * import { createAuth } from 'tokenwright'
 * import { guards } from 'tokenwright/fetch'
 *
 * const auth = createAuth({ secret: process.env['AUTH_SECRET'] ?? '' })
 * const guard = guards(auth)
 * const handler = guard.fresh()((_request, payload) => Response.json({ sub: payload.sub }))
 * const response = await handler(new Request('http://localhost/me'))
 * ```
 */
export function guards<C, U>(
  auth: Auth<C, U> | LazyAuth<Auth<C, U>>,
  options: AddressedGuardOptions<[request: Request, ...rest: never[]]> = {},
): FetchGuards<C, U> {
  return isLazyAuth(auth) ? createLazyGuards(auth, options).table : createFetchGuards(auth, options)
}
