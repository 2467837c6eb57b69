/*
 * What the page knows of its session. The tokens are in cookies that no script can read: this is
 * what `GET /token` says of the access token. Panels watch it. It also keeps the difference between
 * the clocks of this computer and of the server, so that the countdowns are right even if this
 * computer's clock is wrong.
 */

import type { Json } from './api.ts'
import { type DecodedToken, decodeUnverified } from './token.ts'

/** The access token as the server reads it. */
export interface ShownToken extends DecodedToken {
  /** How long a token stays fresh, in seconds. */
  readonly freshness: number
}

export interface Session {
  readonly isSignedIn: boolean
  /** The name of the user; empty as long as it is unknown. */
  readonly user: string
  readonly token: ShownToken | undefined
  /** The token before it, of the same session. */
  readonly previous: ShownToken | undefined
  /** Shows the token of a response of `GET /token`. */
  show(body: Json): void
  /** Shows that no one is signed in. */
  leave(): void
  /** Calls `listener` now and after each change. */
  watch(listener: () => void): void
  /** The server's time in epoch seconds, with fractions. */
  now(): number
}

/** Creates the session with which the page starts: no one is signed in. */
export function createSession(): Session {
  const listeners: (() => void)[] = []
  let token: ShownToken | undefined
  let previous: ShownToken | undefined
  let isSignedIn = false
  let ahead = 0

  const change = (is: boolean, next: ShownToken | undefined): void => {
    isSignedIn = is
    previous = next?.claims['sid'] === token?.claims['sid'] ? token : undefined
    token = next
    for (const listener of listeners) listener()
  }
  return {
    get isSignedIn() {
      return isSignedIn
    },
    get user() {
      return String(token?.claims['sub'] ?? '')
    },
    get token() {
      return token
    },
    get previous() {
      return previous
    },
    show({ header, claims, freshness, now }) {
      const decoded = decodeUnverified(String(header), String(claims))
      ahead = measureAhead(now)
      change(true, decoded && { ...decoded, freshness: Number(freshness) })
    },
    leave: () => change(false, undefined),
    watch(listener) {
      listeners.push(listener)
      listener()
    },
    now: () => Date.now() / 1000 - ahead,
  }
}

/** How many seconds this clock is ahead. Less than 2 s is latency and rounding. */
function measureAhead(now: unknown): number {
  const ahead = typeof now === 'number' ? Date.now() / 1000 - now : 0
  return Math.abs(ahead) < 2 ? 0 : ahead
}
