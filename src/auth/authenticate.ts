/**
 * The pipeline of a request, top to bottom: extract the token, check its origin, verify it, check
 * its CSRF value, check revocation, authorize, return. Each step throws its own `AuthError`.
 * `authenticator.ts` has the entry points, and the shorter path of a token in the header.
 */

import { AuthError, isAuthError, toReason } from '../errors.ts'
import { checkRequestCsrf, checkRequestOrigin } from '../http/csrf.ts'
import { extractFromHeader } from '../http/extract-token.ts'
import type { RequestPort } from '../http/request-port.ts'
import type { ExtractedToken, HeaderRow } from '../http/token-sources.ts'
import { expected } from '../internal/configuration-error.ts'
import type { Clock } from '../internal/duration.ts'
import { emit, type Listeners } from '../internal/listeners.ts'
import { toOutage } from '../internal/outage.ts'
import { createWarnOnce } from '../internal/warn.ts'
import { withDeadline } from '../internal/with-deadline.ts'
import { decideTimes, toSpan } from '../token/claims.ts'
import type { RawToken } from '../token/token-cache.ts'
import { TokenPayload } from '../token/token-payload.ts'
import { decideAuthorization, requireTypeAndRealm } from '../token/token-requirement.ts'
import type { Verifier } from '../token/verify.ts'
import type { AuthEvents } from './events.ts'
import type { PreparedRequirement, Renewal } from './requirement.ts'
import type { RevocationCheck } from './revocation-check.ts'

/** A request's token: verified, and as it was sent. */
export interface AuthenticatedRequest<C> {
  /** The token's payload. */
  readonly payload: TokenPayload<C>
  /** The token, and its location. */
  readonly extracted: ExtractedToken
}

/** The dependencies of the pipeline. */
export interface PipelineDependencies<C> {
  /** Verifies tokens. */
  readonly verifier: Verifier<C>
  /** The header of the token. */
  readonly header: HeaderRow
  /** Takes a ticket in place of a token, once; null without a session store. */
  readonly redeemTicket: ((ticket: string) => Promise<TokenPayload<C>>) | null
  /** Checks tokens against the store. */
  readonly revocation: RevocationCheck<C>
  /** The application's blocklist; null for none. */
  readonly isRevoked: ((payload: TokenPayload<C>) => boolean | Promise<boolean>) | null
  /** Renews an access token, to end no later than `until`; resolves to its `Set-Cookie` lines. */
  readonly renew: (payload: TokenPayload<C>, until: number) => Promise<readonly string[]>
  /** Forgiven clock skew, in seconds. */
  readonly leeway: number
  /** Whether sessions are kept in a store. */
  readonly hasStore: boolean
  /** The time in epoch seconds. */
  readonly clock: Clock
  /** The application's listeners. */
  readonly on: Listeners<AuthEvents>
}

/** The steps of one application. */
export class Pipeline<C> {
  readonly #deps: PipelineDependencies<C>
  readonly #warn = createWarnOnce()

  constructor(deps: PipelineDependencies<C>) {
    this.#deps = deps
  }

  /** Authenticates a request; null only where the token is optional and missing. */
  async authenticate(
    request: RequestPort,
    requirement: PreparedRequirement,
  ): Promise<AuthenticatedRequest<C> | null> {
    const { verifier, header } = this.#deps
    const extracted = requirement.isHeaderOnly
      ? extractFromHeader(request, { header })
      : await requirement.extract(request)
    if (extracted === null) {
      if (requirement.optional) return null
      throw new AuthError('token_missing')
    }
    // Browsers add cookies by themselves, so a request by cookie may be forged.
    const isByCookie = extracted.location === 'cookie'
    if (isByCookie) checkRequestOrigin(request, requirement.csrf)
    const payload =
      extracted.location === 'ticket'
        ? await this.#redeemTicket(extracted.text, requirement)
        : (verifier.lookup(extracted, requirement) ?? (await verifier.verify(extracted, requirement)))
    if (isByCookie) await checkRequestCsrf(request, requirement.csrf, payload.csrf)
    if (!this.isKnownGood(payload, requirement)) await this.checkRevocation(payload, requirement)
    this.authorize(payload, requirement)
    if (requirement.check !== null) await requirement.check(payload)
    if (isByCookie && requirement.renew !== null) await this.#renew(request, payload, requirement.renew)
    return { payload, extracted }
  }

  /** Authenticates a token without a request: everything but location and CSRF. */
  async verifyToken(token: string, requirement: PreparedRequirement): Promise<TokenPayload<C>> {
    requireText(token)
    const { verifier } = this.#deps
    const raw: RawToken = { text: token, start: 0 }
    const payload = verifier.lookup(raw, requirement) ?? (await verifier.verify(raw, requirement))
    return this.#checkWhole(payload, requirement)
  }

  /**
   * The payload of a token that may have expired, for audit and logout. What is revoked is
   * forgotten when it expires, so an expired token is not looked up.
   *
   * @param allowance how long ago it may have expired, in seconds
   */
  async verifyExpired(
    token: string,
    requirement: PreparedRequirement,
    allowance: number,
  ): Promise<TokenPayload<C>> {
    requireText(token)
    const payload = await this.#deps.verifier.verifyExpired({ text: token, start: 0 }, requirement, allowance)
    return TokenPayload.isOfExpired(payload) ? payload : this.#checkWhole(payload, requirement)
  }

  /** Checks again what was verified before: times, type, realm, revocation and the requirement. */
  async recheck(payload: TokenPayload<C>, requirement: PreparedRequirement): Promise<TokenPayload<C>> {
    const { leeway, hasStore, clock } = this.#deps
    const failure = decideTimes(toSpan(payload, leeway, hasStore), clock())
    if (failure !== undefined) throw new AuthError(failure)
    return this.#checkWhole(requireTypeAndRealm(payload, requirement), requirement)
  }

  /** What is checked of a payload, however it came: revocation, requirement, the route's rule. */
  async #checkWhole(payload: TokenPayload<C>, requirement: PreparedRequirement): Promise<TokenPayload<C>> {
    if (!this.isKnownGood(payload, requirement)) await this.checkRevocation(payload, requirement)
    this.authorize(payload, requirement)
    if (requirement.check !== null) await requirement.check(payload)
    return payload
  }

  /**
   * Whether what this process knows of revocations is enough; if not, `checkRevocation` asks the
   * store and the blocklist.
   *
   * @throws {AuthError} `token_revoked` for a token that is known to be revoked
   */
  isKnownGood(payload: TokenPayload<C>, requirement: PreparedRequirement): boolean {
    const { revocation, isRevoked } = this.#deps
    const isKnown = requirement.revocation === 'off' || revocation.checkKnown(payload, requirement)
    return isKnown && isRevoked === null
  }

  /** Refuses a token that is revoked in the store or in the application's blocklist. */
  async checkRevocation(payload: TokenPayload<C>, requirement: PreparedRequirement): Promise<void> {
    const { revocation, isRevoked } = this.#deps
    if (requirement.revocation !== 'off' && !revocation.checkKnown(payload, requirement))
      await revocation.checkStore(payload, requirement)
    if (isRevoked !== null) await askBlocklist(payload, isRevoked)
  }

  /** Refuses a valid token that does not satisfy the route's requirement. */
  authorize(payload: TokenPayload<C>, requirement: PreparedRequirement): TokenPayload<C> {
    const failure = decideAuthorization(payload, requirement, this.#deps.clock)
    if (failure !== undefined) throw failure
    return payload
  }

  async #redeemTicket(ticket: string, requirement: PreparedRequirement): Promise<TokenPayload<C>> {
    const { redeemTicket } = this.#deps
    if (redeemTicket === null) throw new AuthError('token_malformed')
    return requireTypeAndRealm(await redeemTicket(ticket), requirement)
  }

  /** Renews an access token that is about to expire, until the limit that `auth_time` sets. */
  async #renew(request: RequestPort, payload: TokenPayload<C>, { within, maxAge }: Renewal): Promise<void> {
    const { clock, renew, on } = this.#deps
    if (request.setCookies === undefined || payload.type !== 'access') return
    if (payload.auth_time === undefined) return this.#warn('TOKENWRIGHT_RENEW', NO_AUTH_TIME)
    if (payload.exp - clock() > within) return
    const until = payload.auth_time + maxAge
    if (until <= Math.max(payload.exp, clock() + 1)) return
    let lines: readonly string[]
    try {
      lines = await renew(payload, until)
    } catch (error) {
      // A renewal that fails leaves the token as it is, unless the token itself is refused.
      if (isAuthError(error) && error.status !== 503) throw error
      return
    }
    request.setCookies(lines)
    emit(on, 'renewed', { sub: payload.sub })
  }
}

/** Refuses what is no text. @throws {AuthError} `token_malformed` */
function requireText(token: unknown): void {
  if (typeof token !== 'string')
    throw new AuthError('token_malformed', { cause: toReason(expected('token', 'a string', token)) })
}

/** Why a token without `auth_time` is not renewed: nothing says when its renewals must end. */
const NO_AUTH_TIME =
  'A route with `renew` got a token without `auth_time`, which is never renewed: issue it with `fresh: true`, by `authRoutes` or with `authTime`'

/** How long `isRevoked` may take, in seconds. */
const DEADLINE = 5

async function askBlocklist<C>(
  payload: TokenPayload<C>,
  isRevoked: (payload: TokenPayload<C>) => boolean | Promise<boolean>,
): Promise<void> {
  let revoked: unknown
  try {
    revoked = await withDeadline('isRevoked', DEADLINE, () => isRevoked(payload))
  } catch (cause) {
    throw toOutage(cause)
  }
  // Only `false` passes: a blocklist that returns nothing must not accept every token.
  if (revoked !== false) throw new AuthError('token_revoked')
}
