/**
 * From a token to a payload: signature, claims, times, and the kind of token that is wanted. Synchronous, unless the user's schema for
 * custom claims is asynchronous. What a route asks beyond that (freshness, scopes) is `requirement.ts`; whether the token was revoked is
 * the guard's.
 */

import { AuthError } from '../errors.ts'
import { type Awaitable, andThen } from '../internal/awaitable.ts'
import { decodeText, flatten } from '../internal/bytes.ts'
import { deepFreeze, parseObject } from '../internal/json.ts'
import type { StandardSchema } from '../internal/schema.ts'
import { type ClaimRules, decideTimes, readClaims, toSpan } from './claims.ts'
import { validateData } from './custom-claims.ts'
import { type JwsLimits, prepareVerifyJws } from './jws.ts'
import type { KeyRing, RingKey } from './key-ring.ts'
import { type CacheBounds, createTokenCache, type RawToken } from './token-cache.ts'
import { type Claims, TokenPayload } from './token-payload.ts'
import { type ExpectedToken, requireTypeAndRealm } from './token-requirement.ts'
import type { NamedType } from './token-type.ts'

/** What the verifier works from. */
export interface VerifySettings<C> {
  /** The keys whose tokens are accepted. */
  readonly ring: KeyRing
  /** What the claims must be. */
  readonly rules: ClaimRules
  /** Bounds on tokens. */
  readonly limits: JwsLimits
  /** Bounds of the verified-token cache; null for none. */
  readonly cache: CacheBounds | null
  /** The schema of the custom claims; null for none. */
  readonly schema: StandardSchema<unknown, C> | null
  /** Whether sessions are kept in a store, whose clock says since when their refresh tokens are good. */
  readonly hasRows: boolean
}

/** Verifies tokens. In two parts, as the first never has to be waited for, so that whoever calls it need not ask. */
export interface Verifier<C> {
  /** Whether it remembers any token at all. */
  readonly isCaching: boolean
  /**
   * The payload of a token that was verified before and may be used now; undefined for any other, which has to be verified.
   *
   * @throws {AuthError} `access_token_required`, `refresh_token_required` or `realm_mismatch` for a token of another kind
   */
  lookup(carried: RawToken, wanted: ExpectedToken): TokenPayload<C> | undefined
  /**
   * Verifies one token, and remembers it.
   *
   * @param wanted the type and the realm that will do
   * @throws {AuthError} `token_malformed`, `signature_invalid`, `issuer_invalid`, `audience_invalid`, `token_expired`, `token_not_active`,
   *   `access_token_required`, `refresh_token_required` or `realm_mismatch`; as a rejection when the schema is asynchronous
   */
  verify(carried: RawToken, wanted: ExpectedToken): Awaitable<TokenPayload<C>>
}

/**
 * Judges claims whose signature holds: their shape, issuer, audience, times and custom claims.
 *
 * @param header what the header's `typ` says of the token's type
 * @param now epoch seconds
 * @throws {AuthError} as `Verifier.verify`; as a rejection when the schema is asynchronous
 */
export type Accept<C> = (
  claims: Record<string, unknown>,
  header: NamedType,
  now: number,
) => Awaitable<TokenPayload<C>>

/** Prepares the judgement of claims. */
export function prepareAccept<C>(
  settings: Pick<VerifySettings<C>, 'rules' | 'schema' | 'hasRows'>,
): Accept<C> {
  const { rules, schema, hasRows } = settings
  return (claims, header, now) => {
    const read = readClaims(claims, header, rules)
    if (typeof read === 'string') throw new AuthError(read)
    const payload = read as TokenPayload<C>
    const objection = decideTimes(toSpan(payload, rules.leeway, hasRows), now)
    if (objection !== undefined) throw new AuthError(objection)
    if (schema === null) return payload

    const checked = validateData(schema, payload.data)
    const finish = (data: C | undefined): TokenPayload<C> => {
      if (data === undefined) throw new AuthError('token_malformed')
      return new TokenPayload({ ...payload, data: deepFreeze(data) }, rules.clock)
    }
    return checked instanceof Promise ? checked.then(finish) : finish(checked)
  }
}

/**
 * Makes a verifier.
 *
 * It does check: everything of `prepareVerifyJws`, the shape of the claims, issuer, audience, custom claims, times, type, realm.
 * It does not check: revocation, freshness, scopes.
 */
export function createVerifier<C = Claims>(settings: VerifySettings<C>): Verifier<C> {
  const { clock, leeway } = settings.rules
  const verifyJws = prepareVerifyJws(settings.ring, settings.limits, decodeText)
  const accept = prepareAccept(settings)
  const cache = settings.cache && createTokenCache<TokenPayload<C>>(settings.cache, clock)

  function remember({ text, start }: RawToken, key: RingKey, value: TokenPayload<C>): void {
    const { from, until } = toSpan(value, leeway, settings.hasRows)
    cache?.store({ text: flatten(text), start, from, until: Math.min(until, key.notAfter), value })
  }

  return {
    isCaching: cache !== null,
    lookup: (carried, wanted) => cache?.lookup(carried, wanted),
    verify(carried, wanted) {
      const now = clock()
      const { header, key, payload } = verifyJws(carried.text.slice(carried.start), now)
      const claims = parseObject(payload)
      if (claims === undefined) throw new AuthError('token_malformed')
      return andThen(accept(claims, header, now), (accepted) => {
        remember(carried, key, accepted)
        return requireTypeAndRealm(accepted, wanted)
      })
    },
  }
}
