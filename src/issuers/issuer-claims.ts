/**
 * The claims of another issuer's token (RFC 7519, RFC 9068): what they must be, and what they say
 * of the user. Pure. A claim with one of our names and another meaning, such as `sid` or `type`,
 * means nothing here. The caller decides whether a `sid` is one of ours.
 */
import { describeType } from '../internal/configuration-error.ts'
import { LATEST_MOMENT } from '../internal/duration.ts'
import { deepFreeze } from '../internal/json.ts'
import { type ClaimName, isReservedClaim, isWithinPayloadBounds, SHAPES } from '../token/claim-shapes.ts'
import { findOtherUse, isBoundToKey } from '../token/other-use.ts'
import { isScope, splitScopes } from '../token/scopes.ts'
import type { Claims } from '../token/token-payload.ts'
import { TOKEN_TYPES } from '../token/token-type.ts'

/** What the claims of an issuer's tokens must be. */
export interface IssuerClaimRules {
  /** The issuer. */
  readonly issuer: string
  /** The audiences of which a token must name one; empty accepts only tokens without any. */
  readonly audience: readonly string[]
  /** The clients whose tokens are accepted; null for all. */
  readonly clients: readonly string[] | null
  /** Whether RFC 9068 must be kept. */
  readonly isStrict: boolean
  /** Whether ID tokens are accepted. */
  readonly idTokens: boolean
  /** The longest life of a token, in seconds. */
  readonly maxLifetime: number
}

/** What claims say, before the application maps them. */
export interface IssuerClaims {
  readonly sub: string | undefined
  readonly jti: string | undefined
  readonly sid: string | undefined
  readonly iat: number | undefined
  readonly exp: number
  readonly nbf: number | undefined
  readonly aud: string | readonly string[] | undefined
  readonly auth_time: number | undefined
  readonly amr: readonly string[] | undefined
  readonly acr: string | undefined
  readonly client_id: string | undefined
  readonly scopes: readonly string[]
  /** All claims that have no meaning of ours, frozen. */
  readonly data: Claims
}

/** Why claims are refused. */
export interface ClaimRefusal {
  readonly code: 'token_malformed' | 'issuer_invalid' | 'audience_invalid'
  /** The same in words, for the log. It repeats no claim. */
  readonly reason: string
}

/**
 * Checks parsed claims. It does check bounds, shape, issuer, audience, client, kind of token; it
 * does not check times.
 *
 * @param typ the header's `typ` in lower case
 * @param now epoch seconds
 */
export function readIssuerClaims(
  claims: Claims,
  typ: string | undefined,
  rules: IssuerClaimRules,
  now: number,
): IssuerClaims | ClaimRefusal {
  const problem = findMisfit(claims, typ, rules, now)
  if (problem !== undefined) return { code: 'token_malformed', reason: problem }
  if (claims['iss'] !== rules.issuer)
    return { code: 'issuer_invalid', reason: 'The `iss` is of another issuer' }
  const misdirected = findMisdirection(claims, rules)
  if (misdirected !== undefined) return { code: 'audience_invalid', reason: misdirected }
  deepFreeze(claims)
  return {
    sub: read(claims, 'sub'),
    jti: read(claims, 'jti'),
    sid: read(claims, 'sid'),
    iat: read(claims, 'iat'),
    exp: claims['exp'] as number,
    nbf: read(claims, 'nbf'),
    aud: read(claims, 'aud'),
    auth_time: read(claims, 'auth_time'),
    amr: read(claims, 'amr'),
    acr: read(claims, 'acr'),
    client_id: read(claims, 'client_id'),
    scopes: readScopes(claims, isOurs(typ)),
    data: Object.freeze(
      Object.fromEntries(Object.entries(claims).filter(([name]) => !isReservedClaim(name))),
    ),
  }
}

/** A claim in its form; undefined for none, and for one of another form. */
function read<T>(claims: Claims, name: ClaimName): T | undefined {
  const value = claims[name]
  return value !== undefined && value !== null && SHAPES[name](value) ? (value as T) : undefined
}

/** Claims that mean the same in every JWT (RFC 7519 section 4.1). */
const COMMON = ['sub', 'exp', 'nbf', 'iat', 'jti'] as const

function findMisfit(
  claims: Claims,
  typ: string | undefined,
  { isStrict, idTokens, maxLifetime }: IssuerClaimRules,
  now: number,
): string | undefined {
  if (!isWithinPayloadBounds(claims)) return 'The claims have too many members or levels'
  for (const name of COMMON) {
    const value = claims[name]
    if (value !== undefined && value !== null && !SHAPES[name](value))
      return `The claim \`${name}\` has another form, got ${describeType(value)}`
  }
  const { exp, iat } = claims as { readonly exp?: number | null; readonly iat?: number | null }
  if (exp === undefined || exp === null) return 'The claim `exp` is missing'
  if (exp > LATEST_MOMENT) return 'The claim `exp` looks like milliseconds'
  if (exp - (iat ?? now) > maxLifetime)
    return `The token lives longer than \`limits.lifetime\`, ${maxLifetime} seconds`
  if (isBoundToKey(claims)) return 'The token is bound to a key (`cnf`): it is no bearer token'
  if (isStrict && typ !== 'at+jwt' && typ !== 'application/at+jwt')
    return 'The `typ` of the header is not at+jwt'
  if (isStrict) {
    const missing = ['sub', 'iat', 'jti', 'client_id'].find(
      (name) => typeof claims[name] !== (name === 'iat' ? 'number' : 'string'),
    )
    if (missing !== undefined) return `The claim \`${missing}\` is missing (RFC 9068 section 2.2)`
  }
  // An issuer may send others that say nothing: the audience is what keeps those away.
  const use = findOtherUse(claims, typ)
  if (use === undefined || (idTokens && use.isIdToken)) return undefined
  return `The claim \`${use.claim}\` is of a token that is no access token`
}

/** Whether a token is for someone else. */
function findMisdirection(claims: Claims, { audience, clients }: IssuerClaimRules): string | undefined {
  const { aud } = claims
  const names: readonly unknown[] = aud === undefined || aud === null ? [] : Array.isArray(aud) ? aud : [aud]
  if (!names.every((name) => typeof name === 'string')) return 'The claim `aud` has another form'
  const isMeant =
    audience.length === 0 ? names.length === 0 : names.some((name) => audience.includes(name as string))
  if (!isMeant)
    return audience.length === 0
      ? 'The token has an `aud`, and `audience` is not set'
      : 'No `aud` is in `audience`'
  if (clients === null) return undefined
  const client = claims['client_id'] ?? claims['azp']
  return typeof client === 'string' && clients.includes(client) ? undefined : 'The client is not in `clients`'
}

/** Whether a token is of another application with this library, whose claims are ours. */
export function isOurs(typ: string | undefined): boolean {
  return typ === TOKEN_TYPES.access.typ
}

/** The scopes (RFC 8693 section 4.2), also as Entra, Okta and others write them. */
function readScopes({ scope, scp, scopes }: Claims, isOwn: boolean): readonly string[] {
  const value = scope ?? scp ?? (isOwn ? scopes : undefined)
  const names: unknown = typeof value === 'string' ? splitScopes(value) : value
  return Object.freeze(Array.isArray(names) ? names.filter(isScope) : [])
}
