/**
 * From a token to a payload: signature, claims, times. Synchronous, unless the user's schema for custom claims is asynchronous.
 * What a route asks beyond that (type, realm, freshness, scopes) is `requirement.ts`; whether the token was revoked is the guard's.
 */
import { flatten, toText } from '../base/bytes.ts'
import { deepFreeze, parseObject } from '../base/json.ts'
import type { StandardSchema } from '../base/schema.ts'
import { AuthError } from '../errors.ts'
import { type CacheBounds, createTokenCache, type Remembered } from './cache.ts'
import { type ClaimRules, judgeTimes, readClaims, type Span, toSpan } from './claims.ts'
import { validateData } from './data.ts'
import { type JwsLimits, prepareVerifyJws } from './jws.ts'
import type { KeyRing, RingKey } from './keys.ts'
import { type Claims, TokenPayload } from './payload.ts'
import type { NamedType } from './type.ts'

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

/**
 * Verifies one token.
 *
 * @param text what carried it, and ends with it
 * @param start where in the text the token begins. Default 0
 * @throws {AuthError} `token_malformed`, `signature_invalid`, `issuer_invalid`, `audience_invalid`, `token_expired` or
 *   `token_not_active`; as a rejection when the schema is asynchronous
 */
export type Verify<C> = (text: string, start?: number) => TokenPayload<C> | Promise<TokenPayload<C>>

/** What the cache remembers of a token: the payload, and when it may be used by its own word and its key's. */
interface Proof<C> extends Remembered, Span {
  readonly payload: TokenPayload<C>
}

/**
 * Judges claims whose signature holds: their shape, issuer, audience, times and custom claims.
 *
 * @param header what the header's `typ` says of the token's type
 * @param now epoch seconds
 * @throws {AuthError} as `Verify`; as a rejection when the schema is asynchronous
 */
export type Accept<C> = (
  claims: Record<string, unknown>,
  header: NamedType,
  now: number,
) => TokenPayload<C> | Promise<TokenPayload<C>>

/** Prepares the judgement of claims. */
export function prepareAccept<C>(
  settings: Pick<VerifySettings<C>, 'rules' | 'schema' | 'hasRows'>,
): Accept<C> {
  const { rules, schema, hasRows } = settings
  return (claims, header, now) => {
    const read = readClaims(claims, header, rules)
    if (typeof read === 'string') throw new AuthError(read)
    const payload = read as TokenPayload<C>
    const objection = judgeTimes(toSpan(payload, rules.leeway, hasRows), now)
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
 * Prepares the verifier.
 *
 * It does check: everything of `prepareVerifyJws`, the shape of the claims, issuer, audience, custom claims, times.
 * It does not check: type, realm, revocation, freshness, scopes.
 */
export function prepareVerify<C = Claims>(settings: VerifySettings<C>): Verify<C> {
  const { clock, leeway } = settings.rules
  const verifyJws = prepareVerifyJws(settings.ring, settings.limits, toText)
  const accept = prepareAccept(settings)
  const cache = settings.cache === null ? null : createTokenCache<Proof<C>>(settings.cache)

  function remember(text: string, start: number, key: RingKey, payload: TokenPayload<C>): TokenPayload<C> {
    const { from, until } = toSpan(payload, leeway, settings.hasRows)
    cache?.store({ text: flatten(text), start, payload, from, until: Math.min(until, key.notAfter) })
    return payload
  }

  return (text, start = 0) => {
    if (typeof text !== 'string') throw new AuthError('token_malformed')
    const now = clock()
    const proof = cache?.find(text, start)
    // Out of its time it is verified anew, which says what is wrong with it.
    if (proof !== undefined && judgeTimes(proof, now) === undefined) return proof.payload

    const { header, key, payload } = verifyJws(text.slice(start), now)
    const claims = parseObject(payload)
    if (claims === undefined) throw new AuthError('token_malformed')
    const accepted = accept(claims, header, now)
    return accepted instanceof Promise
      ? accepted.then((checked) => remember(text, start, key, checked))
      : remember(text, start, key, accepted)
  }
}
