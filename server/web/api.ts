/*
 * Sends one request and returns its result as plain data. It never throws: a network failure is a
 * result with status 0 and code `unreachable`. `send` sends its token in the Authorization header
 * and no cookies. It parses the challenge of RFC 6750 section 3 and RFC 9470 in `WWW-Authenticate`.
 */

import { BASE } from './base.ts'

export type Json = Readonly<Record<string, unknown>>

export interface Call {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** The path, without the base of the page's routes. */
  readonly path: string
  /** Sent as `Authorization: Bearer <token>`. */
  readonly token?: string | undefined
  /** Sent as `X-CSRF-Token`. */
  readonly csrf?: string | undefined
  readonly body?: Json | undefined
}

export interface Challenge {
  readonly scheme: string
  readonly parameters: Readonly<Record<string, string>>
}

export interface Result {
  readonly ok: boolean
  /** The HTTP status; 0 when the server could not be reached. */
  readonly status: number
  /** The `code` of the error; `unreachable` without a response; undefined on success. */
  readonly code: string | undefined
  readonly message: string
  readonly challenge: Challenge | undefined
  /** Seconds to wait, if the server says so (429, 503). */
  readonly retryAfter: number | undefined
  /** The JSON object in the response body, or an empty object. */
  readonly body: Json
  /** How long it took, in seconds. */
  readonly took: number
}

/** The result where the server has not responded. */
export const NO_RESULT: Result = {
  ok: false,
  status: 0,
  code: 'unreachable',
  message: 'No response',
  challenge: undefined,
  retryAfter: undefined,
  body: {},
  took: 0,
}

/** In milliseconds. */
const TIMEOUT = 15_000

/** A call and its result. */
export interface Exchange {
  readonly call: Call
  readonly result: Result
  /** Why the call was sent, if no user asked for it. */
  readonly note: string | undefined
}

/** A sent request. */
export interface Observed {
  readonly result: Result
  /** The response with an unread body. Undefined without a response. */
  readonly response: Response | undefined
  /** Why there is no response. */
  readonly cause: unknown
}

/** Sends one call and waits for its result, at most 15 seconds. */
export async function send(call: Call): Promise<Result> {
  const request = new Request(BASE + call.path, {
    method: call.method,
    headers: headersOf(call),
    body: call.body ? JSON.stringify(call.body) : null,
    credentials: 'omit',
    cache: 'no-store',
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT),
  })
  return (await observe(request)).result
}

/** Sends a request for the client, and returns its result beside the response. */
export async function observe(request: Request): Promise<Observed> {
  const began = performance.now()
  const took = () => (performance.now() - began) / 1000
  try {
    const response = await fetch(request)
    const result = toResult(response, await readJson(response.clone()), took())
    return { result, response, cause: undefined }
  } catch (cause) {
    const late = cause instanceof DOMException && cause.name === 'TimeoutError'
    return { result: unreachable(late, took()), response: undefined, cause }
  }
}

/** Parses the first challenge of a `WWW-Authenticate` header. Undefined without one. */
export function parseChallenge(header: string | null): Challenge | undefined {
  const [, scheme, rest] = /^\s*([\w-]+)\s*(.*)$/s.exec(header ?? '') ?? []
  if (!scheme) return undefined
  const parameters: Record<string, string> = {}
  for (const [, name, quoted, bare] of (rest ?? '').matchAll(
    /([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/g,
  )) {
    if (name) parameters[name] = quoted?.replace(/\\(.)/g, '$1') ?? bare ?? ''
  }
  return { scheme, parameters }
}

function headersOf(call: Call): Record<string, string> {
  return {
    accept: 'application/json',
    ...(call.token && { authorization: `Bearer ${call.token}` }),
    ...(call.body && { 'content-type': 'application/json' }),
  }
}

function toResult(response: Response, body: Json, took: number): Result {
  return {
    ok: response.ok,
    status: response.status,
    code: response.ok ? undefined : (textOf(body['code']) ?? `http_${response.status}`),
    message: textOf(body['message']) ?? (response.ok ? 'Done' : response.statusText || 'Refused'),
    challenge: parseChallenge(response.headers.get('www-authenticate')),
    retryAfter: secondsOf(response.headers.get('retry-after')) ?? secondsOf(body['retry_after']),
    body,
    took,
  }
}

function unreachable(late: boolean, took: number): Result {
  const message = late ? 'The server did not respond in time' : 'The server could not be reached'
  return { ...NO_RESULT, message, took }
}

async function readJson(response: Response): Promise<Json> {
  const text = await response.text()
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : { value }
  } catch {
    return {}
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function secondsOf(value: unknown): number | undefined {
  const seconds = typeof value === 'string' && value !== '' ? Number(value) : value
  return typeof seconds === 'number' && Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined
}
