/**
 * What a guard has put on a framework's request, read back with a type: for frameworks whose request types have no place for
 * it without augmenting them. A slip in the wiring shows as an error here, never as a payload that is not there.
 */
import type { Awaitable } from '../base/awaitable.ts'
import { ConfigurationError } from '../base/expected.ts'

/** What guards put on a request. */
export type AttachedName = 'auth' | 'subject'

type Attached = Partial<Record<AttachedName, unknown>>

/**
 * Puts what a guard has found on a request: the payload at `auth` and, where there is a loader, the user at `subject`.
 *
 * @param target the framework's request, or what it has in its place
 * @param passed what the gate answered
 */
export function attach<P>(
  target: object,
  passed: Awaitable<P>,
  load?: (payload: P) => Promise<unknown>,
): Awaitable<void> {
  if (passed instanceof Promise || load !== undefined) return attachLate(target, passed, load)
  const found: Attached = target
  found.auth = passed
}

/** Waits for what is not there yet. */
async function attachLate<P>(
  target: object,
  passed: Awaitable<P>,
  load?: (payload: P) => Promise<unknown>,
): Promise<void> {
  const found: Attached = target
  const payload = await passed
  found.auth = payload
  if (load !== undefined) found.subject = await load(payload)
}

/**
 * Reads what a guard has put on a request.
 *
 * @param guard which guard does so, for the message
 * @throws {ConfigurationError} when no guard has run
 */
export function readAttached<T>(request: object, name: AttachedName, guard: string): T {
  if (Object.hasOwn(request, name)) return (request as Readonly<Record<AttachedName, T>>)[name]
  throw new ConfigurationError(`Expected \`${guard}\` to stand before a handler that reads \`${name}\``)
}

/**
 * Reads what a guard has put on a request where it is sure to be: behind every guard but an optional one.
 *
 * @throws {ConfigurationError} when no guard has run, or an optional one has let a request without a token pass
 */
export function requireAttached<T>(request: object, name: AttachedName, guard: string): NonNullable<T> {
  const value = readAttached<T>(request, name, guard)
  if (value !== null && value !== undefined) return value
  throw new ConfigurationError(
    `Expected \`${guard}\` in place of an optional guard: this request has no \`${name}\``,
  )
}
