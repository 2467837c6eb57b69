/**
 * The deadline for functions of the application: a query that hangs must not hang every request
 * that waits for it.
 */
import { AuthError } from '../errors.ts'
import { type Awaitable, isPromise } from './awaitable.ts'

/**
 * Runs a function of the application with a deadline. A result after the deadline has no effect.
 *
 * @param name the option, for the message
 * @param seconds how long to wait for a result
 * @returns the result; a value that is not a promise is returned without a timer
 * @throws {AuthError} `store_unavailable` when no result came in time; its cause names the option
 * @throws whatever the function throws
 */
export async function withDeadline<T>(name: string, seconds: number, work: () => Awaitable<T>): Promise<T> {
  const result = work()
  if (!isPromise(result)) return result
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const cause = new Error(`No result of \`${name}\` within ${seconds} s`)
      reject(new AuthError('store_unavailable', { cause, detail: { retryAfter: 1 } }))
    }, seconds * 1000)
  })
  try {
    return await Promise.race([result, late])
  } finally {
    clearTimeout(timer)
  }
}
