/**
 * The one reader of request bodies: JSON and forms, limited in size while they stream in. Its two
 * callers want different things. A route of ours reads its own body: a fault in it is
 * `request_invalid`, with the reason. A guard only looks for a token: it leaves a body that cannot
 * hold one to the handler. The callers decide what the members mean (RFC 9110 section 8, RFC 8259,
 * the URL standard's `application/x-www-form-urlencoded`).
 */

import { AuthError } from '../errors.ts'
import { fromUtf8 } from '../internal/bytes.ts'
import { isRecord } from '../internal/configuration-error.ts'
import { requireRequest } from './require-request.ts'

/** The largest body that is read, in bytes: 16 KiB. */
export const BODY_LIMIT: number = 16_384

/** The largest body of a guarded route that is searched for a token, in bytes: 1 MiB. */
export const TOKEN_BODY_LIMIT: number = 1_048_576

/**
 * How much of an unread body is received and discarded, in bytes, so that its connection can be
 * used again.
 */
export const DRAIN_LIMIT: number = 1_048_576

/** The message for a body over its limit. */
export const TOO_LARGE: string = 'Request body is too large'
/** The message for a body that breaks off. */
export const UNREADABLE: string = 'Request body could not be read'

/** Methods whose requests have no body in the fetch standard, or by RFC 6750 section 2.2. */
export const BODILESS_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD'])

/** The media types that are read, and how. */
const PARSERS: ReadonlyMap<string, (text: string) => unknown> = new Map([
  ['application/json', parseJson],
  ['application/x-www-form-urlencoded', parseForm],
])

/** The headers that describe a body. */
export interface BodyHeaders {
  /** `Content-Type`. */
  readonly type: string | undefined
  /** `Content-Encoding`. */
  readonly encoding: string | undefined
  /** `Content-Length`. */
  readonly length: string | undefined
}

/**
 * Reads the headers that describe a body.
 *
 * @param header returns a header by its name in lower case
 */
export function readBodyHeaders(header: (name: string) => string | undefined): BodyHeaders {
  return {
    type: header('content-type'),
    encoding: header('content-encoding'),
    length: header('content-length'),
  }
}

/** The media type in lower case, without its parameters. */
export function toMediaType(contentType: string | undefined): string {
  const [mediaType = ''] = (contentType ?? '').split(';', 1)
  return mediaType.trim().toLowerCase()
}

/**
 * Whether a body may hold a token: JSON or a form, not compressed, and not larger than the limit by
 * its headers. Check this before you touch the body: once its stream exists, some servers can only
 * drop the connection.
 *
 * @param limit the largest size in bytes
 */
export function isSearchable({ type, encoding, length }: BodyHeaders, limit: number): boolean {
  return PARSERS.has(toMediaType(type)) && !isEncoded(encoding) && Number(length ?? 0) <= limit
}

function isEncoded(encoding: string | undefined): boolean {
  return encoding !== undefined && !['', 'identity'].includes(encoding.trim().toLowerCase())
}

/**
 * Parses a body of JSON or of form fields, for a route of ours.
 *
 * @param contentType the `Content-Type` header
 * @param text the body; an empty one is no body
 * @returns the members, or undefined when there is no body or it is of another media type
 * @throws {AuthError} request_invalid for JSON that does not parse or is not an object, and for an
 *   object that is sent as a form
 */
export function parseBody(
  contentType: string | undefined,
  text: string,
): Record<string, unknown> | undefined {
  const value = parseText(contentType, text)
  if (value === undefined) return undefined
  // curl says so where no one names the type: the user would read of a wrong password.
  if (toMediaType(contentType) !== 'application/json' && isJsonObject(text))
    rejectBody('Request body is JSON: send it as application/json')
  return isRecord(value) ? toMembers(Object.entries(value)) : rejectBody('Request body is not a JSON object')
}

/**
 * Parses a body for a guard that looks for a token in it.
 *
 * @param contentType the `Content-Type` header
 * @param raw the bytes, or what another parser has made of them: text, or its own value, which is
 *   returned
 * @returns any JSON value, or form fields; undefined without a body or for another media type
 * @throws {AuthError} request_invalid for JSON that does not parse, and for invalid UTF-8
 */
export function parseRaw(contentType: string | undefined, raw: unknown): unknown {
  if (ArrayBuffer.isView(raw)) return parseText(contentType, decode(raw))
  return typeof raw === 'string' ? parseText(contentType, raw) : raw
}

function parseText(contentType: string | undefined, text: string): unknown {
  const parse = PARSERS.get(toMediaType(contentType))
  // Windows tools begin a text with a byte order mark, which RFC 8259 section 8.1 lets parsers
  // ignore.
  const bare = text.startsWith('\ufeff') ? text.slice(1) : text
  return parse === undefined || bare === '' ? undefined : parse(bare)
}

function decode({ buffer, byteOffset, byteLength }: ArrayBufferView): string {
  return fromUtf8(new Uint8Array(buffer, byteOffset, byteLength)) ?? rejectBody('Request body is not UTF-8')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // No `cause`: the parser's own message quotes the body, which may hold a password.
    return rejectBody('Request body is not valid JSON')
  }
}

function isJsonObject(text: string): boolean {
  if (!text.trimStart().startsWith('{')) return false
  try {
    return isRecord(JSON.parse(text))
  } catch {
    return false
  }
}

/** Parses form fields. A field that comes several times, such as a check box group, is a list. */
function parseForm(text: string): Record<string, unknown> {
  const fields = new Map<string, string | string[]>()
  for (const [name, value] of new URLSearchParams(text)) {
    const before = fields.get(name)
    if (Array.isArray(before)) before.push(value)
    else fields.set(name, before === undefined ? value : [before, value])
  }
  return toMembers([...fields])
}

/** Collects members in an object without prototype. Drops `__proto__`, for whoever copies it. */
function toMembers(entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  const members: Record<string, unknown> = Object.create(null)
  for (const [name, value] of entries) if (name !== '__proto__') members[name] = value
  return members
}

/**
 * Reads and parses the body of a request, which can then not be read again. A body of another media
 * type stays unread.
 *
 * @param limit the largest size in bytes
 * @returns the members, or undefined when there is no body or it is of another media type
 * @throws {AuthError} request_invalid when the body was read before, breaks off, is too large,
 *   compressed or not UTF-8, does not parse, or is a multipart form
 */
export async function readBody(
  request: Request,
  limit: number = BODY_LIMIT,
): Promise<Record<string, unknown> | undefined> {
  requireRequest(request)
  const headers = readBodyHeaders((name) => request.headers.get(name) ?? undefined)
  const mediaType = toMediaType(headers.type)
  if (mediaType === 'multipart/form-data')
    rejectBody('multipart/form-data is not read: send application/json or application/x-www-form-urlencoded')
  if (!PARSERS.has(mediaType)) return undefined
  if (isEncoded(headers.encoding)) rejectBody('A compressed request body is not read')
  if (Number(headers.length ?? 0) > limit) rejectBody(TOO_LARGE)
  // Not before this line: the getter creates a stream, and an unread stream blocks its connection.
  const body = openBody(request)
  if (body === null) return undefined
  if (body === undefined) return rejectBody('Request body has been read before')
  return parseBody(headers.type, decode(await readBytes(body, limit)))
}

/**
 * Reads a copy of a request's body for a guard. The handler can still read the request.
 *
 * @param limit the largest size in bytes
 * @returns undefined for a body that cannot hold a token, or that was read before
 * @throws {AuthError} request_invalid as `parseRaw` does, and for a body that breaks off or turns
 *   out to be too large
 */
export async function peekBody(request: Request, limit: number = TOKEN_BODY_LIMIT): Promise<unknown> {
  const headers = readBodyHeaders((name) => request.headers.get(name) ?? undefined)
  // Checked before the copy is made: the copy of an upload would fill the memory.
  const body = isSearchable(headers, limit) ? copyBody(request) : null
  return body === null ? undefined : parseRaw(headers.type, await readBytes(body, limit))
}

/**
 * The body of a request: null for none, undefined for one that was read before. A used body never
 * yields another chunk on some platforms: waiting for it would hang. Others have read it behind the
 * request and throw.
 */
function openBody(request: Request): ReadableStream<Uint8Array> | null | undefined {
  try {
    if (request.bodyUsed) return undefined
    const { body } = request
    return body?.locked === true ? undefined : body
  } catch {
    return undefined
  }
}

/** A copy of the body of a request; null for none, and for one that was read before. */
function copyBody(request: Request): ReadableStream<Uint8Array> | null {
  try {
    return openBody(request) ? request.clone().body : null
  } catch {
    return null
  }
}

/** Collects a stream's bytes. Stops as soon as they are too many. */
async function readBytes(body: ReadableStream<Uint8Array>, limit: number): Promise<Uint8Array> {
  const reader = body.getReader()
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      size += chunk.value.byteLength
      if (size > limit) break
      chunks.push(chunk.value)
    }
  } catch (cause) {
    return rejectBody(UNREADABLE, cause)
  }
  if (size <= limit) return Buffer.concat(chunks, size)
  // Not awaited: a client that sends slowly must not delay the response.
  discard(reader).catch(() => undefined)
  return rejectBody(TOO_LARGE)
}

/** Reads and discards the rest of a body, up to a limit; then cancels the stream. */
async function discard(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  let size = 0
  for (let chunk = await reader.read(); !chunk.done && size <= DRAIN_LIMIT; chunk = await reader.read()) {
    size += chunk.value.byteLength
  }
  await reader.cancel()
}

/** Refuses a body. @throws {AuthError} request_invalid, always */
export function rejectBody(message: string, cause?: unknown): never {
  throw new AuthError('request_invalid', { message, cause })
}
