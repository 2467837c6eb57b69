/**
 * The public options of trusted issuers, each with its unit, bounds and default.
 * `resolve-issuers.ts` checks them.
 */
import type { Awaitable } from '../internal/awaitable.ts'
import type { Duration } from '../internal/duration.ts'
import type { AlgorithmName } from '../token/algorithms.ts'
import type { Jwks } from '../token/ring.ts'
import type { Claims } from '../token/token-payload.ts'

/** What a token of another issuer means to the application. */
export interface IssuerUser<I = Claims> {
  /** The subject in the application. Default: the `sub` of the token. */
  readonly sub?: string | undefined
  /**
   * What the token grants. A name that is no scope, such as one with a blank, is left out: no route
   * can require it. Default: the `scope` or `scp` of the token.
   */
  readonly scopes?: readonly string[] | undefined
  /** The custom claims: plain JSON without registered names. Default: those of the token. */
  readonly data?: I | undefined
  /** The name that the user logged in with. Default none. */
  readonly loginName?: string | undefined
}

/** How an issuer is asked about opaque tokens (RFC 7662). */
export interface IntrospectionOptions {
  /** The address of the endpoint. Default: the `introspection_endpoint` of the metadata. */
  readonly endpoint?: string
  /** The name that this application has at the issuer. */
  readonly clientId?: string
  /** Its secret, sent by HTTP Basic. */
  readonly clientSecret?: string
  /**
   * Returns the headers that authenticate this application, in place of `clientId` and
   * `clientSecret`. Called for each question.
   */
  readonly headers?: () => Awaitable<Readonly<Record<string, string>>>
  /**
   * How long an active token is remembered, up to 10 minutes and never longer than it lives: so
   * late a revocation at the issuer may be noticed. An inactive one is remembered for at most ten
   * seconds. Default `'60s'`.
   */
  readonly cacheFor?: Duration
  /**
   * How many questions may run at once, from 1 to 10,000. Further tokens are refused with
   * `issuer_unavailable`. Default 64.
   */
  readonly concurrency?: number
}

/** Another issuer whose access tokens are accepted. Unknown names are refused. */
export interface IssuerOptions<I = Claims> {
  /** The `iss` of its tokens, compared exactly: a slash at the end counts. */
  readonly issuer: string
  /**
   * The `aud` of which a token must have one. Without it `clients` is required, and a token with an
   * `aud` is refused.
   */
  readonly audience?: string | readonly string[]
  /**
   * The clients whose tokens are accepted: a token must have one of these names as `client_id`, or
   * as `azp` where it has no `client_id`. Default any.
   */
  readonly clients?: string | readonly string[]
  /**
   * Its key set: the address, or the keys themselves; `false` where all of its tokens are
   * introspected. Default: the `jwks_uri` of its metadata (RFC 8414, OpenID Connect Discovery),
   * which must name this issuer.
   */
  readonly jwks?: string | Jwks | false
  /**
   * Asks the issuer about tokens that are no JWT. At most one issuer may have it: nothing in such a
   * token says whose it is. Default none.
   */
  readonly introspection?: IntrospectionOptions
  /**
   * The algorithms of its keys, never HMAC. A key without `alg` is for the one of them that fits
   * its type. Default `['RS256', 'ES256', 'EdDSA', 'Ed25519']`.
   */
  readonly algorithms?: readonly AlgorithmName[]
  /**
   * Maps the claims of a token, whose signature is valid, to a user of the application. Called once
   * for each token and about every ten minutes again. Null or undefined is `subject_unknown`. A
   * throw, or no result within 5 s, is `store_unavailable`. Default: the claims as they are.
   */
  readonly toUser?: (claims: Claims) => Awaitable<IssuerUser<I> | null | undefined>
  /**
   * Whether its subjects are the application's own, so that one `sub` is one person whoever issued
   * the token. Where there are several issuers, or own keys, either this or a `sub` by `toUser` is
   * required. Default `false`.
   */
  readonly sharesSubjects?: boolean
  /** The realm that its tokens are of. Default: the option `realm` of the application. */
  readonly realm?: string
  /**
   * Requires what RFC 9068 requires: the header's `typ: at+jwt`, and the claims `sub`, `iat`, `jti`
   * and `client_id`. Default none.
   */
  readonly profile?: 'rfc9068'
  /**
   * Accepts ID tokens too. For issuers whose services send nothing else, such as Google's. Default
   * `false`.
   */
  readonly idTokens?: boolean
  /**
   * How long the last key set is used while the issuer is out of reach, up to 7 days. Default
   * `'24h'`.
   */
  readonly maxStale?: Duration
  /**
   * Allows addresses of private networks, such as 10.0.0.0/8, for an issuer inside of yours.
   * Default `false`.
   */
  readonly allowPrivate?: boolean
  /**
   * Fetches in place of the global `fetch`, such as through a proxy. It must neither follow
   * redirects nor reach private networks. Default: the global `fetch`.
   */
  readonly fetch?: typeof globalThis.fetch
}

/** How much a process knows of one issuer, for health checks. */
export interface IssuerState {
  /** The issuer. */
  readonly issuer: string
  /**
   * `'unused'` before the first fetch; `'current'`; `'stale'` while the issuer is out of reach and
   * its last key set is used; `'down'` without a set that may be used: then its tokens are refused
   * with 503.
   */
  readonly status: 'unused' | 'current' | 'stale' | 'down'
  /** How old the key set is, in seconds; null before the first one, and for given keys. */
  readonly age: number | null
  /** How many keys of it can be used. */
  readonly keys: number
  /**
   * Whether it could be asked about the latest opaque token; `'unused'` before the first one; null
   * without introspection.
   */
  readonly introspection: 'unused' | 'current' | 'down' | null
}
