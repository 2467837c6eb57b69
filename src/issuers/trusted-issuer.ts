/**
 * Verifies the tokens of one issuer: header, signature by its keys, claims, times; and maps the
 * claims to a user. It does not check type, realm, revocation, freshness or scopes.
 */
import { AuthError, toReason } from '../errors.ts'
import { ConfigurationError } from '../internal/configuration-error.ts'
import { decideTimes } from '../token/claims.ts'
import { type JoseHeader, readJoseHeader } from '../token/jose-header.ts'
import { type Claims, TokenPayload } from '../token/token-payload.ts'
import { applySchema, type VerifiedOther, type VerifySettings } from '../token/verify.ts'
import type { Introspection } from './introspection.ts'
import { type IssuerClaimRules, type IssuerClaims, isOurs, readIssuerClaims } from './issuer-claims.ts'
import { mapUser } from './map-user.ts'
import type { Candidates, IssuerKeys } from './remote-key-set.ts'
import type { IssuerSettings } from './resolve-issuers.ts'
import type { UnverifiedJws } from './unverified-jws.ts'

/** The most encoded headers that are remembered. One for each key is usual. */
const MAX_KNOWN_HEADERS = 64

/** How the tokens of issuers are verified: as own ones, as far as that is the same. */
export type IssuerVerifySettings<C> = Omit<VerifySettings<C>, 'cache' | 'explain' | 'others'>

/** Where what is known of an issuer's tokens comes from. */
export interface IssuerSources {
  /** Its keys; null where all of its tokens are introspected. */
  readonly keys: IssuerKeys | null
  /** Asks it about opaque tokens; null for not at all. */
  readonly introspection: Introspection | null
  /** Whether the revocations that are followed are this issuer's: then they name its sessions. */
  readonly isFollowed: boolean
}

/** One issuer. */
export class TrustedIssuer<C> {
  /** Its name. */
  readonly issuer: string
  /** Its keys; null where all of its tokens are introspected. */
  readonly keys: IssuerKeys | null
  /** Asks it about opaque tokens; null for not at all. */
  readonly introspection: Introspection | null
  readonly #settings: IssuerSettings
  readonly #rules: IssuerClaimRules
  readonly #verify: IssuerVerifySettings<C>
  readonly #isFollowed: boolean
  readonly #headers = new Map<string, JoseHeader>()

  /** @param sources where what is known of its tokens comes from */
  constructor(settings: IssuerSettings, sources: IssuerSources, verify: IssuerVerifySettings<C>) {
    this.issuer = settings.rules.issuer
    this.#isFollowed = sources.isFollowed
    this.keys = sources.keys
    this.introspection = sources.introspection
    this.#settings = settings
    this.#rules = { ...settings.rules, maxLifetime: verify.rules.maxLifetime }
    this.#verify = verify
  }

  /**
   * Verifies a token by the issuer's keys, or asks the issuer where it has none.
   *
   * @param token the whole token
   * @throws {AuthError} as `Verifier.verify`; `issuer_unavailable`, `subject_unknown`,
   *   `store_unavailable`
   */
  async verify(token: string, jws: UnverifiedJws): Promise<VerifiedOther<C>> {
    if (this.keys === null) return this.introspect(token)
    const { encodedHeader, input, signature, claims } = jws
    const header = this.#readHeader(encodedHeader)
    const { alg, kid } = header
    const isSigned = ({ keys }: Candidates) => keys.some((key) => key.verify(input, signature))
    let found = await this.keys.find(alg, kid)
    if (!isSigned(found)) {
      const others = await this.keys.findOthers(found, alg, kid)
      if (others === null || !isSigned(others))
        throw new AuthError('signature_invalid', found.keys.length === 0 ? { cause: toReason(NO_KEY) } : {})
      found = others
    }
    this.#remember(encodedHeader, header)
    return { payload: await this.#accept(claims, header.typ, this.#rules), until: found.until }
  }

  /**
   * Asks the issuer about a token, and checks what it says. What it leaves out was for the issuer
   * to check; what it says must fit.
   *
   * @throws {AuthError} as `verify`; `token_revoked` for a token that is not active
   */
  async introspect(token: string): Promise<VerifiedOther<C>> {
    if (this.introspection === null) throw toMalformed('The token is no JWT')
    const { claims, until } = await this.introspection.introspect(token)
    const { token_type: type, aud, exp } = claims
    if (typeof type === 'string' && type.toLowerCase() !== 'bearer')
      throw toMalformed('The token is no bearer token, as its `token_type` says')
    // Without an end of its own, a token is good until the issuer is asked again.
    const complete = { iss: this.issuer, exp: Math.max(until, 1 + this.#verify.rules.clock()), ...claims }
    const rules = { ...this.#rules, isStrict: false, ...((aud ?? null) === null && { audience: [] }) }
    const payload = await this.#accept(complete, undefined, rules)
    return { payload, until: typeof exp === 'number' ? Math.min(until, exp) : until }
  }

  #readHeader(encoded: string): JoseHeader {
    const known = this.#headers.get(encoded)
    if (known !== undefined) return known
    const header = readJoseHeader(encoded, 'hints')
    if (typeof header === 'string') throw toMalformed(header)
    if (header.type !== 'access' && !header.untyped)
      throw toMalformed('The `typ` of the header is of no access token')
    return header
  }

  #remember(encoded: string, header: JoseHeader): void {
    if (this.#headers.size < MAX_KNOWN_HEADERS) this.#headers.set(encoded, header)
  }

  /** Checks claims whose signature is valid, and maps them. */
  async #accept(
    claims: Claims,
    typ: string | undefined,
    claimRules: IssuerClaimRules,
  ): Promise<TokenPayload<C>> {
    const { rules } = this.#verify
    const now = rules.clock()
    const read = readIssuerClaims(claims, typ, claimRules, now)
    if ('code' in read) throw new AuthError(read.code, { cause: toReason(read.reason) })
    const failure = decideTimes(toIssuerSpan(read, rules.leeway), now)
    if (failure !== undefined) throw new AuthError(failure)
    const user = await mapUser(claims, this.#settings)
    const sub = user.sub ?? read.sub
    if (sub === undefined) throw toMalformed('The claim `sub` is missing')
    if (this.#isFollowed && sub !== read.sub)
      throw new ConfigurationError(`\`${this.#settings.at}.${RENAMED}`)
    const { data, scopes, sid, ...members } = read
    const payload = new TokenPayload<Claims>(
      {
        ...members,
        sub,
        iss: this.issuer,
        type: 'access',
        // How recent is enough is the route's to say.
        fresh: isOurs(typ) ? claims['fresh'] === true : read.auth_time !== undefined,
        csrf: undefined,
        scopes: user.scopes ?? scopes,
        // A name of another issuer's session would be taken for one of ours.
        sid: this.#isFollowed ? sid : undefined,
        login_type: this.#settings.realm ?? rules.realm,
        login_name: user.loginName,
        remember: undefined,
        data: user.data ?? data,
      },
      rules.origin ?? rules,
      undefined,
    )
    return applySchema(payload as TokenPayload<C>, this.#verify)
  }
}

const RENAMED =
  'toUser` gave another `sub` than the token: the revocations of `revocation.source` name subjects as the issuer does'

const NO_KEY = 'No key of the issuer has the `alg` and `kid` of the token'

function toMalformed(reason: string): AuthError {
  return new AuthError('token_malformed', { cause: toReason(reason) })
}

/** When a token may be used, with the leeway. */
function toIssuerSpan({ exp, nbf = 0, iat = 0, auth_time = 0 }: IssuerClaims, leeway: number) {
  return { from: Math.max(nbf, iat, auth_time) - leeway, until: exp + leeway }
}
