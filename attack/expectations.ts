/** Checks one response against one expectation: status, error code and headers. */
import type { ErrorCode } from 'tokenwright'
import { codeOf, type Exchange } from './attacker.ts'
import type { Expectation } from './cases.ts'
import { headerValues } from './raw-http.ts'
import { Unsupported } from './values.ts'

/** Older names of errors in case files, and the codes that they mean. */
export const OLDER_NAMES: Readonly<Record<string, readonly ErrorCode[]>> = {
  token_invalid: [
    'token_malformed',
    'signature_invalid',
    'issuer_invalid',
    'audience_invalid',
    'token_not_active',
  ],
  token_not_yet_valid: ['token_not_active'],
  token_wrong_type: ['access_token_required', 'refresh_token_required'],
  refresh_unknown: ['session_revoked', 'session_expired'],
  invalid_credentials: ['credentials_invalid'],
  csrf_failed: ['csrf_missing', 'csrf_mismatch'],
  insufficient_scope: ['scope_missing'],
  token_not_fresh: ['fresh_token_required'],
  bad_request: ['request_invalid'],
}

/** Whether a response has a body to read: HEAD has none (RFC 9110 section 9.3.2). */
export function hasBody({ request }: Exchange): boolean {
  return request.method !== 'HEAD'
}

/** What is wrong with a response; empty if nothing is. */
export function checkResponse(expect: Expectation, exchange: Exchange): string[] {
  return [
    ...checkStatus(expect, exchange),
    ...checkError(expect, exchange),
    ...Object.entries(expect.headers).flatMap(([name, wanted]) => checkHeader(name, wanted, exchange)),
  ]
}

function checkStatus({ status }: Expectation, exchange: Exchange): string[] {
  const { response } = exchange
  if (status.length === 0 || status.includes(response.status)) return []
  const code = codeOf(exchange)
  const found = `${response.status}${code === null ? '' : ` (${code})`}`
  return [`status ${found}, expected ${status.join(' or ')}`]
}

function checkError({ error }: Expectation, exchange: Exchange): string[] {
  const { response, handling } = exchange
  // What Node's HTTP parser refuses never reaches the application, and has no body.
  const isOurs = response.status >= 400 && handling !== undefined && hasBody(exchange)
  if (!isOurs || error.length === 0) return []
  const code = codeOf(exchange)
  const allowed = error.flatMap((name): readonly string[] =>
    Object.hasOwn(OLDER_NAMES, name) ? (OLDER_NAMES[name] ?? []) : [name],
  )
  if (allowed.includes(String(code))) return []
  return [`${response.status} ${code ?? 'without a code'}, expected ${error.join(' or ')}`]
}

function checkHeader(name: string, wanted: readonly (string | null)[], { response }: Exchange): string[] {
  const values = headerValues(response, name)
  if (wanted.some((one) => matchesHeader(values, one))) return []
  return [
    `header ${name}: '${values.join(', ')}', expected ${wanted.map((one) => one ?? 'none').join(' or ')}`,
  ]
}

function matchesHeader(values: readonly string[], wanted: string | null): boolean {
  if (wanted === null) return values.length === 0
  const text = values.join(', ')
  const pattern = toPattern(wanted)
  return pattern === undefined
    ? text.toLowerCase().includes(wanted.toLowerCase())
    : [text, ...values].some((value) => pattern.test(value))
}

/** Text between slashes is a regular expression. */
function toPattern(wanted: string): RegExp | undefined {
  const [, source, flags = ''] = /^\/(.+)\/([dgimsuvy]*)$/s.exec(wanted) ?? []
  if (source === undefined) return undefined
  try {
    // With g or y, the result would depend on the match before.
    return new RegExp(source, flags.replace(/[gy]/g, ''))
  } catch {
    throw new Unsupported(`invalid pattern ${wanted}`)
  }
}
