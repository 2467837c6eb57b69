/** The responses to a proxy, each in a form that it passes on. None may be cached. */
import type { ResponseData } from '../../http/error-response.ts'
import { type ProblemSettings, toErrorBody } from '../../http/problem-details.ts'
import type { ProxyRow } from './proxies.ts'

/** Refusals of requests that no configuration of the proxy should make. */
const FORBIDDEN = {
  proxy_untrusted: { error_type: 'UntrustedProxyError', message: 'Not a trusted proxy' },
  requirement_unknown: { error_type: 'UnknownRequirementError', message: 'Unknown requirement' },
  identity_too_long: { error_type: 'IdentityTooLongError', message: 'Subject and scopes are too long' },
} as const

/** The statuses that nginx passes on. */
const PASSED_ON: readonly number[] = [401, 403]

const NO_STORE = { 'Cache-Control': 'no-store' } as const

/** The client's request may pass. @param identity headers that say whose it is */
export function toAllowed(identity: Readonly<Record<string, string>>): Response {
  return new Response(null, { status: 200, headers: { ...NO_STORE, ...identity } })
}

/** A refusal with a code of its own, in the form of all others. */
export function toForbidden(
  code: keyof typeof FORBIDDEN,
  row: ProxyRow,
  problems: ProblemSettings | null,
): Response {
  const { mediaType, text } = toErrorBody(problems, 403, { ...FORBIDDEN[code], code })
  return toRefusal({ status: 403, headers: { 'Content-Type': mediaType, ...NO_STORE }, body: text }, row)
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
