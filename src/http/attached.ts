/**
 * What a guard has put on a framework's request, read back with a type: for frameworks whose request types have no place for
 * it without augmenting them. A slip in the wiring shows as an error here, never as a payload that is not there.
 */
import { ConfigurationError } from '../base/expected.ts'

/** What guards put on a request. */
export type AttachedName = 'auth' | 'subject'

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
