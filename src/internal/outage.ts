/**
 * Failures of what lies outside: a store, or a function of the application. An outage passes, and
 * is 503 `store_unavailable`. A defect does not, and stays what it is: whoever reads "unavailable"
 * looks at the network, not at the code.
 */
import { AuthError, isAuthError } from '../errors.ts'

/**
 * What engines say of code that is wrong. `fetch` rejects with a `TypeError` too, for an outage.
 */
const WRONG_CODE =
  /is not a (?:function|constructor)|is not iterable|^Cannot (?:read|set|destructure) |undefined is not|null is not/

/**
 * Whether an error is a mistake in the code or in the configuration, also one of another realm or
 * of a second copy of this package.
 */
export function isDefect(error: unknown): boolean {
  const { name, message } = Object(error) as { readonly name?: unknown; readonly message?: unknown }
  if (name === 'ConfigurationError' || name === 'ReferenceError') return true
  return name === 'TypeError' && WRONG_CODE.test(String(message))
}

/**
 * The error for a failure: what it was, for a refusal and for a defect; else `store_unavailable`.
 *
 * @param about says in the cause which function failed
 */
export function toOutage(cause: unknown, about?: string): unknown {
  if (isDefect(cause)) return cause
  if (isAuthError(cause) && cause.code === 'store_unavailable') return cause
  return new AuthError('store_unavailable', {
    cause: about === undefined ? cause : new Error(about, { cause }),
    detail: { retryAfter: 1 },
  })
}
