/**
 * Tokens that are no bearer access tokens, by their own claims: those that are bound to a key (RFC
 * 7800 section 3, RFC 8705 section 3.1, RFC 9449 section 6.1), and, where a token says no type of
 * ours, ID tokens, refresh tokens, security events, and what else issuers make.
 */

/** Whether a token is bound to a key, whose proof no one checks here. */
export function isBoundToKey(claims: Readonly<Record<string, unknown>>): boolean {
  return claims['cnf'] !== undefined && claims['cnf'] !== null
}

/** What a token without a type of ours is for, where it is no access token. */
export interface OtherUse {
  /** The claim that says so. */
  readonly claim: string
  /** Whether it is an ID token. */
  readonly isIdToken: boolean
}

/** In which claims issuers say what a token is. Keycloak writes `typ`, Cognito `token_use`. */
const KIND_CLAIMS = ['typ', 'type', 'token_use'] as const

/** What they call an access token there. */
const ACCESS_KINDS = /^(?:bearer|access|access_token)$/i

/** What they call other tokens there, ID tokens first. */
const OTHER_KINDS = /^(?:(id|id_token|serialized-id)|refresh|refresh_token|offline|logout|dpop)$/i

/** Claims of ID tokens alone (OpenID Connect Core sections 3.1.3.6 and 3.3.2.11). */
const ID_TOKEN_CLAIMS = ['at_hash', 'c_hash', 's_hash'] as const

/**
 * What in the claims says that a token is no access token; undefined for nothing. An ID token
 * without any of these says by its audience only that it is one: the client's name.
 *
 * @param typ the header's `typ` in lower case
 */
export function findOtherUse(
  claims: Readonly<Record<string, unknown>>,
  typ: string | undefined,
): OtherUse | undefined {
  // RFC 8417 section 2.2.
  if (claims['events'] !== undefined) return { claim: 'events', isIdToken: false }
  const kinds = KIND_CLAIMS.map((claim) => ({ claim, kind: toKind(claims[claim]) }))
  for (const { claim, kind } of kinds) {
    const [other, idToken] = OTHER_KINDS.exec(kind) ?? []
    if (other !== undefined) return { claim, isIdToken: idToken !== undefined }
  }
  const mark = ID_TOKEN_CLAIMS.find((name) => claims[name] !== undefined)
  if (mark !== undefined) return { claim: mark, isIdToken: true }
  // Older versions of Keycloak repeat the nonce in access tokens, which say that they are such.
  const saysAccess = typ?.endsWith('+jwt') === true || kinds.some(({ kind }) => ACCESS_KINDS.test(kind))
  return claims['nonce'] !== undefined && !saysAccess ? { claim: 'nonce', isIdToken: true } : undefined
}

/** A claim as text; empty for anything but a text, and a list of one. */
function toKind(value: unknown): string {
  const [kind, ...others] = [value].flat()
  return typeof kind === 'string' && others.length === 0 ? kind : ''
}
