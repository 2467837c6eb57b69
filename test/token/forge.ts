/**
 * Tokens made by hand, so that what the verifier is given does not come from the code under test: any header, any payload,
 * signed by `node:crypto` directly. And the clock and secret that the tests share.
 */
import { createHmac, randomUUID } from 'node:crypto'
import { type Auth, createAuth } from '../../src/auth/create-auth.ts'
import type { AuthOptions } from '../../src/auth/options.ts'

/** A secret for tests: 48 bytes, random once. */
export const SECRET = 'l6EYb5xmRl9Zr1U5oAaN8QJH2dQwXkE3sVtCzqP0Wn4gK7iM'

/** The moment at which the tests begin, in epoch seconds. */
export const NOW = 1_800_000_000

/** A clock that a test can set and move. */
export interface Hand {
  (): number
  now: number
}

/** Makes a clock that stands still until it is moved. */
export function stoppedClock(now: number = NOW): Hand {
  const hand = Object.assign(() => hand.now, { now })
  return hand
}

/** An application with the tests' secret and a stopped clock. */
export function setUp<O extends AuthOptions>(options?: O): { auth: Auth; clock: Hand } {
  const clock = stoppedClock()
  return { auth: createAuth({ secret: SECRET, clock, ...(options as AuthOptions | undefined) }), clock }
}

/** Base64url of bytes, of text or of a JSON value. */
export function encode(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64url')
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
}

/** The claims of a sound access token, with changes; a member that is undefined is left out. */
export function claimsOf(changes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const sound = { sub: 'user-1', jti: randomUUID(), type: 'access', fresh: false, iat: NOW, exp: NOW + 900 }
  return { ...sound, ...changes }
}

/** What may be said of a forged token. */
export interface Forgery {
  /** The header, as an object or as raw JSON text. */
  readonly header?: unknown
  /** The secret. */
  readonly secret?: string | Uint8Array
}

/** Signs any payload with HS256, whatever it is; text and bytes are taken as they are. */
export function forge(payload: unknown, { header, secret = SECRET }: Forgery = {}): string {
  const input = `${encode(header ?? { alg: 'HS256', typ: 'at+jwt' })}.${encode(payload)}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

/** What a call throws or rejects with; undefined when it does not. */
export async function errorOf(act: () => unknown): Promise<unknown> {
  try {
    await act()
  } catch (error) {
    return error
  }
  return undefined
}

/** The code of the `AuthError` that a call ends with; `'accepted'` when it ends well. */
export async function codeOf(act: () => unknown): Promise<string> {
  const error = await errorOf(act)
  if (error === undefined) return 'accepted'
  return (error as { code?: string }).code ?? `no AuthError: ${String(error)}`
}

/** The name and message of what a call throws or rejects with; `'accepted'` when it ends well. */
export async function complaintOf(act: () => unknown): Promise<string> {
  const error = await errorOf(act)
  return error === undefined ? 'accepted' : String(error)
}

/** The JSON of a token's payload, read without verifying. */
export function read(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'))
}
