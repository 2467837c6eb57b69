/**
 * One-time tokens: a JWS of our own key for one purpose, such as the reset of a password. The
 * header says `one-time+jwt`, so that none is accepted in place of an access token or of a ticket
 * (RFC 8725 section 3.11). That a token is used only once is checked elsewhere, by a counter.
 */

import { createHash } from 'node:crypto'
import { AuthError, toReason } from '../errors.ts'
import { decodeText, equalInConstantTime, randomId } from '../internal/bytes.ts'
import { misuse } from '../internal/configuration-error.ts'
import type { Clock } from '../internal/duration.ts'
import { parseObject } from '../internal/json.ts'
import { SHAPES } from './claim-shapes.ts'
import { decideTimes } from './claims.ts'
import {
  type JwsLimits,
  prepareSignJws,
  prepareVerifyJws,
  type SignJws,
  type VerifyJws,
  withCurrentKeys,
} from './jws.ts'
import type { KeyRing } from './ring.ts'

/** The settings of one-time tokens. */
export interface OneTimeSettings {
  /** The keys. */
  readonly ring: KeyRing
  /** The issuer; undefined for none. */
  readonly issuer: string | undefined
  /** The realm; undefined for none. */
  readonly realm: string | undefined
  /** Bounds on tokens. */
  readonly limits: JwsLimits
  /** Forgiven clock skew, in seconds. */
  readonly leeway: number
  /** The time in epoch seconds. */
  readonly clock: Clock
}

/** What a new one-time token says. */
export interface NewOneTimeToken {
  /** What it is for. */
  readonly purpose: string
  /** Whom it is about. */
  readonly subject: string
  /** How long it can be used, in seconds. */
  readonly lifetime: number
  /** Whatever belongs to it, as JSON. Whoever has the token reads it. */
  readonly data?: object | undefined
  /** A text that must not have changed when it is used. */
  readonly bind?: string | undefined
}

/** A one-time token whose signature, purpose and times are valid. */
export interface VerifiedOneTimeToken {
  /** Its identifier. */
  readonly jti: string
  /** Whom it is about. */
  readonly subject: string
  /** What belongs to it; `{}` for nothing. */
  readonly data: Readonly<Record<string, unknown>>
  /** The end, epoch seconds. */
  readonly exp: number
  /**
   * Whether the text that it was bound to is still the same. A token that was bound to none takes
   * none.
   */
  isBoundTo(bind: string | undefined): boolean
}

/** The header's `typ`. */
const TYP = 'one-time+jwt'

/** Issues and verifies the one-time tokens of one application. */
export class OneTimeTokens {
  readonly #settings: OneTimeSettings
  readonly #sign: SignJws
  readonly #verifyJws: VerifyJws<string>

  /** @param settings as `createAuth` resolved them */
  constructor(settings: OneTimeSettings) {
    this.#settings = settings
    this.#sign = prepareSignJws(settings.ring, { typ: TYP }, settings.clock)
    this.#verifyJws = prepareVerifyJws(settings.ring, settings.limits, decodeText)
  }

  /**
   * Issues a token.
   *
   * @throws {TypeError} for a subject that is no text, and for data that makes it too long
   * @throws {ConfigurationError} when the ring only verifies
   */
  async issue({ purpose, subject, lifetime, data, bind }: NewOneTimeToken): Promise<string> {
    const { clock, issuer, realm, limits } = this.#settings
    if (!SHAPES.sub(subject)) throw misuse('Expected `subject` to be a non-empty string')
    const iat = Math.floor(clock())
    const jti = randomId()
    const token = await this.#sign(
      JSON.stringify({
        jti,
        sub: subject,
        purpose,
        iat,
        exp: iat + Math.floor(lifetime),
        iss: issuer,
        login_type: realm,
        data,
        bind: bind === undefined ? undefined : toBinding(jti, bind),
      }),
    )
    if (token.length <= limits.tokenLength) return token
    throw misuse(
      `Expected the token to have at most ${limits.tokenLength} characters (\`limits.tokenLength\`): \`data\` is too large`,
    )
  }

  /**
   * Verifies a token for a purpose. It does not check whether it was used before, nor what it is
   * bound to.
   *
   * @throws {AuthError} `token_malformed`, `signature_invalid`, `issuer_invalid`, `realm_mismatch`,
   *   `token_expired`, `token_not_active`
   */
  async verify(purpose: string, token: string): Promise<VerifiedOneTimeToken> {
    const { ring, clock, leeway, issuer, realm } = this.#settings
    const { header, payload } = await withCurrentKeys(ring, clock, () => this.#verifyJws(token, clock()))
    const now = clock()
    const claims = parseObject(payload) ?? {}
    const { jti, sub, iat, exp, data = {}, bind } = claims
    const isOneTime = header.typ === TYP && typeof jti === 'string' && SHAPES.sub(sub)
    if (!isOneTime || typeof iat !== 'number' || typeof exp !== 'number')
      throw new AuthError('token_malformed', { cause: toReason('Not a one-time token') })
    if (claims['purpose'] !== purpose)
      throw new AuthError('token_malformed', { cause: toReason('A one-time token for another purpose') })
    if (claims['iss'] !== issuer) throw new AuthError('issuer_invalid')
    if (claims['login_type'] !== realm) throw new AuthError('realm_mismatch')
    const failure = decideTimes({ from: iat - leeway, until: exp + leeway }, now)
    if (failure !== undefined) throw new AuthError(failure)
    return {
      jti,
      subject: sub as string,
      data: data as Readonly<Record<string, unknown>>,
      exp,
      isBoundTo: (text) =>
        typeof bind === 'string'
          ? text !== undefined && equalInConstantTime(bind, toBinding(jti, text))
          : text === undefined,
    }
  }
}

/** How many characters of the digest bind a token: 128 bits. */
const BINDING_LENGTH = 22

/**
 * The text that a token is bound to, as a digest that says nothing of it and differs for each
 * token. The text must be hard to guess, as the hash of a password is.
 */
function toBinding(jti: string, bind: string): string {
  return createHash('sha256').update(`${jti}\0${bind}`).digest('base64url').slice(0, BINDING_LENGTH)
}
