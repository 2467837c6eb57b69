/**
 * One exchange with another service over HTTP, within bounds: of the time from the first byte to
 * the last, and of the size. Redirects are not followed, as they lead wherever the response says.
 */
import { fromUtf8 } from '../internal/bytes.ts'

/** A request. */
export interface Exchange {
  /** The address. */
  readonly url: string
  /** The JSON of a POST; undefined for a GET. */
  readonly json?: string
  /** Its headers. */
  readonly headers: Readonly<Record<string, string>>
  /** How long the whole response may take, in seconds. */
  readonly deadline: number
  /** Ends it. */
  readonly signal: AbortSignal
}

/** A response, whatever it says. */
export interface Reply {
  /** Its status. */
  readonly status: number
  /** Its headers. */
  readonly headers: Headers
  /** Its body, decoded. */
  readonly text: string
}

/** Why there is no response that counts, in words without the address, a token or a secret. */
export class ExchangeError extends Error {
  override readonly name = 'ExchangeError'
}

/** The largest body, in bytes. */
const MAX_BYTES = 8 * 1024 * 1024

/** For platforms that patch `fetch` with a cache, such as Next.js. Node's types do not know it. */
const UNCACHED = { cache: 'no-store' } as const

/** Sends a request and reads the response. @throws {ExchangeError} */
export async function exchange(request: Exchange, send: typeof globalThis.fetch): Promise<Reply> {
  const controller = new AbortController()
  const abort = (): void => controller.abort()
  request.signal.addEventListener('abort', abort)
  if (request.signal.aborted) abort()
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
    request.signal.removeEventListener('abort', abort)
  }
}

async function receive(
  { url, json, headers }: Exchange,
  send: typeof globalThis.fetch,
  signal: AbortSignal,
): Promise<Reply> {
  const body = json === undefined ? { method: 'GET' } : { method: 'POST', body: json }
  const response = await send(url, { ...UNCACHED, ...body, headers, redirect: 'manual', signal })
  return { status: response.status, headers: response.headers, text: await readText(response) }
}

/** Reads a body piece by piece. @throws {ExchangeError} where it is too large, or no UTF-8 */
async function readText({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  const reader = body?.getReader()
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined }
    if (done || value === undefined) break
    size += value.byteLength
    if (size > MAX_BYTES) {
      await reader?.cancel().catch(() => undefined)
      throw new ExchangeError(`a response of more than ${MAX_BYTES} bytes`)
    }
    chunks.push(value)
  }
  const text = fromUtf8(Buffer.concat(chunks))
  if (text === undefined) throw new ExchangeError('a response that is no text')
  return text
}

/** What went wrong, in the words of the platform. `fetch` says it in the cause. */
function toText(error: unknown): string {
  const { cause, name } = Object(error) as { readonly cause?: unknown; readonly name?: unknown }
  const { code } = Object(cause) as { readonly code?: unknown }
  return String(code ?? name ?? 'no reason')
}
