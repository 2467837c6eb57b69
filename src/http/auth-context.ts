/**
 * What a guard has put on a framework's request, read back with a type: for frameworks whose request types have no place for
 * it without augmenting them. A slip in the wiring shows as an error here, never as a payload that is not there.
 */
import type { Awaitable } from '../internal/awaitable.ts'
import { ConfigurationError } from '../internal/configuration-error.ts'

/** What a guard has found: the payload and, where there is a loader, the user. */
export interface AuthContext<P = unknown, U = unknown> {
  /** The payload; null behind an optional guard that let nobody in particular pass. */
  readonly auth: P
  /** The user. */
  readonly subject?: U
}

/** The names of what guards put on a request. */
export type AuthContextName = keyof AuthContext

/**
 * What a guard has found, at once where nothing has to be waited for. A loader that refuses leaves nothing to attach: nobody goes on with half of it.
 *
 * @param passed what the gate answered
 * @param load the loader of users
 */
export function toAuthContext<P, U>(
  passed: Awaitable<P>,
  load: ((payload: P) => Promise<U>) | undefined,
): Awaitable<AuthContext<P, U>> {
  return passed instanceof Promise || load !== undefined ? toAuthContextLate(passed, load) : { auth: passed }
}

async function toAuthContextLate<P, U>(
  passed: Awaitable<P>,
  load: ((payload: P) => Promise<U>) | undefined,
): Promise<AuthContext<P, U>> {
  const auth = await passed
  return load === undefined ? { auth } : { auth, subject: await load(auth) }
}

/** Puts what a guard has found on a framework's request, or on what it has in its place. */
export function attachContext(target: object, found: AuthContext): void {
  const carrier: { auth?: unknown; subject?: unknown } = target
  carrier.auth = found.auth
  if ('subject' in found) carrier.subject = found.subject
}

/**
 * Reads what a guard has put on a request.
 *
 * @param guard which guard does so, for the message
 * @throws {ConfigurationError} when no guard has run
 */
export function readContext<T>(request: object, name: AuthContextName, guard: string): T {
  if (Object.hasOwn(request, name)) return (request as Readonly<Record<AuthContextName, T>>)[name]
  throw new ConfigurationError(`Expected \`${guard}\` to stand before a handler that reads \`${name}\``)
}

/**
 * Reads what a guard has put on a request where it is sure to be: behind every guard but an optional one.
 *
 * @throws {ConfigurationError} when no guard has run, or an optional one has let a request without a token pass
 */
export function requireContext<T>(request: object, name: AuthContextName, guard: string): NonNullable<T> {
  const value = readContext<T>(request, name, guard)
  if (value !== null && value !== undefined) return value
  throw new ConfigurationError(
    `Expected \`${guard}\` in place of an optional guard: this request has no \`${name}\``,
  )
}
