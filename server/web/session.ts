/*
 * Keeps the tokens of this page in a variable: no storage, no cookie, nothing that survives a
 * reload. Panels watch it. It also keeps the difference between the clocks of this computer and of
 * the server, so that the countdowns are right even if this computer's clock is wrong.
 */

import type { Json } from './api.ts'
import { type DecodedToken, decodeUnverified } from './token.ts'

export interface Tokens {
  readonly access: string
  readonly refresh: string
  readonly accessToken: DecodedToken | undefined
  readonly refreshToken: DecodedToken | undefined
}

/** The server's settings from `GET /healthz`, in seconds. */
export interface Settings {
  readonly access: number
  readonly freshness: number
  /** How long the previous refresh token still works. */
  readonly overlap: number
}

export interface Session {
  readonly tokens: Tokens | undefined
  readonly previous: Tokens | undefined
  settings: Settings
  /** Stores the tokens of a response body. False if it has none. */
  keep(body: Json): boolean
  clear(): void
  /** Calls `listener` now and after each change. */
  watch(listener: () => void): void
  /** The server's time in epoch seconds, with fractions. */
  now(): number
}

/** Creates the empty session with which the page starts. */
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

/** Whether the tokens belong to a session that the server keeps and can end. */
export function hasSession(session: Session): boolean {
  return typeof session.tokens?.accessToken?.claims['sid'] === 'string'
}

/**
 * How many seconds this clock is ahead, measured by a token that was just issued. Less than 2 s is
 * latency and rounding.
 */
function measureAhead(issuedAt: unknown): number {
  const ahead = typeof issuedAt === 'number' ? Date.now() / 1000 - issuedAt : 0
  return Math.abs(ahead) < 2 ? 0 : ahead
}
