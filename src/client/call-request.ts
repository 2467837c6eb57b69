/**
 * What the application passed to `fetch`, as a request that can be made more than once: whatever
 * realm it is of, and with a body that is kept only while it is small.
 */
import { attempt } from './attempt.ts'
import { KEPT } from './limits.ts'

/** A request that can be made several times. */
export interface ReplayableRequest {
  /** The `Request` that was passed; undefined for an address. */
  readonly given: Request | undefined
  readonly method: string
  readonly signal: AbortSignal | undefined
  /** Whether the body, if there is one, can be sent again. */
  readonly isKept: () => boolean
  /**
   * Makes the request. A body that is not kept is used up by it.
   *
   * @param url the one that was passed, or where a redirect has led
   */
  readonly create: (url: string, overrides: RequestInit) => Request
}

/** Reads the arguments of `fetch`. */
export function openRequest(input: string | URL | Request, init: RequestInit): ReplayableRequest {
  const given = typeof input === 'object' && 'headers' in input ? toNative(input) : undefined
  const own = given && !init.body ? keepBody(given) : undefined
  return {
    given,
    method: (init.method ?? given?.method ?? 'GET').toUpperCase(),
    signal: init.signal ?? given?.signal,
    isKept: own?.isKept ?? (() => !isStream(init.body)),
    create(url, overrides) {
      const request = new Request(own ? own.take() : (given ?? url), { ...init, ...overrides })
      return request.url === url ? request : new Request(url, request)
    },
  }
}

/** A `Request` of this realm. One of another library is known by its shape only. */
function toNative(input: Request): Request {
  const copy = attempt(() => new Request(input.clone()))
  return copy?.url === input.url ? input : new Request(input.url, input)
}

function isStream(body: unknown): boolean {
  const { getReader, [Symbol.asyncIterator]: iterate } = Object(body)
  return Boolean(getReader ?? iterate)
}

interface KeptBody {
  readonly isKept: () => boolean
  /** A request with the body: the given one first, later ones with what was kept. */
  readonly take: () => Request
}

/** Reads a copy of the body alongside the sending, and drops it when it gets too long. */
function keepBody(given: Request): KeptBody {
  const reader = given.body && given.clone().body?.getReader()
  // Without a body, and where engines do not show it, a clone costs nothing.
  if (!reader) return { isKept: () => true, take: () => given.clone() }
  const chunks: Uint8Array<ArrayBuffer>[] = []
  let size = 0
  let isKept = false
  const read = async (): Promise<void> => {
    const { value } = await reader.read()
    size += value?.length ?? 0
    isKept = !value
    if (size > KEPT) {
      chunks.length = 0
      return reader.cancel()
    }
    if (!value) return
    chunks.push(value)
    return read()
  }
  read().catch(() => undefined)
  return {
    isKept: () => isKept,
    take: () => (given.bodyUsed ? new Request(given, { body: new Blob(chunks) }) : given),
  }
}

/** Waits for the work, but no longer than the caller wants: rejects with the signal's reason. */
export function heed<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (!signal) return work
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop)
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}
