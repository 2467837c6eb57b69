/**
 * The public options of `createAuth`, each with its unit, bounds and default. `http/` and
 * `session/` own the options that only they understand; `resolve-options.ts` checks them all.
 */

import type { HttpOptions } from '../http/resolve-http-options.ts'
import type { Clock, Duration } from '../internal/duration.ts'
import type { Listeners } from '../internal/listeners.ts'
import type { StandardSchema } from '../internal/schema.ts'
import type { RevocationOptions, SessionOptions } from '../session/resolve-session-options.ts'
import type { RevocationMode } from '../session/revocation-feed.ts'
import type { KeyRing } from '../token/key-ring.ts'
import type { Claims, TokenPayload } from '../token/token-payload.ts'
import type { AuthEvents } from './events.ts'

/** The life of one type of token. */
export interface LifetimeOptions {
  /** How long a token of this type lives. At least 1 s and at most `limits.lifetime`. */
  readonly expiresIn?: Duration
}

/** How long a fresh token stays fresh. */
export interface FreshnessOptions {
  /** Measured from `auth_time`, without leeway; at least 5 s. Default `'15m'`. */
  readonly window?: Duration
}

/** Bounds of the verified-token cache. */
export interface CacheOptions {
  /** The most tokens remembered, at least 1. Default 10 000. */
  readonly entries?: number
  /** About how many bytes they may take, at least 64 KiB. Default 16 MiB. */
  readonly bytes?: number
}

/** Bounds on tokens, on both sides. */
export interface LimitOptions {
  /**
   * The longest token, in characters; 256 to 65 536. Longer ones are refused before anything else
   * is done. Default 8192.
   */
  readonly tokenLength?: number
  /**
   * The longest life of a token from `iat` to `exp`, issued or accepted. Default `'400d'`, which is
   * also the longest that browsers keep a cookie (RFC 6265bis section 5.5). Tokens accepted by
   * `interop` are free of it.
   */
  readonly lifetime?: Duration
}

/** Which tokens of other libraries are accepted. */
export interface InteropOptions {
  /**
   * Accept tokens that say no type, neither in the header nor as the claim `type`, as access
   * tokens. Every JWT of the same key is then one: ID tokens, links in mails. In such a token the
   * names that are ours (`amr`, `sid`, `scopes`, ...) are ignored where they have another form, and
   * `login_type` without a `realm`. Default false.
   */
  readonly untyped?: boolean
}

/** The options of `createAuth`. Unknown names are refused. */
export interface AuthOptions<I = Claims, C extends I = I, U = unknown> extends HttpOptions {
  /**
   * The HS256 secret: text or bytes, at least 32 bytes, random. Default: the environment variable
   * `TOKENWRIGHT_SECRET`. Not together with `keys`.
   */
  readonly secret?: string | Uint8Array
  /** A key ring in place of `secret`, made by `createKeyRing`. */
  readonly keys?: KeyRing
  /** Written into every token as `iss`, and required of every token. Default none. */
  readonly issuer?: string
  /**
   * Written into tokens as `aud`; of several, one in common suffices. A token with an audience is
   * refused where none is configured. Default none.
   */
  readonly audience?: string | readonly string[]
  /** The life of access tokens. Default 15 minutes. */
  readonly access?: LifetimeOptions
  /** The life of refresh tokens. Default 20 days. */
  readonly refresh?: LifetimeOptions
  /** How long a fresh token stays fresh. */
  readonly freshness?: FreshnessOptions
  /**
   * Clock skew that is forgiven for `exp`, `nbf`, `iat` and `auth_time`: 0-60 s. It never widens
   * freshness. Default 5 s.
   */
  readonly leeway?: Duration
  /**
   * Your own blocklist, asked after verification and before freshness. Whatever it returns but
   * `false` refuses the token with `token_revoked`; a throw, or no result within 5 s, is
   * `store_unavailable`.
   */
  readonly isRevoked?: (payload: TokenPayload<C>) => boolean | Promise<boolean>
  /**
   * Sessions, refresh rotation and revocation, kept in a store. Default off: tokens live until they
   * expire.
   */
  readonly sessions?: SessionOptions<C>
  /** How revoked tokens are found out. Default `'feed'` where there is a session store. */
  readonly revocation?: RevocationMode | RevocationOptions
  /**
   * Accept tokens of AuthX, FastJWT and flask-jwt-extended: relaxes `typ` and the claims that they
   * lack. Default false.
   */
  readonly interop?: boolean | InteropOptions
  /**
   * AuthX's login type: written as `login_type`; tokens of another realm, or of none, are refused.
   * Also the challenge's `realm`. Default none.
   */
  readonly realm?: string
  /**
   * A Standard Schema for custom data: checked when issuing and when verifying, and it types
   * `payload.data`. Default none.
   */
  readonly claims?: StandardSchema<I, C>
  /** The verified-token cache, or `false` for none. */
  readonly cache?: CacheOptions | false
  /** Bounds on tokens. */
  readonly limits?: LimitOptions
  /**
   * Loads the user for `guard.subject()`; null or undefined is `subject_unknown`, a throw, or no
   * result within 5 s, is `store_unavailable`.
   */
  readonly subject?: (payload: TokenPayload<C>) => U | null | undefined | Promise<U | null | undefined>
  /** The time in epoch seconds. Default: the system's clock. */
  readonly clock?: Clock
  /** Listeners for audit; they never delay or fail a request. */
  readonly on?: Listeners<AuthEvents>
}
