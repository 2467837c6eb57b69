/**
 * Tokens that are no bearer access tokens, by their own claims: those that are bound to a key (RFC
 * 7800 section 3, RFC 8705 section 3.1, RFC 9449 section 6.1), and, where a token says no type of
 * ours, ID tokens, security events, and what Keycloak and Cognito say of their tokens.
 */

/** Whether a token is bound to a key, whose proof no one checks here. */
export function isBoundToKey(claims: Readonly<Record<string, unknown>>): boolean {
  return claims['cnf'] !== undefined && claims['cnf'] !== null
}

/**
 * Claims of tokens for another use (OpenID Connect Core sections 3.1.3.6 and 3.3.2.11, RFC
 * 8417 section 2.2).
 */
const MARKS = ['at_hash', 'c_hash', 's_hash', 'events'] as const

/** What Keycloak writes in `typ`, and Cognito in `token_use`. */
const OTHER_USES = /^(?:id|refresh|offline|logout)$/i

/**
 * What in the claims says that an untyped token is for another use; undefined for nothing. An ID
 * token without any of these says by its audience only that it is one: the client's name.
 */
export function findOtherUse(claims: Readonly<Record<string, unknown>>): string | undefined {
  const mark = MARKS.find((name) => claims[name] !== undefined)
  if (mark !== undefined) return mark
  const named = ['typ', 'token_use'].find((name) => OTHER_USES.test(String(claims[name])))
  if (named !== undefined) return named
  // Older versions of Keycloak repeat the nonce in access tokens, which say `typ: 'Bearer'`.
  return claims['nonce'] !== undefined && claims['typ'] !== 'Bearer' ? 'nonce' : undefined
}
