/*
 * Decodes a token for display: its three segments, its claims, and what each claim means in plain
 * words. It does not verify the signature, because a browser must not have the key. RFC 7515
 * section 3.1 (compact serialization), RFC 7519 section 4.1 and OpenID Connect (claims).
 */

import type { Json } from './api.ts'

export interface DecodedToken {
  /** Header, claims and signature in base64url. */
  readonly segments: readonly [string, string, string]
  readonly header: Json
  readonly claims: Json
}

const TIMES = new Set(['iat', 'exp', 'nbf', 'auth_time'])

/** What the known header fields and claims mean, in the order in which the page shows them. */
const MEANING: Readonly<Record<string, string>> = {
  alg: 'The algorithm of the signature. The server only accepts the algorithm of its key.',
  typ: 'The kind of token. One kind cannot be used as another.',
  kid: 'The key that signed it. So the server can change keys while tokens are still valid.',
  sub: 'Subject: the user that the token belongs to.',
  type: 'Routes accept an access token. A refresh token only gets new access tokens.',
  fresh: 'True after the password was checked. A refresh never gives a fresh token.',
  auth_time: 'When the password was last checked. Freshness counts from then.',
  scopes: 'What the user may do in addition.',
  iat: 'Issued at.',
  nbf: 'Not valid before.',
  exp: 'Expires at. After that, the server refuses it, with a few seconds of tolerance.',
  sid: 'The session of the token. Each sign-in starts one. When it ends, its tokens stop working.',
  gen: 'The generation of a refresh token. It helps to tell a retry from a theft.',
  jti: 'The ID of this token, for revoking it.',
  csrf: 'Must match the CSRF cookie if tokens are in cookies. This page does not use it.',
  amr: 'How the user signed in, for example with a password.',
  acr: 'How strong that sign-in was.',
  iss: 'Issuer: who made it.',
  aud: 'Audience: who may accept it.',
  login_type: 'The realm in which it is valid.',
}
const ORDER = Object.keys(MEANING)

/** Decodes a token without verifying it. Undefined if it does not have three valid segments. */
export function decodeUnverified(token: string): DecodedToken | undefined {
  const [header, claims, signature, more] = token.split('.')
  if (!header || !claims || signature === undefined || more !== undefined) return undefined
  try {
    return { segments: [header, claims, signature], header: parse(header), claims: parse(claims) }
  } catch {
    return undefined
  }
}

/** The entries of a header or of claims, the most interesting first. */
export function entriesOf(part: Json): readonly (readonly [string, unknown])[] {
  const rank = (name: string) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length)
  return Object.entries(part).sort(([a], [b]) => rank(a) - rank(b))
}

/** What a header field or claim means, in one or two sentences. */
export function explain(name: string): string {
  return MEANING[name] ?? 'A claim that the application added.'
}

/** The value of a claim as text. A time also gets the local time of the reader. */
export function describe(name: string, value: unknown): { readonly text: string; readonly time?: string } {
  if (TIMES.has(name) && typeof value === 'number') return { text: String(value), time: toLocalTime(value) }
  if (typeof value === 'string') return { text: value }
  return { text: JSON.stringify(value) }
}

/** What a signature with `alg` is, in plain words. */
export function explainSignature(alg: unknown): string {
  const name = typeof alg === 'string' ? alg : 'an unknown algorithm'
  const key = name.startsWith('HS') ? 'secret' : 'private key'
  return `The server signed the two parts above with ${name} and its ${key}. If one character changes, it refuses the token.`
}

/** The first and last six characters: enough to tell tokens apart, too little to use one. */
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
