/*
 * The one place where this page keeps tokens: a variable. No storage, no cookie, nothing that
 * outlives a reload. Panels watch it; whoever gets a token pair puts it here. Also keeps how far
 * this computer's clock is from the server's, so that countdowns are right on a computer that is
 * wrong.
 */

import type { Json } from './api.ts'
import { type DecodedToken, decodeUnverified } from './token.ts'

export interface Tokens {
  readonly access: string
  readonly refresh: string
  readonly accessToken: DecodedToken | undefined
  readonly refreshToken: DecodedToken | undefined
}

/** The server's settings as `GET /healthz` tells them, in seconds. */
export interface Settings {
  readonly access: number
  readonly freshness: number
  /** How long the refresh token before the current one is forgiven. */
  readonly overlap: number
}

export interface Session {
  readonly tokens: Tokens | undefined
  readonly previous: Tokens | undefined
  settings: Settings
  /** Takes the tokens out of a token answer; false when there is none in it. */
  keep(body: Json): boolean
  clear(): void
  /** Calls `listener` now and after each change. */
  watch(listener: () => void): void
  /** The server's time in epoch seconds, with fractions. */
  now(): number
}

/** Makes the empty session with which the page starts. */
export function createSession(): Session {
  const listeners: (() => void)[] = []
  let tokens: Tokens | undefined
  let previous: Tokens | undefined
  let ahead = 0

  const change = (next: Tokens | undefined) => {
    previous = next && tokens
    tokens = next
    for (const listener of listeners) listener()
  }
  return {
    settings: { access: 900, freshness: 900, overlap: 30 },
    get tokens() {
      return tokens
    },
    get previous() {
      return previous
    },
    keep(body) {
      const access = body['access_token']
      if (typeof access !== 'string') return false
      const refresh =
        typeof body['refresh_token'] === 'string' ? body['refresh_token'] : (tokens?.refresh ?? '')
      const accessToken = decodeUnverified(access)
      ahead = measureAhead(accessToken?.claims['iat'])
      change({ access, refresh, accessToken, refreshToken: decodeUnverified(refresh) })
      return true
    },
    clear: () => change(undefined),
    watch(listener) {
      listeners.push(listener)
      listener()
    },
    now: () => Date.now() / 1000 - ahead,
  }
}

/**
 * Whether the server keeps a session for these tokens, so that it can end it: then they name it.
 */
export function hasSession(session: Session): boolean {
  return typeof session.tokens?.accessToken?.claims['sid'] === 'string'
}

/**
 * How many seconds this clock is ahead, by a token issued just now. Below 2 s it is travel and
 * rounding.
 */
function measureAhead(issuedAt: unknown): number {
  const ahead = typeof issuedAt === 'number' ? Date.now() / 1000 - issuedAt : 0
  return Math.abs(ahead) < 2 ? 0 : ahead
}
