/**
 * The guards that all adapters share: their options, their table, and the way of one call through a
 * guard. Adapters differ in how a request is read and how a response is written; each gives that as
 * a few functions. Private to `adapters/`.
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
  isRecord,
} from '../internal/configuration-error.ts'
import type { TokenPayload } from '../token/token-payload.ts'

/** How guards respond to a request that they refuse. */
export interface GuardOptions {
  /**
   * Send the error response here, or hand the `AuthError` to the application's error handler.
   * Without a handler of its own, the framework's default one sends the status and the challenge of
   * the error. Default `'respond'`.
   */
  readonly errors?: 'respond' | 'throw'
}

/** The guards of one application, as functions that make them. */
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
   * A valid access token, and the user that the `subject` option loads for it. @throws
   * {ConfigurationError} without that option
   */
  readonly subject: Subject
  /** A valid access token or none; the payload is null for none. */
  readonly optional: Optional
}

/** What one guard is made of. */
export interface GuardPlan {
  /** What it asks of a token. */
  readonly requirement: Requirement
  /** Whether it loads the user as well. */
  readonly loadsSubject: boolean
}

/**
 * What a guard does with one call of its framework. Prepared once for each route, so that a call
 * makes no closures.
 */
export interface GuardSteps<Call, Result> {
  /** Authenticates the request; may throw, reject, or return at once. */
  authenticate(call: Call): Awaitable<AuthContext>
  /** Puts the payload and the user where handlers read them; what it throws is rejected. */
  attach?(call: Call, context: AuthContext): void
  /**
   * Goes on to the handlers. What it throws is not caught: nobody is refused for a handler's
   * defect.
   */
  next(call: Call, context: AuthContext): Result
  /** Sends the error response. */
  respond(call: Call, response: ResponseData, error: AuthError): Result
  /** Hands an error to the framework, where that is anything but throwing it. */
  reject?(call: Call, error: unknown): Result
}

/** The functions that make guards, and `token`, whose type is each adapter's own. */
type RuntimeTable<G> = GuardTable<() => G, G, () => G, () => G> & {
  readonly token: (requirement: Requirement) => G
}

/**
 * Makes the table of guards.
 *
 * @param make makes one guard; `handler` is what an Express route gives along
 * @param refuseMisuse is told of a guard that a framework calls in place of the middleware that it
 *   returns; by default it throws
 */
export function createGuardTable<G, H = undefined>(
  make: (plan: GuardPlan, handler?: H) => G,
  { takesHandler = false, refuseMisuse = toThrow }: GuardTableOptions = {},
): RuntimeTable<G> {
  const factory = (name: string, requirement: Requirement, loadsSubject = false): (() => G) =>
    // No arrow function: Nest makes an instance of whatever function it is given.
    function guard(this: unknown, ...args: readonly unknown[]): G {
      const [handler] = args
      const isCalledRight = args.length === 0 || (takesHandler && args.length === 1 && isFunction(handler))
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
      if (scopes.some(isObject)) return refuseMisuse(toMisuse('scopes', takesHandler), scopes) as G
      return make({ requirement: { scopes }, loadsSubject: false })
    },
    token(requirement, ...rest: readonly unknown[]) {
      const [handler] = rest
      const isCalledRight = rest.length === 0 || (takesHandler && rest.length === 1 && isFunction(handler))
      if (isCalledRight) return make({ requirement, loadsSubject: false }, handler as H | undefined)
      return refuseMisuse(toMisuse('token', takesHandler), [requirement, ...rest]) as G
    },
  }
}

/** What differs between the tables of adapters. */
export interface GuardTableOptions {
  /** Whether a guard may be given the handler that it guards. */
  readonly takesHandler?: boolean
  /** What is done with a guard that a framework calls as a middleware. */
  readonly refuseMisuse?: (error: ConfigurationError, args: readonly unknown[]) => unknown
}

function toThrow(error: ConfigurationError): never {
  throw error
}

function isFunction(value: unknown): value is (...args: never[]) => unknown {
  return typeof value === 'function'
}

function isObject(value: unknown): boolean {
  return isFunction(value) || isRecord(value)
}

function toMisuse(name: string, takesHandler: boolean): ConfigurationError {
  const call = { scopes: "scopes('posts:write')", token: 'token({ fresh: true })' }[name] ?? `${name}()`
  const more = takesHandler ? ', or with the handler that it guards,' : ''
  return new ConfigurationError(
    `Expected \`guard.${name}\` to be called when the route is made${more} as in \`guard.${call}\`: it makes a guard and is none`,
  )
}

/**
 * Prepares the authenticator of one guard.
 *
 * @throws {ConfigurationError} for an unfit requirement, and for a guard that loads users without
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
 * Makes a guard: authenticate, then go on to the handlers or refuse.
 *
 * @returns a function that handles one call; it returns a promise only where something has to be
 *   waited for
 */
export function prepareGuard<Call, Result>(
  auth: Pick<Auth<never>, 'errorResponse'>,
  { errors }: GuardOptions,
  steps: GuardSteps<Call, Result>,
): (call: Call) => Result | Promise<Awaited<Result>> {
  const throws = errors === 'throw'

  function refuse(call: Call, reason: unknown): Result {
    const error = toFailure(reason)
    if (isAuthError(error)) {
      const response = auth.errorResponse(error)
      if (!throws) return steps.respond(call, response, error)
      addResponse(error, response)
    }
    if (steps.reject !== undefined) return steps.reject(call, error)
    throw error
  }

  async function runLate(call: Call, pending: Promise<AuthContext>): Promise<Awaited<Result>> {
    let context: AuthContext
    try {
      context = await pending
      steps.attach?.(call, context)
    } catch (error) {
      return await refuse(call, error)
    }
    return await steps.next(call, context)
  }

  return (call) => {
    let context: Awaitable<AuthContext>
    try {
      context = steps.authenticate(call)
      if (isPromise(context)) return runLate(call, context)
      steps.attach?.(call, context)
    } catch (error) {
      return refuse(call, error)
    }
    return steps.next(call, context)
  }
}

/**
 * A reason that no framework takes for success: in callback protocols a falsy error means that
 * there is none, and Express skips the rest of a route for `'route'` and `'router'`.
 */
export function toFailure(reason: unknown): unknown {
  if (reason && reason !== 'route' && reason !== 'router') return reason
  return new Error(`Expected an error as the reason of a rejection, got ${String(reason)} (${typeof reason})`)
}

/**
 * What the default error handlers of frameworks look for: Express, Koa and Fastify read `headers`,
 * Hono calls `getResponse`, and Nest wants the signature of the package `http-errors`.
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
 * Checks what `guards` is called with.
 *
 * @throws {ConfigurationError} for what `createAuth` did not make, and for unfit options
 */
export function checkGuardArguments(auth: unknown, options: GuardOptions): void {
  checkMethod('auth', 'what `createAuth` returns, as in `guards(auth)`', auth, 'authenticator')
  checkGuardOptions(options)
}

/** Checks the options of guards. @throws {ConfigurationError} for unknown names and values */
export function checkGuardOptions(options: GuardOptions): void {
  if (!isRecord(options))
    throw new ConfigurationError(expected('options', 'an object such as { errors }', options))
  checkKnownKeys('', options, ['errors'])
  const { errors = 'respond' } = options
  if (errors !== 'respond' && errors !== 'throw')
    throw new ConfigurationError(expected('errors', "'respond' or 'throw'", errors))
}

/** The names of what guards put on a request. */
export type AuthContextName = keyof AuthContext

/**
 * The payload that a user was loaded for. Another guard may have put another payload beside the user
 * since, and that one may be of another application.
 */
export const SUBJECT_OWNER: unique symbol = Symbol('tokenwright.subjectOwner')

/** Puts what a guard has found on a framework's request, or on what it has in its place. */
export function attachContext(target: object, found: AuthContext): void {
  const carrier: { auth?: unknown; subject?: unknown; [SUBJECT_OWNER]?: unknown } = target
  carrier.auth = found.auth
  if (!('subject' in found)) return
  carrier.subject = found.subject
  carrier[SUBJECT_OWNER] = found.auth
}

/**
 * Reads what a guard has put on a request.
 *
 * @param guard which guard does so, for the message
 * @param hasVerified whether a payload is of the reader's own application
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
      `Expected \`${guard}\` of this \`createAuth\` to stand before a handler that reads \`${name}\`: a guard of another one did`,
    )
  if (Object.hasOwn(request, name)) return context[name]
  throw new ConfigurationError(`Expected \`${guard}\` to stand before a handler that reads \`${name}\``)
}

/**
 * How handlers read what a guard of this application has found, and not what a guard of another one
 * has.
 */
export interface ContextReaders<C, U, Request extends object = object> {
  /**
   * The payload behind a guard.
   *
   * @throws {ConfigurationError} without a guard of this application, or where `optional()` let a
   *   request without a token pass
   */
  readonly payload: (request: Request) => TokenPayload<C>
  /** The payload behind `optional()`. @throws {ConfigurationError} without a guard */
  readonly optionalPayload: (request: Request) => TokenPayload<C> | null
  /** The user behind `subject()`. @throws {ConfigurationError} without that guard */
  readonly subjectOf: (request: Request) => U
}

/** Makes the readers of one application; they read only what its own guards have put there. */
export function createContextReaders<C, U, Request extends object = object>(
  { internals }: Auth<C, U>,
  toCarrier: (request: Request) => object = (request) => request,
): ContextReaders<C, U, Request> {
  const { hasVerified } = internals
  const read = <T>(request: Request, name: AuthContextName, guard: string): T =>
    readContext(toCarrier(request), name, guard, hasVerified)
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
