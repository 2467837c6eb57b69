/*
 * Decodes a token for display: its readable segments and its claims. It does not verify the
 * signature, because a browser must not have the key. RFC 7515 section 3.1 (compact
 * serialization), RFC 7519 section 4.1 and OpenID Connect (claims).
 */

import type { Json } from './api.ts'

export interface DecodedToken {
  /** Header and claims in base64url. */
  readonly segments: readonly [string, string]
  readonly header: Json
  readonly claims: Json
}

const TIMES = new Set(['iat', 'exp', 'nbf', 'auth_time'])

/** Decodes the two readable parts of a token. Undefined if they are not valid. */
export function decodeUnverified(header: string, claims: string): DecodedToken | undefined {
  try {
    return { segments: [header, claims], header: parse(header), claims: parse(claims) }
  } catch {
    return undefined
  }
}

/** The value of a claim as text. A time is the local time of the reader. */
export function describe(name: string, value: unknown): string {
  if (TIMES.has(name) && typeof value === 'number') return toLocalTime(value)
  if (Array.isArray(value)) return value.join(', ')
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** The first and last six characters: enough to tell tokens apart, too little to use one. */
export function shorten(token: string): string {
  return token.length > 16 ? `${token.slice(0, 6)}…${token.slice(-6)}` : '…'
}

function toLocalTime(epoch: number): string {
  return new Date(epoch * 1000).toLocaleTimeString(undefined, { timeStyle: 'medium' })
}

function parse(segment: string): Json {
  const binary = atob(segment.replaceAll('-', '+').replaceAll('_', '/'))
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0))
  const value: unknown = JSON.parse(new TextDecoder().decode(bytes))
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new TypeError('Expected an object')
  return value as Json
}
