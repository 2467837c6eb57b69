/**
 * From a token to a payload: signature, claims, times, type and realm. It does not check
 * revocation, freshness or scopes.
 */

import { AuthError, isAuthError, toReason } from '../errors.ts'

import { decodeText, flatten } from '../internal/bytes.ts'
import { deepFreeze, parseObject } from '../internal/json.ts'
import type { StandardSchema } from '../internal/schema.ts'
import { type ClaimRules, decideTimes, hasEnded, readClaims, toSpan } from './claims.ts'
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
  /** The tokens that the ring does not verify; null where there are none. */
  readonly others: OtherTokens<C> | null
}

/** Tokens that are not of the own keys, such as those of other issuers. */
export interface OtherTokens<C> {
  /** Finds out whether a token is one of them, which proves nothing; undefined for any other. */
  find(token: string): OtherToken<C> | undefined
}

/** One of these tokens. */
export interface OtherToken<C> {
  /** Verifies it: everything but type and realm, revocation, freshness and scopes. */
  verify(): Promise<VerifiedOther<C>>
}

/** One of them that is valid. */
export interface VerifiedOther<C> {
  /** What it says. */
  readonly payload: TokenPayload<C>
  /** How long that may be remembered, in epoch seconds; no longer than the token lives. */
  readonly until: number
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
   *   `refresh_token_required`, `realm_mismatch`; for a token of another issuer also
   *   `issuer_unavailable`, `subject_unknown`, `store_unavailable`
   */
  async verify(token: RawToken, expected: ExpectedToken): Promise<TokenPayload<C>> {
    const { ring, others } = this.#settings
    const other = others?.find(token.text.slice(token.start))
    if (other !== undefined) {
      const { payload, until } = await other.verify()
      return this.#remember(token, until, payload, expected)
    }
    const { payload, key } = ring.changes === null ? this.#accept(token) : await this.#acceptCurrent(token)
    return this.#rememberOwn(token, key, await applySchema(payload, this.#settings), expected)
  }

  /**
   * `verify` for a token that may have expired, which is not remembered. One of another issuer may
   * not.
   *
   * @param allowance how long ago it may have expired, in seconds
   * @throws {AuthError} as `verify`
   */
  async verifyExpired(token: RawToken, expected: ExpectedToken, allowance: number): Promise<TokenPayload<C>> {
    const { rules, ring, others } = this.#settings
    const other = others?.find(token.text.slice(token.start))
    if (other !== undefined) return requireTypeAndRealm((await other.verify()).payload, expected)
    const { payload } =
      ring.changes === null ? this.#accept(token, allowance) : await this.#acceptCurrent(token, allowance)
    const checked = requireTypeAndRealm(await applySchema(payload, this.#settings), expected)
    if (!hasEnded(checked.exp + rules.leeway, rules.clock())) return checked
    const origin = { clock: rules.clock, isOfExpired: true }
    return new TokenPayload({ ...checked }, origin, toAccessAudience(checked))
  }

  /**
   * `verify` without a promise, which costs more than the checks of the claims. A schema may be
   * asynchronous, and keys may have to be loaded or fetched, so with either it does nothing.
   *
   * @returns undefined with a schema, with a ring whose keys change, and with other issuers
   */
  verifyAtOnce(token: RawToken, expected: ExpectedToken): TokenPayload<C> | undefined {
    const { schema, ring, others } = this.#settings
    if (schema !== null || ring.changes !== null || others !== null) return undefined
    const { payload, key } = this.#accept(token)
    return this.#rememberOwn(token, key, payload, expected)
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
  #accept({ text, start }: RawToken, allowance = 0): AcceptedToken<C> {
    const token = text.slice(start)
    const { explain } = this.#settings
    if (explain === null) return this.#read(token, allowance)
    try {
      return this.#read(token, allowance)
    } catch (error) {
      throw explain(error, token)
    }
  }

  /** The same with keys that are as new as they must be. */
  async #acceptCurrent({ text, start }: RawToken, allowance = 0): Promise<AcceptedToken<C>> {
    const token = text.slice(start)
    const { explain, ring, rules } = this.#settings
    try {
      return await withCurrentKeys(ring, rules.clock, () => this.#read(token, allowance))
    } catch (error) {
      throw explain === null ? error : explain(error, token)
    }
  }

  #read(token: string, allowance = 0): AcceptedToken<C> {
    const settings = this.#settings
    const now = settings.rules.clock()
    const { header, key, payload } = this.#verifyJws(token, now)
    const claims = parseObject(payload)
    if (claims === undefined)
      throw new AuthError('token_malformed', { cause: toReason('The payload is not a JSON object') })
    const claimSettings = allowance === 0 ? settings : { ...settings, allowance }
    return { payload: acceptClaims(claims, header, now, claimSettings), key }
  }

  /** Remembers a token of the ring, as long as its key is known to be good. */
  #rememberOwn(
    token: RawToken,
    { notAfter }: RingKey,
    value: TokenPayload<C>,
    expected: ExpectedToken,
  ): TokenPayload<C> {
    // A key may be gone when keys are loaded next, so then the token is verified again.
    const { changes } = this.#settings.ring
    const until = changes === null ? notAfter : Math.min(notAfter, changes.validUntil)
    return this.#remember(token, until, value, expected)
  }

  /** Remembers a valid token, of whatever type and realm, before these are checked. */
  #remember(
    { text, start }: RawToken,
    latest: number,
    value: TokenPayload<C>,
    expected: ExpectedToken,
  ): TokenPayload<C> {
    if (this.#cache !== null) {
      const { rules, hasRows } = this.#settings
      const { from, until } = toSpan(value, rules.leeway, hasRows)
      this.#cache.store({ text: flatten(text), start, from, until: Math.min(until, latest), value })
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
type ClaimSettings<C> = Pick<VerifySettings<C>, 'rules' | 'schema' | 'hasRows'> & {
  /** How long ago a token may have expired, in seconds. Default 0. */
  readonly allowance?: number
}

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
  { rules, hasRows, allowance = 0 }: ClaimSettings<C>,
): TokenPayload<C> {
  const read = readClaims(claims, header, rules)
  if (!(read instanceof TokenPayload)) throw new AuthError(read.code, { cause: toReason(read.reason) })
  const { from, until } = toSpan(read, rules.leeway, hasRows)
  const failure = decideTimes({ from, until: until + allowance }, now)
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
