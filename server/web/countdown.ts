/*
 * The countdown of an access token: how long it is valid and how long it is fresh. `readClock` is
 * pure. `createClock` draws a dial with two arcs and two lines of text. A screen reader announces
 * only the changes of state, not each second.
 */

import type { Json } from './api.ts'
import { drawing, element, find, replace, write } from './element.ts'
import type { Session, Settings } from './session.ts'

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

const WORDS = { fresh: 'Fresh', stale: 'Not fresh', expired: 'Expired' } as const
const ANNOUNCEMENTS = {
  fresh: '',
  stale: 'The access token is no longer fresh.',
  expired: 'The access token has expired. Press Refresh to get a new one.',
} as const

/** Reads both countdowns from the claims. */
export function readClock(claims: Json, settings: Settings, now: number): Clock {
  const exp = numberOf(claims['exp']) ?? now
  const iat = numberOf(claims['iat']) ?? now
  const expiry = { left: Math.max(0, exp - now), total: Math.max(1, exp - iat) }
  const until = freshUntil(claims, settings.freshness)
  const freshness = {
    left: until === undefined ? 0 : Math.max(0, Math.min(until, exp) - now),
    total: settings.freshness,
  }
  const state = expiry.left <= 0 ? 'expired' : freshness.left > 0 ? 'fresh' : 'stale'
  return { state, expiry, freshness }
}

/** Formats seconds as `9:05` or `1:02:03`, and from two days on as days. */
export function toClockTime(seconds: number): string {
  const whole = Math.ceil(seconds)
  if (whole >= 2 * 86_400) return `${Math.floor(whole / 86_400)} days`
  const hours = Math.floor(whole / 3600)
  const minutes = Math.floor((whole % 3600) / 60)
  const tail = String(whole % 60).padStart(2, '0')
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${tail}` : `${minutes}:${tail}`
}

/** Draws the countdown into #clock and updates it while the page is open. */
export function createClock(session: Session): void {
  const root = find('clock', HTMLElement)
  const announce = find('announce', HTMLElement)
  const dial = createDial()
  const valid = createLine('Valid', 'line-valid')
  const fresh = createLine('Fresh', 'line-fresh')
  replace(root, dial.root, element('div', { class: 'lines' }, valid.root, fresh.root))

  let announced: Clock['state'] = 'fresh'
  const tick = () => {
    const claims = session.tokens?.accessToken?.claims
    if (!claims) return
    const clock = readClock(claims, session.settings, session.now())
    root.dataset['state'] = clock.state
    root.dataset['soon'] = String(clock.expiry.left < 60)
    dial.show(clock)
    valid.show(clock.expiry.left > 0 ? `for ${toClockTime(clock.expiry.left)}` : 'expired', clock.expiry)
    fresh.show(freshText(clock, claims), clock.freshness)
    if (announced !== clock.state) write(announce, ANNOUNCEMENTS[clock.state])
    announced = clock.state
  }
  session.watch(tick)
  setInterval(tick, 250)
}

function createDial() {
  const valid = arc('arc-valid', 42)
  const fresh = arc('arc-fresh', 33)
  const word = element('span', { class: 'dial-word' })
  const picture = drawing('svg', { viewBox: '0 0 100 100', 'aria-hidden': true, focusable: 'false' })
  picture.append(track(42), track(33), valid, fresh)
  return {
    root: element('div', { class: 'dial' }, picture, word),
    show(clock: Clock) {
      write(word, WORDS[clock.state])
      valid.setAttribute('stroke-dashoffset', offsetOf(clock.expiry))
      fresh.setAttribute('stroke-dashoffset', offsetOf(clock.freshness))
    },
  }
}

function createLine(label: string, kind: string) {
  const text = element('span', { class: 'line-time' })
  const bar = element('span', { class: 'bar' })
  return {
    root: element('p', { class: `line ${kind}`, role: 'timer' }, element('span', {}, label), ' ', text, bar),
    show(words: string, span: Span) {
      write(text, words)
      bar.style.setProperty('--part', partOf(span).toFixed(3))
    },
  }
}

function freshText(clock: Clock, claims: Json): string {
  if (clock.freshness.left > 0) return `for ${toClockTime(clock.freshness.left)}`
  return claims['fresh'] === true ? 'no longer' : 'no'
}

function freshUntil(claims: Json, window: number): number | undefined {
  const fresh = claims['fresh']
  if (typeof fresh === 'number') return fresh
  const since = numberOf(claims['auth_time']) ?? numberOf(claims['iat'])
  return fresh === true && since !== undefined ? since + window : undefined
}

function track(radius: number): SVGCircleElement {
  return drawing('circle', { class: 'track', cx: 50, cy: 50, r: radius })
}

function arc(kind: string, radius: number): SVGCircleElement {
  const turned = 'rotate(-90 50 50)'
  return drawing('circle', {
    class: `arc ${kind}`,
    cx: 50,
    cy: 50,
    r: radius,
    pathLength: 100,
    transform: turned,
  })
}

function offsetOf(span: Span): string {
  return (100 - 100 * partOf(span)).toFixed(2)
}

function partOf(span: Span): number {
  return Math.min(1, span.left / span.total)
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}
