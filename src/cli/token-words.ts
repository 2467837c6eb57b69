/** What a token says, in words. Its signature and its CSRF value are not told. */
import { isRecord } from '../internal/configuration-error.ts'
import { isReservedClaim } from '../token/claim-shapes.ts'
import type { UnverifiedPayload } from '../token/jws.ts'
import { toIso } from '../token/key-rotation.ts'
import { toPrintable } from './terminal.ts'

/** The claims that are moments. */
const MOMENTS: Readonly<Record<string, string>> = {
  iat: 'issued',
  nbf: 'good from',
  exp: 'ends',
  auth_time: 'authenticated',
}

/** The other claims that are told, by what they are called. */
const TOLD: Readonly<Record<string, string>> = {
  sub: 'subject',
  type: 'type',
  sid: 'session',
  jti: 'identifier',
  iss: 'issuer',
  aud: 'audience',
  login_type: 'realm',
  client_id: 'client',
  scopes: 'scopes',
  scope: 'scopes',
  amr: 'proved by',
  acr: 'class',
}

/** The lines about a token. @param now epoch seconds */
export function describeToken({ header, payload }: UnverifiedPayload, now: number): string[] {
  const rows: [string, string][] = []
  for (const [name, label] of Object.entries(TOLD))
    if (payload[name] !== undefined) rows.push([label, toText(payload[name])])
  for (const [name, label] of Object.entries(MOMENTS))
    if (payload[name] !== undefined) rows.push([label, toMoment(payload[name], now)])
  rows.push(['fresh', describeFreshness(payload['fresh'], now)])
  rows.push(['algorithm', toText(header['alg'] ?? 'none')])
  rows.push(['key', toText(header['kid'] ?? 'none is named')])
  const others = listOthers(payload)
  if (others.length > 0) rows.push(['other claims', toText(others)])
  const width = Math.max(...rows.map(([label]) => label.length)) + 2
  return rows.map(([label, text]) => label.padEnd(width) + toPrintable(text))
}

/** A token as JSON: the claims of the library, the names of others. */
export function toPlainToken({ header, payload }: UnverifiedPayload): object {
  const { csrf: _, ...told } = payload
  const claims = Object.fromEntries(Object.entries(told).filter(([name]) => isReservedClaim(name)))
  return {
    header: { alg: header['alg'], kid: header['kid'], typ: header['typ'] },
    claims,
    others: listOthers(payload),
  }
}

function listOthers(payload: UnverifiedPayload['payload']): string[] {
  return Object.keys(payload).filter((name) => !isReservedClaim(name))
}

function toText(value: unknown): string {
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return value.map(toText).join(', ') || 'none'
  return isRecord(value) ? 'an object' : String(value)
}

/** The last moment that has a text, in epoch seconds. */
const LAST_MOMENT = 253_402_300_799

function toMoment(value: unknown, now: number): string {
  if (typeof value !== 'number' || !(value >= 0 && value <= LAST_MOMENT)) return 'not a moment'
  return `${toIso(value)}, ${toRelative(value - now)}`
}

function describeFreshness(fresh: unknown, now: number): string {
  if (typeof fresh !== 'number') return fresh === true ? 'yes' : 'no'
  return fresh > now ? `until ${toMoment(fresh, now)}` : `no more: until ${toMoment(fresh, now)}`
}

/** The units of a length, from the longest, with their seconds. */
const UNITS = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
] as const

/** How far off a moment is, such as `5 minutes ago` or `in 20 days`. @param seconds from now */
export function toRelative(seconds: number): string {
  const length = Math.abs(seconds)
  const [name, size] = UNITS.find(([, most]) => length >= 2 * most) ?? ['second', 1]
  const count = Math.round(length / size)
  const text = `${count} ${name}${count === 1 ? '' : 's'}`
  return seconds < 0 ? `${text} ago` : `in ${text}`
}
