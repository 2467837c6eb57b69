/**
 * One exchange with another service over HTTP, within bounds: of the time until the last byte, and
 * of the size of the body, decompressed. Redirects are not followed, as they lead wherever the
 * response says. What the response means is up to the caller.
 */
import { fromUtf8 } from './bytes.ts'

/** A request. */
export interface Exchange {
  /** The address. */
  readonly url: string
  /** The body of a POST; undefined for a GET. */
  readonly body?: string | undefined
  /** Its headers. */
  readonly headers: Readonly<Record<string, string>>
  /** How long the whole response may take, in seconds. */
  readonly deadline: number
  /** The largest body, in bytes, decompressed. */
  readonly maxBytes: number
  /** Ends it early. */
  readonly signal?: AbortSignal
}

/** A response, whatever it says. */
export interface Reply {
  /** Its status. */
  readonly status: number
  /** Its headers. */
  readonly headers: Headers
  /** The body of a 200, decoded; empty with any other status, whose body is not read. */
  readonly text: string
}

/** Sends a request, as `fetch` does. */
export type FetchLike = (url: string, init: RequestInit) => Promise<Response>

/** Why there is no response that counts, in words without query, token or secret. */
export class ExchangeError extends Error {
  override readonly name = 'ExchangeError'
}

/** For platforms that patch `fetch` with a cache, such as Next.js. Node's types do not know it. */
const UNCACHED = { cache: 'no-store' } as const

/**
 * Sends a request and reads the response.
 *
 * @throws {ExchangeError} for a response that is late, too large or no text, and where there is
 *   none; one that `send` throws comes through as it is
 */
export async function exchange(request: Exchange, send: FetchLike): Promise<Reply> {
  const controller = new AbortController()
  const abort = (): void => controller.abort()
  request.signal?.addEventListener('abort', abort)
  if (request.signal?.aborted) abort()
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new ExchangeError(`no whole response within ${request.deadline} s`))
      abort()
    }, request.deadline * 1000)
    timer.unref?.()
  })
  try {
    return await Promise.race([late, receive(request, send, controller.signal)])
  } catch (error) {
    if (error instanceof ExchangeError) throw error
    throw new ExchangeError(`no response: ${toText(error)}`, { cause: error })
  } finally {
    clearTimeout(timer)
    request.signal?.removeEventListener('abort', abort)
  }
}

async function receive(
  { url, body, headers, maxBytes }: Exchange,
  send: FetchLike,
  signal: AbortSignal,
): Promise<Reply> {
  const method = body === undefined ? { method: 'GET' } : { method: 'POST', body }
  checkHeaders(headers)
  const init = { ...UNCACHED, ...method, headers, redirect: 'manual', signal } as const
  const response = await send(url, init)
  const { status } = response
  const text = status === 200 ? await readText(response, maxBytes) : ''
  // Whatever a refusal says, it is not read on.
  if (status !== 200) void response.body?.cancel().catch(() => undefined)
  return { status, headers: response.headers, text }
}

/** Checks headers first: `fetch` repeats a bad value, which may be a secret, in its error. */
function checkHeaders(headers: Exchange['headers']): void {
  try {
    new Headers(headers)
  } catch {
    throw new ExchangeError('a header of the request has a character that no header may have')
  }
}

/** Reads a body piece by piece. @throws {ExchangeError} where it is too large, or no UTF-8 */
async function readText({ body }: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  const reader = body?.getReader()
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined }
    if (done || value === undefined) break
    size += value.byteLength
    if (size > maxBytes) {
      void reader?.cancel().catch(() => undefined)
      throw new ExchangeError(`a response of more than ${maxBytes} bytes`)
    }
    chunks.push(value)
  }
  const text = fromUtf8(Buffer.concat(chunks))
  if (text === undefined) throw new ExchangeError('a response that is no text')
  return text
}

/** What went wrong, by the code of the platform. `fetch` says it in the cause. */
function toText(error: unknown): string {
  const { cause, code, name } = Object(error) as Record<'cause' | 'code' | 'name', unknown>
  return String((Object(cause) as { readonly code?: unknown }).code ?? code ?? name ?? 'no reason')
}
