/**
 * Tickets: what stands for an access token where a token must not, in the URL of a WebSocket. A ticket is a JWS of our own key whose
 * header says `ticket+jwt`, so that nothing else takes it for a token, nor a ticket for it. It lives for half a minute and
 * carries what the token says, but for its CSRF value. That it is used once is for `session/` to see to.
 */
import { randomUUID } from 'node:crypto'
import { AuthError } from '../errors.ts'
import { decodeText } from '../internal/bytes.ts'
import { ConfigurationError, isRecord } from '../internal/configuration-error.ts'
import { parseObject } from '../internal/json.ts'
import { prepareSignJws, prepareVerifyJws } from './jws.ts'
import type { TokenPayload } from './token-payload.ts'
import { prepareAccept, type VerifySettings } from './verify.ts'

/** A ticket, as an answer's body has it. */
export interface Ticket {
  /** The ticket: for the query parameter `ticket` of one handshake. */
  readonly ticket: string
  /** How long it can be used, in seconds; at most 30. */
  readonly expires_in: number
}

/** A ticket whose signature holds and whose time has not passed. Whether it was used is not judged. */
export interface VerifiedTicket<C> {
  /** The ticket's identifier. */
  readonly jti: string
  /** What the access token said that it stands for. */
  readonly payload: TokenPayload<C>
}

/** Gives and reads tickets. */
export interface Tickets<C> {
  /**
   * Gives a ticket for an access token.
   *
   * @throws {AuthError} `access_token_required`, `token_expired`
   * @throws {ConfigurationError} when the ring only verifies
   */
  issue(payload: TokenPayload<C>): Ticket
  /**
   * Verifies a ticket, and what it says of its access token.
   *
   * @throws {AuthError} `token_malformed`, `signature_invalid`, `token_expired`, `token_not_active`, and as `Verifier.verify`
   */
  verify(ticket: string): Promise<VerifiedTicket<C>>
}

/** How long a ticket can be used, in seconds. */
export const TICKET_TTL = 30

/** The header's `typ` of a ticket (RFC 8725 section 3.11). */
const TYP = 'ticket+jwt'

/** How much longer than its token a ticket may be, in characters. */
const EXTRA_LENGTH = 512

/** The claims of the access token, for the ticket to carry. The CSRF value opens doors of its own, so it stays at home. */
function toClaims({ data, csrf, ...members }: TokenPayload<unknown>): Readonly<Record<string, unknown>> {
  return { ...(data as object), ...members }
}

/** Prepares the tickets of one application. */
export function prepareTickets<C>(settings: Omit<VerifySettings<C>, 'cache'>): Tickets<C> {
  const { ring, limits, rules } = settings
  const { clock, leeway } = rules
  const sign = prepareSignJws(ring, { typ: TYP })
  const verifyJws = prepareVerifyJws(ring, { tokenLength: limits.tokenLength + EXTRA_LENGTH }, decodeText)
  const accept = prepareAccept(settings)

  return {
    issue(payload) {
      if (sign === undefined)
        throw new ConfigurationError('Expected the key ring to hold a `signing` key: this one only verifies')
      if (payload.type !== 'access') throw new AuthError('access_token_required')
      const iat = Math.floor(clock())
      const exp = Math.floor(Math.min(iat + TICKET_TTL, payload.exp))
      if (exp <= iat) throw new AuthError('token_expired')
      const access = toClaims(payload)
      return { ticket: sign(JSON.stringify({ jti: randomUUID(), iat, exp, access })), expires_in: exp - iat }
    },
    async verify(ticket) {
      const now = clock()
      const { header, payload } = verifyJws(ticket, now)
      const { jti, iat, exp, access } = parseObject(payload) ?? {}
      const isTicket = header.typ === TYP && typeof jti === 'string' && isRecord(access)
      if (!isTicket || typeof iat !== 'number' || typeof exp !== 'number')
        throw new AuthError('token_malformed')
      if (exp + leeway <= now) throw new AuthError('token_expired')
      if (iat > now + leeway) throw new AuthError('token_not_active')
      return { jti, payload: await accept(access, { type: 'access', untyped: false }, now) }
    },
  }
}
