/**
 * What outlives a page load. With cookies that is no token, only the end of the access token, the
 * CSRF value and the login's id: a reloaded page knows at once whether a user is signed in, and
 * does not refresh a token that is still good. The refresh token is stored only where the
 * application named a storage for it. A storage that fails stores nothing.
 */
import { readObject } from './client-error.ts'
import type { TokenStorage } from './platform.ts'

/** The tokens of a session, as one client knows them. */
export interface Tokens {
  /** The access token; undefined when it is in a cookie, and after a page load. */
  readonly access?: string | undefined
  /** The refresh token; undefined when it is in a cookie. */
  readonly refresh?: string | undefined
  /** The CSRF value of the session; or its id, where the server has no such values. */
  readonly csrf?: string | undefined
  /** When the access token ends, in epoch seconds by this machine's clock. */
  readonly expiresAt: number
  /** Its whole lifetime, in seconds. */
  readonly life: number
  /** Whether it came from a login or a step-up. */
  readonly fresh: boolean
  readonly login: string
}

interface Stored extends Tokens {
  /** Whether the access token is in a cookie. */
  readonly inCookie: boolean
}

export interface TokenPersistence {
  /** Reads what was stored; null after a sign-out, undefined when nothing is known. */
  read(): Promise<Tokens | null | undefined>
  /** Stores the tokens without the access token; null removes them. */
  write(tokens: Tokens | null): Promise<void>
}

/** `Session` leaves out the refresh token where it must not be stored. */
export function openTokenPersistence(
  key: string,
  storage: () => TokenStorage | null | undefined,
  byCookie: boolean,
): TokenPersistence {
  return {
    async read() {
      try {
        const text = await storage()?.getItem(key)
        if (!text) return undefined
        const stored = readObject(text) as unknown as Stored
        if (stored.login === undefined) return null
        // An access token that was in memory is gone with the page: treat it as expired.
        return stored.inCookie ? stored : { ...stored, expiresAt: 0 }
      } catch {
        return undefined
      }
    },
    async write(tokens) {
      try {
        // With cookies an empty storage means nothing, so that the sign-out is written down.
        const text = tokens
          ? JSON.stringify({ ...tokens, access: undefined, inCookie: !tokens.access })
          : byCookie && '{}'
        await (text ? storage()?.setItem(key, text) : storage()?.removeItem(key))
      } catch {
        // Storage is full or forbidden by the browser: this page works from its memory.
      }
    },
  }
}
