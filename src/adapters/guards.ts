/**
 * The guards that all adapters share: their options, their table, and how a guard handles one call.
 * Adapters differ in how they read a request and write a response; each passes a few functions for
 * that. Private to `adapters/`.
 */

import type { Auth } from '../auth/auth.ts'
import type { AuthContext } from '../auth/authenticator.ts'
import type { Requirement } from '../auth/requirement.ts'
import { type AuthError, isAuthError } from '../errors.ts'
import type { ResponseData } from '../http/error-response.ts'
import { type Awaitable, isPromise } from '../internal/awaitable.ts'
import {
  ConfigurationError,
  checkKnownKeys,
  checkMethod,
  expected,
  isCallable,
  isOptions,
  isRecord,
} from '../internal/configuration-error.ts'
import type { TokenPayload } from '../token/token-payload.ts'

/** How guards respond to a request that they refuse. */
export interface GuardOptions {
  /**
   * `'respond'` sends the error response; `'throw'` passes the `AuthError` to the application's
   * error handler. The framework's default handler sends the status and the challenge of the error.
   * Default `'respond'`.
   */
  readonly errors?: 'respond' | 'throw'
}

/** The options of guards on platforms that do not say alike where a request came from. */
export interface AddressedGuardOptions<Args extends readonly unknown[]> extends GuardOptions {
  /**
   * The client's address, for the events of refused requests. Behind a proxy, read its header here.
   * Default: the address of the connection on Node, Bun and Deno; elsewhere none.
   */
  readonly address?: (...args: Args) => string | null | undefined
}

/** The guards of one application, as functions that create them. */
export interface GuardTable<Access, Scopes, Subject, Optional> {
  /** Any valid access token. */
  readonly access: Access
  /** A refresh token. */
  readonly refresh: Access
  /** A fresh access token: the user authenticated no longer ago than `freshness.window`. */
  readonly fresh: Access
  /** An access token that covers all of these scopes. */
  readonly scopes: (...scopes: readonly string[]) => Scopes
  /**
   * A valid access token, and the user that the `subject` option loads for it.
   *
   * @throws {ConfigurationError} without that option
   */
  readonly subject: Subject
  /** A valid access token or none; the payload is null for none. */
  readonly optional: Optional
}

/** The settings of one guard. */
export interface GuardPlan {
  /** What it requires of a token. */
  readonly requirement: Requirement
  /** Whether it loads the user as well. */
  readonly loadsSubject: boolean
}

/**
 * How a guard handles a call of its framework. One object per route: a call creates no closures.
 */
export interface GuardCallbacks<Call, Result> {
  /** Authenticates the request; may throw, reject, or return at once. */
  authenticate(call: Call): Awaitable<AuthContext>
  /**
   * Puts the payload and the user where handlers read them. An error that it throws is rejected.
   */
  attach?(call: Call, context: AuthContext): void
  /** Calls the handlers. Their errors are not caught: a defect of a handler is not a refusal. */
  next(call: Call, context: AuthContext): Result
  /** Sends the error response. */
  respond(call: Call, response: ResponseData, error: AuthError): Result
  /** Passes an error to the framework; default: throws it. */
  reject?(call: Call, error: unknown): Result
}

/** The functions that create guards, and `token`, whose type each adapter has its own. */
type RuntimeTable<G> = GuardTable<() => G, G, () => G, () => G> & {
  readonly token: (requirement: Requirement) => G
}

/**
 * Creates the table of guards.
 *
 * @param make creates one guard; `handler` is the handler that an Express route passes
 * @param refuseMisuse called if a framework calls `guard.access` itself and not the middleware that
 *   it returns; throws by default
 */
export function createGuardTable<G, H = undefined>(
  make: (plan: GuardPlan, handler?: H) => G,
  { takesHandler = false, refuseMisuse = toThrow }: GuardTableOptions = {},
): RuntimeTable<G> {
  const factory = (name: string, requirement: Requirement, loadsSubject = false): (() => G) =>
    // Not an arrow function: Nest calls `new` on any function that it gets.
    function guard(this: unknown, ...args: readonly unknown[]): G {
      const [handler] = args
      const isCalledRight = args.length === 0 || (takesHandler && args.length === 1 && isCallable(handler))
      if (isCalledRight && new.target === undefined)
        return make({ requirement, loadsSubject }, handler as H | undefined)
      return refuseMisuse(toMisuse(name, takesHandler), args) as G
    }
  return {
    access: factory('access', {}),
    refresh: factory('refresh', { type: 'refresh' }),
    fresh: factory('fresh', { fresh: true }),
    subject: factory('subject', {}, true),
    optional: factory('optional', { optional: true }),
    scopes(...scopes) {
      if (scopes.some((scope: unknown) => typeof scope === 'function' || isRecord(scope)))
        return refuseMisuse(toMisuse('scopes', takesHandler), scopes) as G
      if (scopes.length === 0) throw new ConfigurationError(NO_SCOPES)
      return make({ requirement: { scopes }, loadsSubject: false })
    },
    token(requirement, ...rest: readonly unknown[]) {
      if (!isOptions(requirement as unknown))
        throw new ConfigurationError(expected('guard.token(requirement)', 'given a requirement', requirement))
      const [handler] = rest
      const isCalledRight = rest.length === 0 || (takesHandler && rest.length === 1 && isCallable(handler))
      if (isCalledRight) return make({ requirement, loadsSubject: false }, handler as H | undefined)
      return refuseMisuse(toMisuse('token', takesHandler), [requirement, ...rest]) as G
    },
  }
}

const NO_SCOPES =
  'Expected `guard.scopes(...)` to be given a scope: without one any access token would do, as with `guard.access()`'

/** The differences between the tables of adapters. */
export interface GuardTableOptions {
  /** Whether a guard may be called with the handler that it guards. */
  readonly takesHandler?: boolean
  /** Handles a guard that a framework calls as a middleware. */
  readonly refuseMisuse?: (error: ConfigurationError, args: readonly unknown[]) => unknown
}

function toThrow(error: ConfigurationError): never {
  throw error
}

function toMisuse(name: string, takesHandler: boolean): ConfigurationError {
  const call = { scopes: "scopes('posts:write')", token: 'token({ fresh: true })' }[name] ?? `${name}()`
  const more = takesHandler ? ', or with the handler that it guards,' : ''
  return new ConfigurationError(
    `Expected \`guard.${name}\` to be called when the route is made${more} as in \`guard.${call}\`: it creates a guard and is not one itself`,
  )
}

/**
 * Prepares the authenticator of one guard.
 *
 * @throws {ConfigurationError} for an invalid requirement, and for a guard that loads users without
 *   the `subject` option
 */
export function prepareAuthenticator<C, U>(
  auth: Auth<C, U>,
  { requirement, loadsSubject }: GuardPlan,
): ReturnType<typeof auth.authenticator<Requirement, U>> {
  if (!loadsSubject) return auth.authenticator<Requirement, U>(requirement)
  if (!auth.loadsSubject)
    throw new ConfigurationError(
      'Expected the option `subject` beside `guard.subject()`: nothing else loads a user',
    )
  return auth.authenticator(requirement, (payload) => auth.loadSubject(payload as TokenPayload<C>))
}

/**
 * Prepares a guard: authenticate, then call the handlers or refuse.
 *
 * @returns a function that handles one call; it returns a promise only if something is asynchronous
 */
export function prepareGuard<Call, Result>(
  auth: Pick<Auth<never>, 'errorResponse'>,
  { errors }: GuardOptions,
  callbacks: GuardCallbacks<Call, Result>,
): (call: Call) => Result | Promise<Awaited<Result>> {
  const throws = errors === 'throw'

  function refuse(call: Call, reason: unknown): Result {
    const error = toFailure(reason)
    if (isAuthError(error)) {
      const response = auth.errorResponse(error)
      if (!throws) return callbacks.respond(call, response, error)
      addResponse(error, response)
    }
    if (callbacks.reject !== undefined) return callbacks.reject(call, error)
    throw error
  }

  function proceed(call: Call, context: AuthContext): Result {
    try {
      callbacks.attach?.(call, context)
    } catch (error) {
      return refuse(call, error)
    }
    return callbacks.next(call, context)
  }

  return (call) => {
    let context: Awaitable<AuthContext>
    try {
      context = callbacks.authenticate(call)
    } catch (error) {
      return refuse(call, error)
    }
    if (!isPromise(context)) return proceed(call, context)
    // Not an async function: that would cost each of these requests one more promise.
    const proceedLater = (found: AuthContext): Result => proceed(call, found)
    return context.then(proceedLater, (error) => refuse(call, error)) as Promise<Awaited<Result>>
  }
}

/**
 * Makes an error that no framework takes for success: for callbacks a falsy error means success,
 * and Express skips the rest of a route for `'route'` and `'router'`.
 */
export function toFailure(reason: unknown): unknown {
  if (reason && reason !== 'route' && reason !== 'router') return reason
  return new Error(`Expected an error as the reason of a rejection, got ${String(reason)} (${typeof reason})`)
}

/**
 * Adds what the default error handlers of frameworks use: Express, Koa and Fastify read `headers`,
 * Hono calls `getResponse`, and Nest expects the properties of the package `http-errors`.
 */
function addResponse(error: AuthError, { status, headers, body }: ResponseData): void {
  Object.defineProperties(error, {
    headers: { value: headers, configurable: true },
    statusCode: { value: status, configurable: true },
    expose: { value: true, configurable: true },
    getResponse: { value: () => new Response(body, { status, headers }), configurable: true },
  })
}

/**
 * Checks the arguments of `guards`.
 *
 * @throws {ConfigurationError} for an `auth` that `createAuth` did not make, and for invalid
 *   options
 */
export function checkGuardArguments(auth: unknown, options: GuardOptions, ...further: string[]): void {
  checkMethod('auth', 'what `createAuth` returns, as in `guards(auth)`', auth, 'authenticator')
  checkGuardOptions(options, ...further)
}

/** Checks the options of guards. @throws {ConfigurationError} for unknown names and values */
export function checkGuardOptions(options: GuardOptions, ...further: string[]): void {
  if (!isOptions(options))
    throw new ConfigurationError(expected('options', 'an object such as { errors }', options))
  checkKnownKeys('', options, ['errors', ...further])
  const { errors = 'respond' } = options
  if (errors !== 'respond' && errors !== 'throw')
    throw new ConfigurationError(expected('errors', "'respond' or 'throw'", errors))
}

/** The names of the values that guards put on a request. */
export type AuthContextName = keyof AuthContext

/**
 * The key of the payload for which a user was loaded. A later guard, even of another application,
 * may have replaced the payload on the request but not the user.
 */
export const SUBJECT_OWNER: unique symbol = Symbol('tokenwright.subjectOwner')

/** Puts the result of a guard on a framework's request, or on the object that it uses instead. */
export function attachContext(target: object, found: AuthContext): void {
  const holder: { auth?: unknown; subject?: unknown; [SUBJECT_OWNER]?: unknown } = target
  holder.auth = found.auth
  if (!('subject' in found)) return
  holder.subject = found.subject
  holder[SUBJECT_OWNER] = found.auth
}

/**
 * Reads the result of a guard from a request.
 *
 * @param guard the guard that should have run, for the message
 * @param hasVerified whether the reader's own application verified a payload
 * @throws {ConfigurationError} when no guard has run
 */
export function readContext<T>(
  request: object,
  name: AuthContextName,
  guard: string,
  hasVerified: (payload: unknown) => boolean = () => true,
): T {
  const context = request as Readonly<Record<AuthContextName, T>> & { readonly [SUBJECT_OWNER]?: unknown }
  const payload: unknown = (name === 'subject' ? context[SUBJECT_OWNER] : undefined) ?? context.auth
  if (payload !== null && payload !== undefined && !hasVerified(payload))
    throw new ConfigurationError(
      `Expected \`${guard}\` of this \`createAuth\` to run before a handler that reads \`${name}\`: a guard of another one did`,
    )
  if (Object.hasOwn(request, name)) return context[name]
  throw new ConfigurationError(`Expected \`${guard}\` to run before a handler that reads \`${name}\``)
}

/** Reads the results of the guards of this application, and of no other. */
export interface ContextReaders<C, U, Request extends object = object> {
  /**
   * The payload behind a guard.
   *
   * @throws {ConfigurationError} without a guard of this application, and for a request without a
   *   token behind `optional()`
   */
  readonly payload: (request: Request) => TokenPayload<C>
  /** The payload behind `optional()`. @throws {ConfigurationError} without a guard */
  readonly optionalPayload: (request: Request) => TokenPayload<C> | null
  /** The user behind `subject()`. @throws {ConfigurationError} without that guard */
  readonly subjectOf: (request: Request) => U
}

/** Creates the readers of one application. */
export function createContextReaders<C, U, Request extends object = object>(
  { internals }: Auth<C, U>,
  toHolder: (request: Request) => object = (request) => request,
): ContextReaders<C, U, Request> {
  const { hasVerified } = internals
  const read = <T>(request: Request, name: AuthContextName, guard: string): T => {
    const holder: unknown = isRecord(request) ? toHolder(request) : undefined
    if (isRecord(holder)) return readContext(holder, name, guard, hasVerified)
    throw new ConfigurationError(expected('request', `what \`${guard}\` was called with`, request))
  }
  return {
    payload(request) {
      const value = read<TokenPayload<C> | null>(request, 'auth', 'guard.access()')
      if (value !== null && value !== undefined) return value
      throw new ConfigurationError(
        'Expected `guard.access()` in place of an optional guard: this request has no `auth`',
      )
    },
    optionalPayload: (request) => read(request, 'auth', 'guard.optional()'),
    subjectOf: (request) => read(request, 'subject', 'guard.subject()'),
  }
}
