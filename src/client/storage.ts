/**
 * What outlives a page load. With cookies no token is among it: only when the access token ends, the CSRF value and the login's
 * id, so that a page that is loaded again knows at once that somebody is signed in and refreshes nothing that is still good.
 * The refresh token is kept only where the user of the client named a storage for it. A storage that fails keeps nothing.
 */
import { readObject } from './client-error.ts'
import type { TokenStorage } from './platform.ts'

/** The tokens of a session, as one client has them. */
export interface Tokens {
  /** The access token; undefined when it lies in a cookie, or after a page load. */
  readonly access?: string | undefined
  /** The refresh token; undefined when it lies in a cookie. */
  readonly refresh?: string | undefined
  /** The CSRF value. */
  readonly csrf?: string | undefined
  /** When the access token ends, in epoch seconds by this machine's clock. */
  readonly expiresAt: number
  /** How long it lives in all, in seconds. */
  readonly life: number
  /** Whether it came of a login or a step-up. */
  readonly fresh: boolean
  /** The id of the login. */
  readonly login: string
}

/** Tokens as they are kept. */
type StoredTokens = Omit<Tokens, 'access'> & {
  /** Whether the access token lies in a cookie. */
  readonly inCookie: boolean
}

/** The memory of a client. */
export interface TokenPersistence {
  /** What was kept; null when there is nothing. */
  read(): Promise<Tokens | null>
  /** Keeps what may be kept; null forgets. */
  write(tokens: Tokens | null): Promise<void>
}

/** Opens the memory. What must not be kept is not among the tokens: see `Session`. */
export function openTokenPersistence(
  key: string,
  storage: TokenStorage | null | undefined,
): TokenPersistence {
  return {
    async read() {
      try {
        const kept = readObject((await storage?.getItem(key)) ?? '') as unknown as StoredTokens
        if (!kept.login) return null
        // Where the access token was in memory it is gone: this one has ended, whatever its time.
        return kept.inCookie ? kept : { ...kept, expiresAt: 0 }
      } catch {
        return null
      }
    },
    async write(tokens) {
      try {
        if (tokens === null) return void (await storage?.removeItem(key))
        const { access, ...rest } = tokens
        await storage?.setItem(key, JSON.stringify({ ...rest, inCookie: !access } satisfies StoredTokens))
      } catch {
        // Full, or forbidden by the browser: this page goes on from its memory.
      }
    },
  }
}
