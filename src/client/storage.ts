/**
 * What outlives a page load. With cookies that is no token, only the end of the access token, the
 * CSRF value and the login's id: a reloaded page knows at once whether a user is signed in, and
 * does not refresh a token that is still good. The refresh token is stored only where the
 * application named a storage for it. A storage that fails stores nothing.
 */
import { readObject } from './client-error.ts'
import type { ClientContext, Tokens } from './context.ts'
import type { SignOutReason } from './options.ts'

/** What was stored: tokens, or with cookies the end of the session and why it ended. */
export type Stored =
  | (Tokens & { readonly reason?: undefined })
  | { readonly login?: undefined; readonly refresh?: undefined; readonly reason?: SignOutReason }

/** Reads what was stored; undefined when nothing is known. */
export async function readStored({ store, key }: ClientContext): Promise<Stored> {
  try {
    return readObject(`${await store?.getItem(key)}`) as Stored
  } catch {
    return {}
  }
}

/** Stores the tokens without the access token; null removes them. */
export async function writeStored(
  { store, key, byCookie }: ClientContext,
  tokens: Tokens | null,
  reason?: SignOutReason,
): Promise<void> {
  try {
    // An access token in memory is gone with the page: for the next page it has ended. With cookies
    // an empty storage means nothing, so that the sign-out is written down.
    const kept = tokens
      ? { ...tokens, access: undefined, ...(tokens.access && { expiresAt: 0 }) }
      : byCookie && { reason }
    await (kept ? store?.setItem(key, JSON.stringify(kept)) : store?.removeItem(key))
  } catch {
    // Storage is full or forbidden by the browser: this page works from its memory.
  }
}
