/*
 * The countdown of an access token: how long it is valid and how long it is fresh. `readClock` is
 * pure. `createClock` draws two bars. A screen reader announces only the changes of state, not each
 * second.
 */

import type { Json } from './api.ts'
import { find, findIn, write } from './element.ts'
import type { Session } from './session.ts'

/** A span of time in seconds. `left` is 0 when it is over. */
export interface Span {
  readonly left: number
  readonly total: number
}

export interface Clock {
  readonly state: 'fresh' | 'stale' | 'expired'
  readonly expiry: Span
  readonly freshness: Span
}

const ANNOUNCEMENTS = {
  fresh: '',
  stale: 'The access token is no longer fresh.',
  expired: 'The access token has expired. The next request gets a new one.',
} as const

/** Reads both countdowns from the claims. @param window how long a token stays fresh, in seconds */
export function readClock(claims: Json, window: number, now: number): Clock {
  const exp = numberOf(claims['exp']) ?? now
  const iat = numberOf(claims['iat']) ?? now
  const expiry = { left: Math.max(0, exp - now), total: Math.max(1, exp - iat) }
  const until = freshUntil(claims, window)
  const freshness = {
    left: until === undefined ? 0 : Math.max(0, Math.min(until, exp) - now),
    total: window,
  }
  const state = expiry.left <= 0 ? 'expired' : freshness.left > 0 ? 'fresh' : 'stale'
  return { state, expiry, freshness }
}

/** Formats seconds as `17 s`, from two minutes on as `9 min`, and from two hours on as `5 h`. */
export function toClockTime(seconds: number): string {
  const whole = Math.ceil(seconds)
  if (whole >= 2 * 86_400) return `${Math.floor(whole / 86_400)} days`
  if (whole >= 2 * 3600) return `${Math.floor(whole / 3600)} h`
  return whole >= 120 ? `${Math.floor(whole / 60)} min` : `${whole} s`
}

/** Draws the countdown into #clock and updates it while the page is open. */
export function createClock(session: Session): void {
  const root = find('clock', HTMLElement)
  const announce = find('announce', HTMLElement)
  const valid = findLine(root, '.line-valid')
  const fresh = findLine(root, '.line-fresh')

  let announced: Clock['state'] = 'fresh'
  const tick = () => {
    if (!session.token) return
    const { claims, freshness } = session.token
    const clock = readClock(claims, freshness, session.now())
    root.dataset['state'] = clock.state
    valid.show(
      clock.expiry.left > 0 ? `in ${toClockTime(clock.expiry.left)}` : 'it has expired',
      clock.expiry,
    )
    fresh.show(freshText(clock, claims), clock.freshness)
    if (announced !== clock.state) write(announce, ANNOUNCEMENTS[clock.state])
    announced = clock.state
  }
  session.watch(tick)
  setInterval(tick, 200)
}

/** A label, a time, and a bar for how much of it is left. */
export interface Line {
  show(words: string, span: Span): void
}

/** Finds a line. */
export function findLine(root: ParentNode, selector: string): Line {
  const line = findIn(root, selector)
  const [text, bar] = [findIn(line, '.line-time'), findIn(line, '.bar')]
  return {
    show(words, span) {
      write(text, words)
      bar.style.setProperty('--part', Math.min(1, span.left / span.total).toFixed(3))
    },
  }
}

function freshText(clock: Clock, claims: Json): string {
  if (clock.freshness.left > 0) return `for ${toClockTime(clock.freshness.left)}`
  return claims['fresh'] === true ? 'no longer' : 'no'
}

function freshUntil(claims: Json, window: number): number | undefined {
  const since = numberOf(claims['auth_time']) ?? numberOf(claims['iat'])
  return claims['fresh'] === true && since !== undefined ? since + window : undefined
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}
