/**
 * From a token to a payload: signature, claims, times, type and realm. It does not check
 * revocation, freshness or scopes.
 */

import { AuthError, isAuthError, toReason } from '../errors.ts'

import { decodeText, flatten } from '../internal/bytes.ts'
import { deepFreeze, parseObject } from '../internal/json.ts'
import type { StandardSchema } from '../internal/schema.ts'
import { type ClaimRules, decideTimes, readClaims, toSpan } from './claims.ts'
import { validateData } from './custom-claims.ts'
import { type JwsLimits, prepareVerifyJws, type VerifyJws, withCurrentKeys } from './jws.ts'
import type { KeyRing, RingKey } from './ring.ts'
import { type CacheBounds, type RawToken, TokenCache } from './token-cache.ts'
import { type Claims, TokenPayload, toAccessAudience } from './token-payload.ts'
import { type ExpectedToken, requireTypeAndRealm } from './token-requirement.ts'
import type { HeaderType } from './token-type.ts'

/** The settings of the verifier. */
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
  /** Says more of a refusal, where the application has other realms; null without any. */
  readonly explain: ((error: unknown, token: string) => unknown) | null
  /** Whether sessions are kept in a store, whose clock says when their refresh tokens begin. */
  readonly hasRows: boolean
}

/** Verifies tokens, and remembers them. A look-up in the cache is always synchronous. */
export class Verifier<C = Claims> {
  readonly #settings: VerifySettings<C>
  readonly #verifyJws: VerifyJws<string>
  readonly #cache: TokenCache<TokenPayload<C>> | null

  /** @param settings as `createAuth` resolved them */
  constructor(settings: VerifySettings<C>) {
    this.#settings = settings
    this.#verifyJws = prepareVerifyJws(settings.ring, settings.limits, decodeText)
    this.#cache = settings.cache && new TokenCache(settings.cache, settings.rules.clock)
  }

  /**
   * The payload of a token that was verified before and may be used now; undefined for any other
   * token.
   *
   * @throws {AuthError} `access_token_required`, `refresh_token_required`, `realm_mismatch`
   */
  lookup(token: RawToken, expected: ExpectedToken): TokenPayload<C> | undefined {
    return this.#cache?.lookup(token, expected)
  }

  /**
   * Verifies one token, and remembers it.
   *
   * It does check: everything of `prepareVerifyJws`, the shape of the claims, issuer, audience,
   * custom claims, times, type, realm. It does not check: revocation, freshness, scopes.
   *
   * @param expected the accepted type and realm
   * @throws {AuthError} `token_malformed`, `signature_invalid`, `issuer_invalid`,
   *   `audience_invalid`, `token_expired`, `token_not_active`, `access_token_required`,
   *   `refresh_token_required`, `realm_mismatch`
   */
  async verify(token: RawToken, expected: ExpectedToken): Promise<TokenPayload<C>> {
    const { ring } = this.#settings
    const { payload, key } = ring.changes === null ? this.#accept(token) : await this.#acceptCurrent(token)
    return this.#remember(token, key, await applySchema(payload, this.#settings), expected)
  }

  /**
   * `verify` without a promise, which costs more than the checks of the claims. A schema may be
   * asynchronous, and keys may have to be loaded, so with either it does nothing.
   *
   * @returns undefined with a schema, and with a ring whose keys change
   */
  verifyAtOnce(token: RawToken, expected: ExpectedToken): TokenPayload<C> | undefined {
    const { schema, ring } = this.#settings
    if (schema !== null || ring.changes !== null) return undefined
    const { payload, key } = this.#accept(token)
    return this.#remember(token, key, payload, expected)
  }

  /** Whether a token was issued by this application: of any type, expired or not. */
  isOurs(token: string): boolean {
    try {
      this.#read(token)
      return true
    } catch (error) {
      return isAuthError(error) && (error.code === 'token_expired' || error.code === 'token_not_active')
    }
  }

  /** Checks everything but custom claims, type and realm. */
  #accept({ text, start }: RawToken): AcceptedToken<C> {
    const token = text.slice(start)
    const { explain } = this.#settings
    if (explain === null) return this.#read(token)
    try {
      return this.#read(token)
    } catch (error) {
      throw explain(error, token)
    }
  }

  /** The same with keys that are as new as they must be. */
  async #acceptCurrent({ text, start }: RawToken): Promise<AcceptedToken<C>> {
    const token = text.slice(start)
    const { explain, ring, rules } = this.#settings
    try {
      return await withCurrentKeys(ring, rules.clock, () => this.#read(token))
    } catch (error) {
      throw explain === null ? error : explain(error, token)
    }
  }

  #read(token: string): AcceptedToken<C> {
    const settings = this.#settings
    const now = settings.rules.clock()
    const { header, key, payload } = this.#verifyJws(token, now)
    const claims = parseObject(payload)
    if (claims === undefined)
      throw new AuthError('token_malformed', { cause: toReason('The payload is not a JSON object') })
    return { payload: acceptClaims(claims, header, now, settings), key }
  }

  /** Remembers a valid token, of whatever type and realm, before these are checked. */
  #remember(
    { text, start }: RawToken,
    { notAfter }: RingKey,
    value: TokenPayload<C>,
    expected: ExpectedToken,
  ): TokenPayload<C> {
    if (this.#cache !== null) {
      const { rules, hasRows, ring } = this.#settings
      const { from, until } = toSpan(value, rules.leeway, hasRows)
      // A key may be gone when keys are loaded next, so then the token is verified again.
      const keyUntil = Math.min(notAfter, ring.changes?.validUntil ?? Number.POSITIVE_INFINITY)
      this.#cache.store({ text: flatten(text), start, from, until: Math.min(until, keyUntil), value })
    }
    return requireTypeAndRealm(value, expected)
  }
}

/** A token whose signature and claims hold. */
interface AcceptedToken<C> {
  readonly payload: TokenPayload<C>
  /** The key that verified it. */
  readonly key: RingKey
}

/** The settings of the checks of claims. */
type ClaimSettings<C> = Pick<VerifySettings<C>, 'rules' | 'schema' | 'hasRows'>

/**
 * Checks claims whose signature is valid: their shape, issuer, audience and times. It does not
 * check custom claims.
 *
 * @param header what the header's `typ` says of the token's type
 * @param now epoch seconds
 * @throws {AuthError} as `Verifier.verify`
 */
export function acceptClaims<C>(
  claims: Record<string, unknown>,
  header: HeaderType,
  now: number,
  { rules, hasRows }: ClaimSettings<C>,
): TokenPayload<C> {
  const read = readClaims(claims, header, rules)
  if (!(read instanceof TokenPayload)) throw new AuthError(read.code, { cause: toReason(read.reason) })
  const failure = decideTimes(toSpan(read, rules.leeway, hasRows), now)
  if (failure !== undefined) throw new AuthError(failure)
  return read as TokenPayload<C>
}

/**
 * Replaces the custom claims of a payload by the output of the schema, if there is one.
 *
 * @throws {AuthError} `token_malformed` when the schema refuses them
 */
export async function applySchema<C>(
  payload: TokenPayload<C>,
  { rules, schema }: ClaimSettings<C>,
): Promise<TokenPayload<C>> {
  if (schema === null) return payload
  const checked = await validateData(schema, payload.data)
  if ('error' in checked) throw new AuthError('token_malformed', { cause: checked.error })
  const data = deepFreeze(checked.data)
  return new TokenPayload({ ...payload, data }, rules.origin ?? rules, toAccessAudience(payload))
}
