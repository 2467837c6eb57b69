/** A login, and the session that starts with it. */
import { randomId } from '../internal/bytes.ts'
import type { TokenClaims } from '../token/sign-token.ts'
import type { SessionSettings } from './resolve-session-options.ts'
import { type ClientNotes, cutNotes } from './session-details.ts'
import { type LoginLifeOptions, readLoginLives } from './session-lives.ts'
import type { NewSession, SessionRow } from './session-row.ts'

/** A login: the claims of its two tokens, and what the row keeps beside them. */
export interface NewLogin {
  /** The claims of the access token. */
  readonly access: TokenClaims
  /** The claims of the refresh token. */
  readonly refresh: TokenClaims
  /** The moment before the credentials were checked, epoch seconds; undefined for now. */
  readonly provedAt: number | undefined
  /** Where the client is. */
  readonly client: ClientNotes
  /** Its details, checked. */
  readonly details: Pick<SessionRow, 'metadata' | 'label'>
  /** What it says of the session's lives. */
  readonly lives: LoginLifeOptions
}

/**
 * The session that starts with a login.
 *
 * @throws {ConfigurationError} for lives beyond those of `sessions`
 */
export function toNewSession(
  { access, client, details, lives }: NewLogin,
  settings: SessionSettings<never>,
): Omit<NewSession, 'provedAt'> {
  return {
    sid: randomId(),
    sub: access.sub,
    realm: settings.realm,
    authTime: access.auth_time ?? null,
    acr: access.acr ?? null,
    amr: access.amr ?? null,
    scopes: access.scopes ?? [],
    data: (access.data ?? {}) as SessionRow['data'],
    ...details,
    ...cutNotes(client),
    idle: settings.idle,
    ...readLoginLives(lives, access.remember !== false, settings),
  }
}
