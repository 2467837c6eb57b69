/**
 * Failures of what lies outside: a store, another service, or a function of the application. An
 * outage passes, and is 503 with the code of what is out of reach. A defect does not, and stays
 * what it is: whoever reads "unavailable" looks at the network, not at the code.
 */
import { AuthError, isAuthError } from '../errors.ts'
import { isMisuse } from './configuration-error.ts'

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
  if (isMisuse(error)) return true
  const { name, message } = Object(error) as { readonly name?: unknown; readonly message?: unknown }
  if (name === 'ConfigurationError' || name === 'ReferenceError') return true
  return name === 'TypeError' && WRONG_CODE.test(String(message))
}

/**
 * Whether an error is an outage: it says nothing of the token or the user, so no response may be
 * one about them. Ask this and not for a code, of which there are several.
 */
export function isOutage(error: unknown): error is AuthError {
  return isAuthError(error) && error.status === 503
}

/**
 * The error for a failure: what it was, for an outage and for a defect; else `store_unavailable`.
 *
 * @param about says in the cause which function failed
 */
export function toOutage(cause: unknown, about?: string): unknown {
  if (isDefect(cause)) return cause
  if (isOutage(cause)) return cause
  return new AuthError('store_unavailable', {
    cause: about === undefined ? cause : new Error(about, { cause }),
    detail: { retryAfter: 1 },
  })
}
