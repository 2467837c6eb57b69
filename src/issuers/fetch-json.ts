/**
 * Fetches one JSON object of an issuer, within bounds: of the address, the time from the first byte
 * to the last, and the size. Redirects are not followed, as they lead wherever the response says.
 */

import { fromUtf8 } from '../internal/bytes.ts'
import { parseObject } from '../internal/json.ts'
import { type AddressRules, checkAddress } from './address.ts'

/** How issuers are fetched. */
export interface FetchRules extends AddressRules {
  /** Sends a request. */
  readonly fetch: typeof globalThis.fetch
}

/** What is fetched. */
export interface JsonRequest {
  /** The address. */
  readonly url: URL
  /** The form of a POST; undefined for a GET. */
  readonly form?: string
  /** Further headers. */
  readonly headers?: Readonly<Record<string, string>>
  /** How long the whole response may take, in seconds. */
  readonly deadline: number
  /** How large it may be, in bytes, decompressed. */
  readonly maxBytes: number
}

/** A response with a JSON object. */
export interface JsonResponse {
  /** The object. */
  readonly body: Readonly<Record<string, unknown>>
  /** How long it may be kept by its `Cache-Control`, in seconds; undefined without a word of it. */
  readonly maxAge: number | undefined
}

/** Why nothing was fetched, in words without query, token or secret. */
export class FetchError extends Error {
  /** The status of the response; null without one. */
  readonly status: number | null

  /** @param status the status of the response; null without one */
  constructor(message: string, status: number | null, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'FetchError'
    this.status = status
  }
}

/** Fetches a JSON object. @throws {FetchError} for anything but 200 with one, in time */
export async function fetchJson(request: JsonRequest, rules: FetchRules): Promise<JsonResponse> {
  const { url, deadline } = request
  const where = `${url.origin}${url.pathname}`
  const controller = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new FetchError(`No whole response of ${where} within ${deadline} s`, null))
      controller.abort()
    }, deadline * 1000)
  })
  try {
    return await Promise.race([late, exchange(request, rules, controller.signal)])
  } catch (error) {
    if (error instanceof FetchError) throw error
    throw new FetchError(`${where} is out of reach: ${toText(error)}`, null, error)
  } finally {
    clearTimeout(timer)
    // Whatever was refused is not read on.
    controller.abort()
  }
}

async function exchange(
  { url, form, headers, maxBytes }: JsonRequest,
  rules: FetchRules,
  signal: AbortSignal,
): Promise<JsonResponse> {
  await checkAddress(url, rules)
  const { fetch } = rules
  const response = await fetch(url.href, {
    method: form === undefined ? 'GET' : 'POST',
    headers: {
      accept: 'application/json',
      ...(form !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }),
      ...headers,
    },
    ...(form !== undefined && { body: form }),
    redirect: 'manual',
    signal,
  })
  const where = `${url.origin}${url.pathname}`
  const { status } = response
  if (status !== 200) {
    const isRedirect = response.type === 'opaqueredirect' || (status >= 300 && status < 400)
    const hint = isRedirect
      ? ', a redirect, which is not followed'
      : status === 401 && form !== undefined
        ? ': are the credentials right?'
        : ''
    throw new FetchError(`${where} responded ${status}${hint}`, status)
  }
  const bytes = await readBytes(response, maxBytes)
  if (bytes === undefined) throw new FetchError(`${where} responded more than ${maxBytes} bytes`, status)
  const body = parseObject(fromUtf8(bytes) ?? '')
  if (body === undefined) throw new FetchError(`${where} responded no JSON object`, status)
  return { body, maxAge: readMaxAge(response.headers) }
}

/** Reads a body piece by piece; undefined where it is larger than allowed. */
async function readBytes({ body }: Response, maxBytes: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  let size = 0
  const reader = body?.getReader()
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined }
    if (done || value === undefined) return Buffer.concat(chunks)
    size += value.byteLength
    if (size > maxBytes) return undefined
    chunks.push(value)
  }
}

/** How long a response may be kept (RFC 9111 sections 4.2.1 and 5.2.2). */
function readMaxAge(headers: Headers): number | undefined {
  const control = headers.get('cache-control')?.toLowerCase() ?? ''
  if (/(?:^|[\s,])no-(?:store|cache)(?:$|[\s,=])/.test(control)) return 0
  const maxAge = /(?:^|[\s,])max-age="?(\d{1,10})/.exec(control)?.[1]
  if (maxAge === undefined) return undefined
  const age = /^\d{1,10}$/.exec(headers.get('age') ?? '')?.[0] ?? '0'
  return Math.max(0, Number(maxAge) - Number(age))
}

/** What went wrong, in the words of the platform. `fetch` says it in the cause. */
function toText(error: unknown): string {
  const { cause, message } = Object(error) as { readonly cause?: unknown; readonly message?: unknown }
  const { code, message: inner } = Object(cause) as { readonly code?: unknown; readonly message?: unknown }
  return String(code ?? (inner || message) ?? 'no response')
}
