/**
 * The guards of handlers that take a fetch `Request` and return a `Response`. Private to
 * `adapters/`: `fetch.ts` and `next.ts` export them.
 */
import type { Auth } from '../auth/auth.ts'
import type { PayloadFor } from '../auth/authenticator.ts'
import type { Requirement } from '../auth/requirement.ts'
import { readAddress, toPlatformAddress } from '../http/client-address.ts'
import { type RequestPort, toRequestPort } from '../http/request-port.ts'
import { withTokenCookies } from '../http/token-cookies.ts'
import { ConfigurationError, expected, isCallable } from '../internal/configuration-error.ts'
import { readFunction } from '../internal/read-options.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import {
  type AddressedGuardOptions,
  checkGuardArguments,
  createGuardTable,
  type GuardPlan,
  type GuardTable,
  prepareAuthenticator,
  prepareGuard,
} from './guards.ts'
import { createRefreshing, type HeaderSource, peek, type RefreshingOptions } from './page-refresh.ts'

/** A guard: wraps a handler that gets the payload as its second argument. */
export type FetchGuard<P> = <Rest extends readonly unknown[], R extends Request = Request>(
  handler: (request: R, payload: P, ...rest: Rest) => Response | Promise<Response>,
) => (request: R, ...rest: Rest) => Promise<Response>

/** A guard: wraps a handler that gets the payload and the user as its second and third argument. */
export type FetchSubjectGuard<P, U> = <Rest extends readonly unknown[], R extends Request = Request>(
  handler: (request: R, payload: P, subject: U, ...rest: Rest) => Response | Promise<Response>,
) => (request: R, ...rest: Rest) => Promise<Response>

/** The guards of one application. */
export interface FetchGuards<C, U>
  extends GuardTable<
    () => FetchGuard<TokenPayload<C>>,
    FetchGuard<TokenPayload<C>>,
    () => FetchSubjectGuard<TokenPayload<C>, U>,
    () => FetchGuard<TokenPayload<C> | null>
  > {
  /** A token that satisfies a requirement. */
  token<const R extends Requirement>(requirement: R): FetchGuard<PayloadFor<R, C>>
  /**
   * Reads who is signed in, for server components and other code that cannot set a cookie. Renews
   * nothing. Null if no one is signed in, or if the token does not satisfy the requirement. Does
   * not check the origin and the CSRF header: use it to render, not to change data.
   *
   * @throws {AuthError} `store_unavailable`, if the requirement asks the store and it does not
   *   respond
   */
  peek(source: HeaderSource, requirement?: Requirement): Promise<TokenPayload<C> | null>
  /**
   * Refreshes a visitor's session before `handler` renders the page, if the access cookie has
   * expired or is about to. The handler sees the new cookies in its request; the browser gets them
   * with the response. Of unsafe requests only forms are refreshed that pass the origin check and
   * repeat the CSRF value: a script refreshes by itself. A refused refresh changes nothing. For
   * middleware before pages that `peek`; needs a session store.
   */
  refreshing<Rest extends unknown[], R extends Request = Request>(
    handler: (request: R, ...rest: Rest) => Response | Promise<Response>,
    options?: RefreshingOptions,
  ): (request: R, ...rest: Rest) => Promise<Response>
}

/** A handler of any guard. */
type Handler = (request: Request, ...rest: readonly unknown[]) => Response | Promise<Response>

/** A guard of any kind. */
type Wrap = (handler: Handler) => (request: Request, ...rest: readonly unknown[]) => Promise<Response>

/** Says the address of a client, by the arguments of the handler. */
type FindAddress = (request: Request, ...rest: never[]) => string | null | undefined

/** One call of a guarded handler. */
interface Call {
  readonly request: Request
  readonly rest: readonly unknown[]
  readonly handler: Handler
  /** The cookies of a token that was renewed in passing. */
  renewed: readonly string[]
}

/** Creates the guards of one application. @throws {ConfigurationError} for invalid arguments */
export function createFetchGuards<C, U>(
  auth: Auth<C, U>,
  options: AddressedGuardOptions<[request: Request, ...rest: never[]]>,
): FetchGuards<C, U> {
  checkGuardArguments(auth, options, 'address')
  const address = readFunction('address', options.address)

  function make(plan: GuardPlan): Wrap {
    const authenticate = prepareAuthenticator(auth, plan)
    const run = prepareGuard<Call, Promise<Response>>(auth, options, {
      authenticate: (call) => authenticate(toPort(call, address)),
      async next(call, { auth: payload, subject }) {
        const found = plan.loadsSubject ? [payload, subject] : [payload]
        return withTokenCookies(await call.handler(call.request, ...found, ...call.rest), call.renewed)
      },
      respond: async ({ renewed }, { status, headers, body }) =>
        withTokenCookies(new Response(body, { status, headers }), renewed),
      async reject(_call, error) {
        throw error
      },
    })
    return (handler) => {
      if (!isCallable(handler)) throw new ConfigurationError(expected('handler', 'a function', handler))
      return (request, ...rest) => run({ request, rest, handler, renewed: [] })
    }
  }

  return {
    ...(createGuardTable(make) as unknown as Omit<FetchGuards<C, U>, 'peek' | 'refreshing'>),
    peek: (source, requirement) => peek(auth, source, requirement ?? {}),
    refreshing: (handler, refreshing) => createRefreshing(auth)(handler, refreshing),
  }
}

function toPort(call: Call, findAddress: FindAddress | null): RequestPort {
  const { request, rest } = call
  return {
    ...toRequestPort(request),
    get address() {
      if (findAddress === null) return toPlatformAddress(request, rest[0])
      return readAddress(() => findAddress(request, ...(rest as never[])))
    },
    setCookies(lines) {
      call.renewed = lines
    },
  }
}
