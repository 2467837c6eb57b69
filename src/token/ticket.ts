/**
 * Tickets: they replace an access token in the URL of a WebSocket, where no token must be. A ticket
 * is a JWS of our own key whose header says `ticket+jwt`, so that neither is accepted in place of
 * the other. It lives for half a minute and holds the token's claims without its CSRF value. That a
 * ticket is used only once is checked elsewhere, by the session store.
 */
import { randomUUID } from 'node:crypto'
import { AuthError } from '../errors.ts'
import { decodeText } from '../internal/bytes.ts'
import { isRecord } from '../internal/configuration-error.ts'
import { parseObject } from '../internal/json.ts'
import { decideTimes, hasEnded } from './claims.ts'
import { prepareSignJws, prepareVerifyJws, type SignJws, type VerifyJws, withCurrentKeys } from './jws.ts'
import type { TokenPayload } from './token-payload.ts'
import { acceptClaims, applySchema, type VerifySettings } from './verify.ts'

/** A ticket in a response body. */
export interface Ticket {
  /** The ticket: for the query parameter `ticket` of one handshake. */
  readonly ticket: string
  /** How long it can be used, in seconds; at most 30. */
  readonly expires_in: number
}

/** A ticket whose signature is valid and which has not expired. */
export interface VerifiedTicket<C> {
  /** The ticket's identifier. */
  readonly jti: string
  /** The payload of the access token that it stands for. */
  readonly payload: TokenPayload<C>
}

/** How long a ticket can be used, in seconds. */
export const TICKET_TTL = 30

/** The header's `typ` of a ticket (RFC 8725 section 3.11). */
const TYP = 'ticket+jwt'

/** How much longer than its token a ticket may be, in characters. */
const EXTRA_LENGTH = 512

/** What tickets depend on: what the verifier of the own tokens does. */
type TicketSettings<C> = Omit<VerifySettings<C>, 'cache' | 'explain' | 'others'>

/** Issues and verifies the tickets of one application. */
export class Tickets<C> {
  readonly #settings: TicketSettings<C>
  readonly #sign: SignJws
  readonly #verifyJws: VerifyJws<string>

  /** @param settings as for the verifier of access tokens */
  constructor(settings: TicketSettings<C>) {
    const { ring, limits, rules } = settings
    this.#settings = settings
    this.#sign = prepareSignJws(ring, { typ: TYP }, rules.clock)
    this.#verifyJws = prepareVerifyJws(ring, { tokenLength: limits.tokenLength + EXTRA_LENGTH }, decodeText)
  }

  /**
   * Issues a ticket for an access token.
   *
   * @throws {AuthError} `access_token_required`, `token_expired`, `store_unavailable`
   * @throws {ConfigurationError} when the ring only verifies
   */
  async issue({ data, csrf: _, ...members }: TokenPayload<C>): Promise<Ticket> {
    if (members.type !== 'access') throw new AuthError('access_token_required')
    const iat = Math.floor(this.#settings.rules.clock())
    const exp = Math.floor(Math.min(iat + TICKET_TTL, members.exp))
    if (hasEnded(exp, iat)) throw new AuthError('token_expired')
    const access = { ...(data as object), ...members }
    const ticket = await this.#sign(JSON.stringify({ jti: randomUUID(), iat, exp, access }))
    return { ticket, expires_in: exp - iat }
  }

  /**
   * Verifies a ticket, and the claims of its access token. It does not check whether the ticket was
   * used before.
   *
   * @throws {AuthError} `token_malformed`, `signature_invalid`, `token_expired`,
   *   `token_not_active`, and as `Verifier.verify`
   */
  async verify(ticket: string): Promise<VerifiedTicket<C>> {
    const { ring, rules } = this.#settings
    const { clock, leeway } = rules
    const { header, payload } = await withCurrentKeys(ring, clock, () => this.#verifyJws(ticket, clock()))
    const now = clock()
    const { jti, iat, exp, access } = parseObject(payload) ?? {}
    const isTicket = header.typ === TYP && typeof jti === 'string' && isRecord(access)
    if (!isTicket || typeof iat !== 'number' || typeof exp !== 'number')
      throw new AuthError('token_malformed')
    const failure = decideTimes({ from: iat - leeway, until: exp + leeway }, now)
    if (failure !== undefined) throw new AuthError(failure)
    const accepted = acceptClaims(access, { type: 'access', untyped: false }, now, this.#settings)
    return { jti, payload: await applySchema(accepted, this.#settings) }
  }
}
