/**
 * Requests that are not what the caller takes them for: without a check they would fail with a
 * message of the engine, or wait forever.
 */
import { expected, isRecord, misuse } from '../internal/configuration-error.ts'

/** What to do with the requests of frameworks, for messages. */
export const OTHER_REQUESTS =
  'for the request of a framework or of node:http use `guards` of its own entry point, such as `tokenwright/express`, or wrap a fetch handler in `toNodeHandler`'

/** Refuses anything but a fetch `Request`, which is told by its shape. @throws {TypeError} */
export function requireRequest(value: unknown): asserts value is Request {
  const { method, headers } = Object(value) as Readonly<Record<string, unknown>>
  const { get } = Object(headers) as Readonly<Record<string, unknown>>
  // Not its value: to read the URL of a request of Node costs more than all of this.
  if (typeof method === 'string' && typeof get === 'function' && 'url' in (value as object)) return
  throw misuse(`${expected('request', 'a fetch `Request`', value)}; ${OTHER_REQUESTS}`)
}

/**
 * Refuses a call that is not of the framework, such as of a guard that was taken from the entry
 * point of another one.
 *
 * @param name the entry point
 * @param next takes errors. Not the `next` of Koa and Hono, which ignores them and goes on.
 * @throws {TypeError} at once, without `next`
 */
export function refuseCall(name: string, next?: unknown): void {
  const error = toWrongCall(name)
  if (typeof next !== 'function') throw error
  next(error)
}

/** The error for a call that is not of the framework. */
export function toWrongCall(name: string): TypeError {
  return misuse(
    `Expected a guard of \`tokenwright/${name}\` to be called by that framework with its request: take \`guards\` from the entry point of the framework in use`,
  )
}

/** Whether a value is a request of `node:http`, by its headers. */
export function isNodeRequest(value: unknown): boolean {
  return isRecord(value) && isRecord(value['headers']) && typeof value['headers']['get'] !== 'function'
}
