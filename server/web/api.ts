/*
 * One request to the server and its answer as plain data: never throws, a failed network is an
 * answer too (status 0, code `unreachable`). Tokens travel in the Authorization header only and
 * cookies are left out, so what this page holds in memory is all there is. Reads the challenge of
 * RFC 6750 section 3 and RFC 9470 out of `WWW-Authenticate`.
 */

export type Json = Readonly<Record<string, unknown>>

export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  /** Sent as `Authorization: Bearer <token>`. */
  readonly token?: string | undefined
  readonly body?: Json | undefined
}

export interface Challenge {
  readonly scheme: string
  readonly parameters: Readonly<Record<string, string>>
}

export interface Answer {
  readonly ok: boolean
  /** The HTTP status; 0 when the server could not be reached. */
  readonly status: number
  /** The error's `code`, `unreachable` without an answer, undefined when all is well. */
  readonly code: string | undefined
  readonly message: string
  readonly challenge: Challenge | undefined
  /** Seconds to wait, where the server says so (429, 503). */
  readonly retryAfter: number | undefined
  /** The JSON object of the answer; empty when there is none. */
  readonly body: Json
  /** How long it took, in seconds. */
  readonly took: number
}

const PATIENCE = 15_000

/** A call that was made, and its answer. */
export interface Exchange {
  readonly call: Call
  readonly answer: Answer
  /** Why the call was made, when no one pressed a button for it. */
  readonly note: string | undefined
}

/** A request as it was answered. */
export interface Observed {
  readonly answer: Answer
  /** The response, its body not yet read; undefined without an answer. */
  readonly response: Response | undefined
  /** Why there was no answer. */
  readonly cause: unknown
}

/** Sends one call and waits for its answer, 15 seconds at most. */
export async function send(call: Call): Promise<Answer> {
  const request = new Request(call.path, {
    method: call.method,
    headers: headersOf(call),
    body: call.body ? JSON.stringify(call.body) : null,
    credentials: 'omit',
    cache: 'no-store',
    redirect: 'error',
    signal: AbortSignal.timeout(PATIENCE),
  })
  return (await observe(request)).answer
}

/** Sends a request of somebody else's and looks at the answer on its way back. */
export async function observe(request: Request): Promise<Observed> {
  const began = performance.now()
  const took = () => (performance.now() - began) / 1000
  try {
    const response = await fetch(request)
    const answer = toAnswer(response, await readJson(response.clone()), took())
    return { answer, response, cause: undefined }
  } catch (cause) {
    const late = cause instanceof DOMException && cause.name === 'TimeoutError'
    return { answer: unreachable(late, took()), response: undefined, cause }
  }
}

/** Reads the first challenge of a `WWW-Authenticate` header; undefined when there is none. */
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

function toAnswer(response: Response, body: Json, took: number): Answer {
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

function unreachable(late: boolean, took: number): Answer {
  const message = late ? 'The server did not answer in time' : 'The server could not be reached'
  return {
    ok: false,
    status: 0,
    code: 'unreachable',
    message,
    challenge: undefined,
    retryAfter: undefined,
    body: {},
    took,
  }
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
