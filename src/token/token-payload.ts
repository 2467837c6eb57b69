/**
 * `TokenPayload`: the frozen content of a verified token, with a few methods for handlers. Only
 * `readClaims` and the verifier make one, after the signature and every claim were checked. Times
 * are epoch seconds; lengths are seconds.
 */

import { expected, isRecord, misuse } from '../internal/configuration-error.ts'
import type { Clock } from '../internal/duration.ts'
import { isPlainObject } from '../internal/json.ts'
import { hasAllScopes, hasAnyScope } from './scopes.ts'
import type { TokenType } from './token-type.ts'

/** Custom claims without a schema. */
export type Claims = Readonly<Record<string, unknown>>

/** The members of a payload that come from the token. */
export type PayloadMembers<C = Claims> = Omit<
  TokenPayload<C>,
  'issuedAt' | 'expiresAt' | 'timeUntilExpiry' | 'timeSinceIssued' | 'hasScopes'
>

/** Who verified a payload: one object for each `createAuth`. */
export interface PayloadOrigin {
  /** For the relative times of the payload. */
  readonly clock: Clock
  /** Whether the token had expired when it was verified. */
  readonly isOfExpired?: boolean
}

/** What `hasScopes` takes as its last argument. */
export interface ScopeQuery {
  /** Whether all scopes are required, or any one of them. Default true. */
  readonly all?: boolean
}

/** Whether a value is a payload that any `createAuth` of this copy of the package verified. */
let isPayload: (value: unknown) => value is TokenPayload<unknown>
let readAccessAudience: (payload: TokenPayload<unknown>) => string | readonly string[] | undefined

/** A verified token's content, deeply frozen. */
export class TokenPayload<C = Claims> {
  /** Subject: whom the token is about (RFC 7519 section 4.1.2). Never empty. */
  readonly sub: string
  /** Token identifier (RFC 7519 section 4.1.7). Undefined only for tokens of other libraries. */
  readonly jti: string | undefined
  /** Issued at, epoch seconds. Undefined only for tokens of other libraries. */
  readonly iat: number | undefined
  /** Expires at, epoch seconds. */
  readonly exp: number
  /** Not active before, epoch seconds. */
  readonly nbf: number | undefined
  /** Issuer. */
  readonly iss: string | undefined
  /** Audience: one name or several. */
  readonly aud: string | readonly string[] | undefined
  /** Which type of token it is. */
  readonly type: TokenType
  /**
   * Issued right after the user authenticated. A number is the deadline of freshness in epoch
   * seconds, as flask-jwt-extended writes it.
   */
  readonly fresh: boolean | number
  /** The value that a request with cookies must repeat in the CSRF header. */
  readonly csrf: string | undefined
  /** Granted scopes; empty when the token has none. */
  readonly scopes: readonly string[]
  /** Session identifier. */
  readonly sid: string | undefined
  /** Last active authentication of the user, epoch seconds (OpenID Connect Core section 2). */
  readonly auth_time: number | undefined
  /** How the user authenticated: method names (RFC 8176). */
  readonly amr: readonly string[] | undefined
  /** Authentication context class. */
  readonly acr: string | undefined
  /** The realm that the token was issued in. */
  readonly login_type: string | undefined
  /** The name that the user logged in with, where it is not `sub`. */
  readonly login_name: string | undefined
  /** The client that the token was issued to (RFC 8693 section 4.3, RFC 9068 section 2.2). */
  readonly client_id: string | undefined
  /**
   * False where the user did not want to be remembered: the cookies of such tokens end with the
   * browser.
   */
  readonly remember: false | undefined
  /** Custom claims. */
  readonly data: C
  readonly #origin: PayloadOrigin
  readonly #accessAudience: string | readonly string[] | undefined

  /**
   * @param members the checked claims, already deeply frozen
   * @param origin who verified it
   * @param accessAudience the audience of the access tokens that are made of it
   */
  constructor(
    members: PayloadMembers<C>,
    origin: PayloadOrigin,
    accessAudience: string | readonly string[] | undefined,
  ) {
    this.sub = members.sub
    this.jti = members.jti
    this.iat = members.iat
    this.exp = members.exp
    this.nbf = members.nbf
    this.iss = members.iss
    this.aud = members.aud
    this.type = members.type
    this.fresh = members.fresh
    this.csrf = members.csrf
    this.scopes = members.scopes
    this.sid = members.sid
    this.auth_time = members.auth_time
    this.amr = members.amr
    this.acr = members.acr
    this.login_type = members.login_type
    this.login_name = members.login_name
    this.client_id = members.client_id
    this.remember = members.remember
    this.data = members.data
    this.#origin = origin
    this.#accessAudience = accessAudience
    Object.freeze(this)
  }

  /** When the token was issued; undefined without `iat`. */
  get issuedAt(): Date | undefined {
    return this.iat === undefined ? undefined : new Date(this.iat * 1000)
  }

  /** When the token expires. */
  get expiresAt(): Date {
    return new Date(this.exp * 1000)
  }

  /** Seconds until the token expires; never negative. */
  get timeUntilExpiry(): number {
    return Math.max(0, this.exp - this.#origin.clock())
  }

  /** Seconds since the token was issued, never negative; undefined without `iat`. */
  get timeSinceIssued(): number | undefined {
    return this.iat === undefined ? undefined : Math.max(0, this.#origin.clock() - this.iat)
  }

  /**
   * Whether the token's scopes cover the given ones; `users:*` covers `users:read`.
   *
   * @param query the scopes, and as a last argument `{ all: false }` when any one of them suffices
   * @throws {TypeError} for anything else
   */
  hasScopes(...query: readonly string[] | readonly [...string[], ScopeQuery]): boolean {
    const items: readonly (string | ScopeQuery)[] = query
    const last: unknown = items.at(-1)
    const options = isRecord(last) && isPlainObject(last) ? (last as ScopeQuery) : undefined
    const scopes = options === undefined ? items : items.slice(0, -1)
    // A list or undefined in place of names must not count as "nothing required", which every token
    // satisfies.
    if (
      !scopes.every((scope) => typeof scope === 'string') ||
      (options && !Object.keys(options).every((key) => key === 'all'))
    ) {
      throw misuse("Expected scopes such as 'users:read', and at most { all } after them")
    }
    return options?.all === false ? hasAnyScope(this.scopes, scopes) : hasAllScopes(this.scopes, scopes)
  }

  /** Whether a value is a payload that this `createAuth` verified, not one that looks like it. */
  static isVerifiedBy(value: unknown, origin: PayloadOrigin): value is TokenPayload<unknown> {
    return isPayload(value) && value.#origin === origin
  }

  /** Whether a payload is of a token that had expired, which proves nothing any more. */
  static isOfExpired(value: unknown): boolean {
    return isPayload(value) && value.#origin.isOfExpired === true
  }

  static {
    readAccessAudience = (payload) => payload.#accessAudience
    isPayload = (value): value is TokenPayload<unknown> =>
      typeof value === 'object' && value !== null && #origin in value
  }
}

/**
 * Requires a payload that this `createAuth` verified. Another one may have another key, issuer,
 * audience or realm, so its payloads prove nothing here.
 *
 * @param name the argument as the developer writes it
 * @param wanted what may be given, as the end of "to be ..."
 * @throws {TypeError} for anything else
 */
export function requireVerifiedBy(
  origin: PayloadOrigin,
  value: unknown,
  name = 'payload',
  wanted = 'a payload',
): asserts value is TokenPayload<unknown> {
  if (TokenPayload.isVerifiedBy(value, origin)) return
  const source = `${wanted} that \`verifyToken\` or a guard returned`
  if (!isPayload(value)) throw misuse(expected(name, source, value))
  if (TokenPayload.isOfExpired(value))
    throw misuse(
      `Expected \`${name}\` to be of a token that is good, got one that has expired: pass its \`sub\` or \`sid\``,
    )
  throw misuse(
    `Expected \`${name}\` to be ${source} here, got a payload that another \`createAuth\` verified; verify its token here, or pass its \`sub\``,
  )
}

/**
 * The audience of the access tokens that are issued from a payload: its own `aud`, or for a refresh
 * token, whose `aud` is its issuer, its `access_aud`. Undefined for the configured one.
 */
export function toAccessAudience(payload: TokenPayload<unknown>): string | readonly string[] | undefined {
  return isPayload(payload) ? readAccessAudience(payload) : (payload as TokenPayload<unknown>).aud
}
