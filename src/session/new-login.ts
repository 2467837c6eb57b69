/** A login, and the session that starts with it. */
import { randomId } from '../internal/bytes.ts'
import type { TokenClaims } from '../token/sign-token.ts'
import type { SessionSettings } from './resolve-session-options.ts'
import { type LoginLifeOptions, readLoginLives } from './session-lives.ts'
import type { SessionRow } from './session-row.ts'
import type { NewSession } from './store.ts'

/** A login: the claims of its two tokens, and what the row keeps beside them. */
export interface NewLogin {
  /** The claims of the access token. */
  readonly access: TokenClaims
  /** The claims of the refresh token. */
  readonly refresh: TokenClaims
  /** The moment before the credentials were checked, epoch seconds; undefined for now. */
  readonly provedAt: number | undefined
  /** The client's address. */
  readonly ip: string | undefined
  /** The client's user agent. */
  readonly userAgent: string | undefined
  /** What it says of the session's lives. */
  readonly lives: LoginLifeOptions
}

/** The longest address and user agent that are kept, in characters. */
const MAX_IP = 64
const MAX_USER_AGENT = 256

/**
 * The session that starts with a login.
 *
 * @throws {ConfigurationError} for lives beyond those of `sessions`
 */
export function toNewSession(
  { access, ip, userAgent, lives }: NewLogin,
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
    ip: cut(ip, MAX_IP),
    userAgent: cut(userAgent, MAX_USER_AGENT),
    idle: settings.idle,
    ...readLoginLives(lives, access.remember !== false, settings),
  }
}

/** Cuts a header's text to what the row keeps of it. */
function cut(text: string | undefined, length: number): string | null {
  return text === undefined ? null : text.slice(0, length)
}
