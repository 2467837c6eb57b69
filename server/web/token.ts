/*
 * A token as something to look at: its three segments, its claims, and what each claim says in
 * plain words. Reads only. The signature is not checked here and cannot be: a browser has no
 * business with the key. RFC 7515 section 3.1 (compact form), RFC 7519 section 4.1 and OpenID
 * Connect (claims).
 */

import type { Json } from './api.ts'

export interface DecodedToken {
  /** Header, claims, signature as they travel: base64url. */
  readonly segments: readonly [string, string, string]
  readonly header: Json
  readonly claims: Json
}

const TIMES = new Set(['iat', 'exp', 'nbf', 'auth_time'])

/** What every known header field and claim is for, in the order in which the page shows them. */
const MEANING: Readonly<Record<string, string>> = {
  alg: 'The algorithm of the signature. The server binds it to the key, so it is never taken on trust.',
  typ: 'What kind of token this is, so that one kind cannot pass for another.',
  kid: 'Which of the server’s keys signed it. This is how keys can be changed while tokens live.',
  sub: 'Subject: on whose behalf the token speaks.',
  type: 'An access token opens routes. A refresh token does one thing: get the next access token.',
  fresh: 'True straight after a password was checked. A refresh never makes a fresh token.',
  auth_time: 'When the password was last checked. Freshness is counted from here.',
  scopes: 'What it may do, beyond being signed in.',
  iat: 'Issued at.',
  nbf: 'Not valid before.',
  exp: 'Expires at. From then on it is refused, give or take a few seconds of leeway.',
  sid: 'The session it belongs to: one per sign-in. End the session and its tokens die.',
  gen: 'The generation of a refresh token: it tells a retry from a theft.',
  jti: 'This one token’s own number, for revoking it.',
  csrf: 'Matches the CSRF cookie when tokens travel by cookie. Not used in this page.',
  amr: 'How the user proved who they are.',
  acr: 'How strong that proof was.',
  iss: 'Issuer: who made it.',
  aud: 'Audience: for whom it was made.',
  login_type: 'The realm that it is good for.',
}
const ORDER = Object.keys(MEANING)

/** Reads a token without verifying it; undefined when it is not three segments of JSON. */
export function decodeUnverified(token: string): DecodedToken | undefined {
  const [header, claims, signature, more] = token.split('.')
  if (!header || !claims || signature === undefined || more !== undefined) return undefined
  try {
    return { segments: [header, claims, signature], header: parse(header), claims: parse(claims) }
  } catch {
    return undefined
  }
}

/** The entries of a header or claim set in the order in which a person would ask for them. */
export function entriesOf(part: Json): readonly (readonly [string, unknown])[] {
  const rank = (name: string) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length)
  return Object.entries(part).sort(([a], [b]) => rank(a) - rank(b))
}

/** What a header field or claim means, in one or two sentences. */
export function explain(name: string): string {
  return MEANING[name] ?? 'A claim of the application’s own.'
}

/** A claim's value as text: times also as this reader's local time. */
export function describe(name: string, value: unknown): { readonly text: string; readonly time?: string } {
  if (TIMES.has(name) && typeof value === 'number') return { text: String(value), time: toLocalTime(value) }
  if (typeof value === 'string') return { text: value }
  return { text: JSON.stringify(value) }
}

/** What a signature by `alg` is, in one sentence. */
export function explainSignature(alg: unknown): string {
  const name = typeof alg === 'string' ? alg : 'an unnamed algorithm'
  const keyed = name.startsWith('HS') ? 'with the server’s secret' : 'with the server’s private key'
  return `Made over the two parts above by ${name} ${keyed}. Change one character and the server refuses the token.`
}

/** The first and last six characters: enough to tell tokens apart, useless to anyone else. */
export function shorten(token: string): string {
  return token.length > 16 ? `${token.slice(0, 6)}…${token.slice(-6)}` : '…'
}

function toLocalTime(epoch: number): string {
  return new Date(epoch * 1000).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' })
}

function parse(segment: string): Json {
  const binary = atob(segment.replaceAll('-', '+').replaceAll('_', '/'))
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0))
  const value: unknown = JSON.parse(new TextDecoder().decode(bytes))
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new TypeError('Expected an object')
  return value as Json
}
