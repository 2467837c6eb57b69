/**
 * What the application passed to `fetch`, as a request that can be made more than once: whatever
 * realm it is of, and with a body that is kept only while it is small.
 */
import { attempt } from './attempt.ts'
import { KEPT } from './limits.ts'

/**
 * A request that can be made several times. A tuple, since bundlers shorten no names of properties:
 *
 * - the `Request` that was passed; undefined for an address
 * - its method, and its signal
 * - whether the body, if there is one, can be sent again
 * - makes the request for an address: the one that was passed, or where a redirect has led. A body
 *   that is not kept is used up by it
 */
export type ReplayableRequest = readonly [
  given: Request | undefined,
  method: string,
  signal: AbortSignal | null,
  isKept: () => boolean,
  create: (url: string, overrides: RequestInit | false) => Request,
]

/** Reads the arguments of `fetch`. */
export function openRequest(input: string | URL | Request, init: RequestInit): ReplayableRequest {
  const given = 'headers' in Object(input) ? toNative(input as Request) : undefined
  const { method = given?.method ?? 'GET', signal = given?.signal ?? null, body } = init
  const [isKept, take] =
    given && !body
      ? keepBody(given)
      : [() => !(Object(body).getReader ?? Object(body)[Symbol.asyncIterator]), (url: string) => given ?? url]
  const create: ReplayableRequest[4] = (url, overrides) => {
    const request = new Request(take(url), { ...init, ...overrides })
    return request.url === url ? request : new Request(url, request)
  }
  return [given, method, signal, isKept, create]
}

/** A `Request` of this realm. One of another library is known by its shape only. */
function toNative(input: Request): Request {
  const copy = attempt(() => new Request(input.clone()))
  return copy?.url === input.url ? input : new Request(input.url, input)
}

/** Whether the body is kept; a request with it: first the given one, later what was kept. */
type KeptBody = readonly [isKept: () => boolean, take: () => Request]

/** Reads a copy of the body alongside the sending, and drops it when it gets too long. */
function keepBody(given: Request): KeptBody {
  const reader = given.clone().body?.getReader()
  // Without a body, and where engines do not show it, a clone costs nothing.
  if (!reader) return [() => true, () => given.clone()]
  let body = new Blob([])
  let isKept = false
  const read = async (): Promise<void> => {
    const { value } = await reader.read()
    isKept = !value
    if (isKept) return
    body = new Blob([body, value as Uint8Array<ArrayBuffer>])
    if (body.size <= KEPT) return read()
    body = new Blob([])
    return reader.cancel()
  }
  read().catch(() => undefined)
  return [() => isKept, () => (given.bodyUsed ? new Request(given, { body }) : given)]
}

/** Waits for the work, but no longer than the caller wants: rejects with the signal's reason. */
export function heed<T>(signal: AbortSignal | null, work: Promise<T>): Promise<T> {
  if (!signal) return work
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop)
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}
