/**
 * What the application passed to `fetch`, as a request that can be made more than once: whatever
 * realm it is of, and with a body that is kept only while it is small.
 */

import type { Transport } from './transport.ts'

/** The longest body of a `Request` that is kept so that it can be sent again, in bytes: 1 MiB. */
const KEPT = 2 ** 20

/** A request that can be made several times. */
export interface ReplayableRequest {
  /** The `Request` that was passed; undefined for an address. */
  readonly given: Request | undefined
  readonly url: string
  readonly method: string
  readonly signal: AbortSignal | undefined
  /** Whether the body, if there is one, can be sent again. */
  readonly isKept: boolean
  /** Makes the request. A body that is not kept is used up by it. */
  create(overrides: RequestInit): Request
  /** Goes on from the given address, if it is of the same origin. Returns whether it is. */
  redirect(url: string): boolean
}

/** Reads the arguments of `fetch`. */
export function openRequest(
  input: string | URL | Request,
  init: RequestInit,
  { base, resolve }: Pick<Transport, 'base' | 'resolve'>,
): ReplayableRequest {
  const given = typeof input === 'object' && 'headers' in input ? toNative(input) : undefined
  const own = given && !init.body ? keepBody(given) : undefined
  let url = given?.url ?? resolve(input as string | URL)
  let moved = false
  return {
    given,
    get url() {
      return url
    },
    method: (init.method ?? given?.method ?? 'GET').toUpperCase(),
    signal: init.signal ?? given?.signal,
    get isKept() {
      return own ? own.isKept : !isStream(init.body)
    },
    create(overrides) {
      const all = { ...init, ...overrides }
      const source = own ? own.take() : given
      return source && moved ? new Request(url, new Request(source, all)) : new Request(source ?? url, all)
    },
    redirect(next) {
      if (new URL(next).origin !== base.origin) return false
      moved = true
      url = next
      return true
    },
  }
}

/** A `Request` of this realm. One of another library is known by its shape only. */
function toNative(input: Request): Request {
  try {
    if (new Request(input.clone()).url === input.url) return input
  } catch {
    // Not one of this realm.
  }
  return new Request(input.url, input)
}

function isStream(body: unknown): boolean {
  const { getReader, [Symbol.asyncIterator]: iterate } = Object(body)
  return Boolean(getReader ?? iterate)
}

interface KeptBody {
  readonly isKept: boolean
  /** A request with the body: the given one first, later ones with what was kept. */
  take(): Request
}

/** Reads a copy of the body alongside the sending, and drops it when it gets too long. */
function keepBody(given: Request): KeptBody {
  // Without a body, and where engines do not show it, a clone costs nothing.
  if (!given.body) return { isKept: true, take: () => given.clone() }
  const reader = given.clone().body?.getReader()
  const chunks: Uint8Array<ArrayBuffer>[] = []
  let size = 0
  let isKept = false
  const read = async (): Promise<void> => {
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true }
      isKept = done
      if (done) return
      size += value.length
      if (size > KEPT) {
        chunks.length = 0
        return reader?.cancel()
      }
      chunks.push(value)
    }
  }
  read().catch(() => undefined)
  return {
    get isKept() {
      return isKept
    },
    take: () => (given.bodyUsed ? new Request(given, { body: new Blob(chunks) }) : given),
  }
}

/** Waits for the work, but no longer than the caller wants: rejects with the signal's reason. */
export async function heed<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (!signal) return work
  let stop: (() => void) | undefined
  try {
    return await Promise.race([
      work,
      new Promise<never>((_, reject) => {
        stop = () => reject(signal.reason)
        if (signal.aborted) stop()
        signal.addEventListener('abort', stop)
      }),
    ])
  } finally {
    if (stop) signal.removeEventListener('abort', stop)
  }
}
