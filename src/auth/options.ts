/**
 * The public options of `createAuth`, each with its unit, bounds and default. `http/` and
 * `session/` own the options that only they understand; `resolve-options.ts` checks them all.
 */

import type { HttpOptions } from '../http/resolve-http-options.ts'
import type { Clock, Duration } from '../internal/duration.ts'
import type { Listeners } from '../internal/listeners.ts'
import type { StandardSchema } from '../internal/schema.ts'
import type { IssuerOptions } from '../issuers/options.ts'
import type { RevocationOptions } from '../session/resolve-revocation-options.ts'
import type { SessionOptions } from '../session/resolve-session-options.ts'
import type { RevocationMode } from '../session/revocation-feed.ts'
import type { KeyRing } from '../token/ring.ts'
import type { Claims, TokenPayload } from '../token/token-payload.ts'
import type { TokenType } from '../token/token-type.ts'
import type { AuthEvents } from './events.ts'

/** The lifetime of one type of token. */
export interface LifetimeOptions {
  /**
   * The lifetime: at least 1 s and at most `limits.lifetime`. Default `'15m'` for access tokens,
   * `'20d'` for refresh tokens.
   */
  readonly expiresIn?: Duration
}

/** How long a fresh token stays fresh. */
export interface FreshnessOptions {
  /** The time since `auth_time`, at least 5 s. It has no leeway. Default `'15m'`. */
  readonly window?: Duration
}

/** Limits of the cache of verified tokens. */
export interface CacheOptions {
  /** The largest number of tokens, at least 1. Default 10,000. */
  readonly entries?: number
  /**
   * The memory that they may take, in bytes, at least 64 KiB. It is an estimate for usual claims.
   * Default 16 MiB.
   */
  readonly bytes?: number
}

/** Limits of tokens, issued or accepted. */
export interface LimitOptions {
  /**
   * The longest token, from 256 to 65,536 characters. A longer token is refused before anything
   * else is done with it. Default 8,192.
   */
  readonly tokenLength?: number
  /**
   * The longest lifetime, from `iat` to `exp`. It does not apply to tokens accepted by `interop`.
   * Browsers keep a cookie for at most 400 days (RFC 6265bis section 5.5). Default `'400d'`.
   */
  readonly lifetime?: Duration
}

/** Which tokens of other libraries are accepted. */
export interface InteropOptions {
  /**
   * Accepts tokens without a type as access tokens: neither the header nor the claim `type` names
   * one. Then every JWT of the same key is an access token, such as a link in an email. Those that
   * say otherwise are refused: ID tokens by `nonce`, `at_hash`, `c_hash` or `s_hash`, and what
   * Keycloak and Cognito name so. Claims of such a token with a name of ours (`amr`, `sid`,
   * `scopes`, ...) are ignored if they have another form, and `login_type` is ignored without
   * `realm`. Default `false`.
   */
  readonly untyped?: boolean
}

/** A token that is about to be issued, for `additionalClaims` and `additionalHeaders`. */
export interface TokenToIssue {
  /** Its type. */
  readonly type: TokenType
  /** Its subject. */
  readonly sub: string
  /** Its session; undefined without a session store. */
  readonly sid: string | undefined
  /** Its scopes; undefined for none. */
  readonly scopes: readonly string[] | undefined
  /** Its custom claims; undefined for none. */
  readonly data: object | undefined
  /** Its `client_id`, where the login named one. */
  readonly client_id: string | undefined
}

/** The options of `createAuth`. Unknown names are refused. */
export interface AuthOptions<I = Claims, C extends I = I, U = unknown> extends HttpOptions {
  /**
   * The HS256 secret: at least 32 random bytes, as a string or bytes. Of a list the first one
   * signs, and all verify: so a secret is rotated. Not together with `keys`. Default: the
   * environment variable `TOKENWRIGHT_SECRET`, and `TOKENWRIGHT_SECRET_OTHER`, which only verifies;
   * none beside `issuers`.
   */
  readonly secret?: string | Uint8Array | readonly (string | Uint8Array)[]
  /** A key ring made by `createKeyRing`, instead of `secret`. Default none. */
  readonly keys?: KeyRing
  /**
   * Other issuers whose access tokens are accepted, beside own keys or without any: then nothing
   * can be issued. Default none.
   */
  readonly issuers?: readonly IssuerOptions<NoInfer<I>>[]
  /** The `iss` of every issued token, which every accepted token must have. Default none. */
  readonly issuer?: string
  /**
   * The `aud` of every issued token. An accepted token must have at least one of these names.
   * Without this option, a token with an `aud` is refused. Default none.
   */
  readonly audience?: string | readonly string[]
  /**
   * The profile of issued access tokens. `'rfc9068'` writes what RFC 9068 section 2.2 requires, so
   * that verifiers of other libraries take the tokens with their scopes: `iss` and `aud`, which
   * must be configured, `client_id`, and the scopes as `scope`, one text; the header says `at+jwt`.
   * Both forms are always accepted. Default none: scopes are a list, and the header says
   * `access+jwt`.
   */
  readonly profile?: 'rfc9068'
  /**
   * The `client_id` of issued access tokens: the client that they are for. Default none; with
   * `profile` the issuer, which is its own client.
   */
  readonly clientId?: string
  /** The lifetime of access tokens. */
  readonly access?: LifetimeOptions
  /** The lifetime of refresh tokens. */
  readonly refresh?: LifetimeOptions
  /** How long a fresh token stays fresh. */
  readonly freshness?: FreshnessOptions
  /**
   * The accepted clock skew for `exp`, `nbf`, `iat` and `auth_time`, from 0 to 60 s. It never
   * extends freshness. Default `'5s'`.
   */
  readonly leeway?: Duration
  /**
   * Your own blocklist, called after verification and before the check of freshness. Any result
   * except `false` refuses the token with `token_revoked`. A throw, or no result within 5 s, is
   * `store_unavailable`. Default none.
   */
  readonly isRevoked?: (payload: TokenPayload<C>) => boolean | Promise<boolean>
  /**
   * Sessions, refresh rotation and revocation, with a store. Default none: tokens are valid until
   * they expire.
   */
  readonly sessions?: SessionOptions<C, NoInfer<I>>
  /**
   * How revoked tokens are detected; a service without a session store gives a `source`. Default
   * `'feed'` with a session store.
   */
  readonly revocation?: RevocationMode | RevocationOptions
  /**
   * Accepts tokens of AuthX, FastJWT and flask-jwt-extended: they may lack `typ` and some claims.
   * Default `false`.
   */
  readonly interop?: boolean | InteropOptions
  /**
   * The realm, which AuthX calls login type: the `login_type` of every issued token and the `realm`
   * of the challenge. A token of another realm, or without one, is refused. Default none.
   */
  readonly realm?: string
  /**
   * A Standard Schema for custom claims. It checks them when a token is issued and when it is
   * verified, and types `payload.data`. Its output must be valid input. With a required member,
   * every call that names a subject needs `data`. A new member must be optional until the oldest
   * session has ended, or its tokens are refused. Default none.
   */
  readonly claims?: StandardSchema<I, C>
  /**
   * Custom claims of every token that is issued, beside its `data`, whose members of the same name
   * they replace. Called at each issuing, also by a refresh. It returns at once: what has to be
   * loaded is `data`, or `sessions.rights`. A schema must allow these claims. Default none.
   */
  readonly additionalClaims?: (token: TokenToIssue) => object
  /**
   * Members of the JOSE header of every token that is issued, beside the `headers` of the call,
   * which go before. It returns at once. Default none.
   */
  readonly additionalHeaders?: (token: TokenToIssue) => Readonly<Record<string, string | number | boolean>>
  /** The cache of verified tokens, or `false` for none. */
  readonly cache?: CacheOptions | false
  /** Limits of tokens. */
  readonly limits?: LimitOptions
  /**
   * Loads the user for `guard.subject()`, and before a refresh, a step-up or a renewal. Null or
   * undefined is `subject_unknown`. A throw, or no result within 5 s, is `store_unavailable`.
   * Default none.
   */
  readonly subject?: (payload: TokenPayload<C>) => U | null | undefined | Promise<U | null | undefined>
  /** Returns the time in epoch seconds. A session store uses it too. Default: the system clock. */
  readonly clock?: Clock
  /** Listeners to audit events. They never delay a request or make it fail. Default none. */
  readonly on?: Listeners<AuthEvents>
}
