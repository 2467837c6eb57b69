/**
 * Door `tokenwright/fetch`: guards around handlers that take a fetch `Request` and answer a `Response`: Bun, Deno, Workers,
 * Next.js route handlers, h3 and anything else that speaks the web's own types. Further arguments of the platform flow through.
 */
import type { Authenticator, PayloadFor } from '../auth/authenticator.ts'
import type { Auth } from '../auth/create-auth.ts'
import type { Requirement } from '../auth/requirement.ts'
import { isAuthError } from '../errors.ts'
import type { AuthContext } from '../http/auth-context.ts'
import { type RequestPort, toRequestPort } from '../http/request-port.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import {
  createRefreshing,
  type HeaderSource,
  peek,
  type RefreshingOptions,
  withCookies,
} from './fetch/pages.ts'

export type { HeaderSource, RefreshingOptions } from './fetch/pages.ts'

/** A guard: wraps a handler that wants the payload as its second argument. */
export type FetchGuard<P> = <Rest extends readonly unknown[]>(
  handler: (request: Request, payload: P, ...rest: Rest) => Response | Promise<Response>,
) => (request: Request, ...rest: Rest) => Promise<Response>

/** A guard: wraps a handler that wants the payload and the user as its second and third argument. */
export type FetchSubjectGuard<P, U> = <Rest extends readonly unknown[]>(
  handler: (request: Request, payload: P, subject: U, ...rest: Rest) => Response | Promise<Response>,
) => (request: Request, ...rest: Rest) => Promise<Response>

/** How guards answer. */
export interface GuardOptions {
  /** Answer errors here, or throw the `AuthError` to the caller. Default `'respond'`. */
  readonly errors?: 'respond' | 'throw'
}

/** The guards of one application. */
export interface FetchGuards<C, U> {
  /** Any valid access token. */
  access(): FetchGuard<TokenPayload<C>>
  /** A refresh token. */
  refresh(): FetchGuard<TokenPayload<C>>
  /** A fresh access token: the user authenticated no longer ago than `freshness.window`. */
  fresh(): FetchGuard<TokenPayload<C>>
  /** An access token that covers all of these scopes. */
  scopes(...scopes: readonly string[]): FetchGuard<TokenPayload<C>>
  /** A token that meets a requirement. */
  token<const R extends Requirement>(requirement: R): FetchGuard<PayloadFor<R, C>>
  /** A valid access token, and the user that the `subject` option loads for it. */
  subject(): FetchSubjectGuard<TokenPayload<C>, U>
  /** A valid access token or none; the payload is null for none. */
  optional(): FetchGuard<TokenPayload<C> | null>
  /**
   * Reads who is signed in, for server components and whatever else can set no cookie: nothing is renewed, and null where nobody is, or not
   * well enough. The origin and the CSRF header are not checked: it is for rendering, not for changing.
   *
   * @throws {AuthError} `store_unavailable`, where the requirement asks the store and it does not answer
   */
  peek(source: HeaderSource, requirement?: Requirement): Promise<TokenPayload<C> | null>
  /**
   * Refreshes the session of a page's visitor before `handler` renders it, when the access cookie is over or nearly so: the
   * handler sees the new cookies in its request, the browser gets them with the response. GET and HEAD only. A refresh that is refused changes
   * nothing. For middleware, in front of pages that `peek`; needs a session store.
   */
  refreshing<Rest extends unknown[]>(
    handler: (request: Request, ...rest: Rest) => Response | Promise<Response>,
    options?: RefreshingOptions,
  ): (request: Request, ...rest: Rest) => Promise<Response>
}

/**
 * Makes the guards of one application.
 *
 * @throws {ConfigurationError} from a guard that is asked for something unfit, when the route is made
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
export function guards<C, U>(auth: Auth<C, U>, options: GuardOptions = {}): FetchGuards<C, U> {
  const throws = options.errors === 'throw'

  /** Runs `handle` with what a gate has found. */
  async function run<R extends Requirement>(
    request: Request,
    gate: Authenticator<R, C, U>,
    handle: (found: AuthContext<PayloadFor<R, C>, U>) => Response | Promise<Response>,
  ): Promise<Response> {
    let renewed: readonly string[] = []
    const port: RequestPort = {
      ...toRequestPort(request),
      setCookies(lines) {
        renewed = lines
      },
    }
    let found: AuthContext<PayloadFor<R, C>, U>
    try {
      found = await gate(port)
    } catch (error) {
      return answer(error)
    }
    return withCookies(await handle(found), renewed)
  }

  function answer(error: unknown): Response {
    if (throws || !isAuthError(error)) throw error
    const { status, headers, body } = auth.errorResponse(error)
    return new Response(body, { status, headers })
  }

  function guard<const R extends Requirement>(requirement: R): FetchGuard<PayloadFor<R, C>> {
    const gate = auth.authenticator<R, U>(requirement)
    return (handler) =>
      (request, ...rest) =>
        run(request, gate, (found) => handler(request, found.auth, ...rest))
  }

  return {
    access: () => guard({}),
    refresh: () => guard({ type: 'refresh' }),
    fresh: () => guard({ fresh: true }),
    scopes: (...scopes) => guard({ scopes }),
    token: (requirement) => guard(requirement),
    optional: () => guard({ optional: true }),
    peek: (source, requirement) => peek(auth, source, requirement ?? {}),
    refreshing: (handler, options) => createRefreshing(auth)(handler, options),
    subject() {
      const gate = auth.authenticator({}, auth.loadSubject)
      return (handler) =>
        (request, ...rest) =>
          run(request, gate, (found) => handler(request, found.auth, found.subject as U, ...rest))
    },
  }
}
