/** The responses to a proxy, each in a form that it passes on. None may be cached. */
import type { OtherErrorCode } from '../../errors.ts'
import { createOtherResponse, type ResponseData } from '../../http/error-response.ts'
import type { ProblemSettings } from '../../http/problem-details.ts'
import type { ProxyRow } from './proxies.ts'

/** The statuses that nginx passes on. */
const PASSED_ON: readonly number[] = [401, 403]

const NO_STORE = { 'Cache-Control': 'no-store' } as const

/** The client's request may pass. @param identity headers that say whose it is */
export function toAllowed(identity: Readonly<Record<string, string>>): Response {
  return new Response(null, { status: 200, headers: { ...NO_STORE, ...identity } })
}

/** A refusal of a request that no configuration of the proxy should make. */
export function toForbidden(
  code: Extract<OtherErrorCode, 'proxy_untrusted' | 'requirement_unknown' | 'identity_too_long'>,
  row: ProxyRow,
  problems: ProblemSettings | null,
): Response {
  return toRefusal(createOtherResponse(code, problems), row)
}

/**
 * A refusal. Where the proxy passes on some statuses alone, any other is a 403, and headers have
 * what the client should get: the status and the body. A 401 would sign clients out while the store
 * is down.
 */
export function toRefusal({ status, headers, body }: ResponseData, row: ProxyRow): Response {
  if (row.passesRefusals) return new Response(body, { status, headers })
  return new Response(body, {
    status: PASSED_ON.includes(status) ? status : 403,
    headers: { ...headers, 'X-Auth-Status': String(status), 'X-Auth-Error': toAscii(body) },
  })
}

/** The same JSON, in characters that a header can hold. */
function toAscii(json: string): string {
  return json.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
