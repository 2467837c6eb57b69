/**
 * Fetches one JSON object of an issuer, within the bounds of an exchange, from an address that may
 * be fetched.
 */
import { type ExchangeError, exchange, type FetchLike, type Reply } from '../internal/exchange.ts'
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
  const { url, form } = request
  const where = `${url.origin}${url.pathname}`
  const { status, headers, text } = await send(request, rules, where)
  if (status !== 200) throw new FetchError(`${where} responded ${status}${toHint(status, form)}`, status)
  const body = parseObject(text)
  if (body === undefined) throw new FetchError(`${where} responded no JSON object`, status)
  return { body, maxAge: readMaxAge(headers) }
}

async function send(
  { url, form, headers, deadline, maxBytes }: JsonRequest,
  rules: FetchRules,
  where: string,
): Promise<Reply> {
  const request = {
    url: url.href,
    body: form,
    headers: {
      accept: 'application/json',
      ...(form !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }),
      ...headers,
    },
    deadline,
    maxBytes,
  }
  // The name is resolved within the deadline, too.
  const checkedFetch: FetchLike = async (href, init) => {
    await checkAddress(url, rules)
    const { fetch } = rules
    return fetch(href, init)
  }
  try {
    return await exchange(request, checkedFetch)
  } catch (error) {
    const { message } = error as ExchangeError
    throw new FetchError(`${where}: ${message}`, null, error)
  }
}

/** What the operator may do about a status. */
function toHint(status: number, form: string | undefined): string {
  // A redirect that is not followed has the status 0 where the platform hides it.
  if (status === 0 || (status >= 300 && status < 400)) return ', a redirect, which is not followed'
  return status === 401 && form !== undefined ? ': are the credentials right?' : ''
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
