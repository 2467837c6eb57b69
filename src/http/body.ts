/**
 * The one reader of request bodies: JSON and forms, limited in size while they stream in. Two
 * callers want different things. A route of ours reads a body that is meant for it: what is wrong
 * with that is `request_invalid`, with the reason. A guard only looks for a token in passing: a
 * body that cannot hold one holds none, and goes on to its handler. What the members mean is for
 * the callers to say (RFC 9110 section 8, RFC 8259, the URL standard's
 * `application/x-www-form-urlencoded`).
 */

import { AuthError } from '../errors.ts'
import { fromUtf8 } from '../internal/bytes.ts'
import { isRecord } from '../internal/configuration-error.ts'

/** The largest body that is read, in bytes: 16 KiB. */
export const BODY_LIMIT: number = 16_384

/** The largest body of a guarded route that is searched for a token, in bytes: 1 MiB. */
export const TOKEN_BODY_LIMIT: number = 1_048_576

/**
 * How much of an unread body is still taken off the wire, in bytes, so that its connection can be
 * used again.
 */
export const DRAIN_LIMIT: number = 1_048_576

/** What is wrong with bodies, wherever they are read. */
export const TOO_LARGE: string = 'Request body is too large'
/** The body broke off. */
export const UNREADABLE: string = 'Request body could not be read'

/** Methods whose requests have no body in the fetch standard, nor by RFC 6750 section 2.2. */
export const BODILESS_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD'])

/** The media types that are read, and how. */
const PARSERS: ReadonlyMap<string, (text: string) => unknown> = new Map([
  ['application/json', parseJson],
  ['application/x-www-form-urlencoded', parseForm],
])

/** The headers that say what a body is. */
export interface BodyHeaders {
  /** `Content-Type`. */
  readonly type: string | undefined
  /** `Content-Encoding`. */
  readonly encoding: string | undefined
  /** `Content-Length`. */
  readonly length: string | undefined
}

/**
 * Reads the headers that say what a body is. @param header returns a header by its name in lower
 * case
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
 * Whether a body may hold a token: JSON or a form that is not compressed and announces no more than
 * the limit. Asked before anything touches the body: once its stream exists, some servers can only
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
 * @throws {AuthError} request_invalid for JSON that does not parse or is no object
 */
export function parseBody(
  contentType: string | undefined,
  text: string,
): Record<string, unknown> | undefined {
  const value = parseText(contentType, text)
  if (value === undefined) return undefined
  return isRecord(value) ? toMembers(Object.entries(value)) : rejectBody('Request body is not a JSON object')
}

/**
 * What a body says, for a guard that looks for a token in it: any JSON value, or form fields.
 *
 * @param contentType the `Content-Type` header
 * @param raw the bytes, or what another parser has left of them: text, or its own value, which is
 *   returned
 * @returns undefined when there is no body or it is of another media type
 * @throws {AuthError} request_invalid for JSON that does not parse, and for bytes that are no UTF-8
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
    // The parser's own message quotes the body, which may hold a password: it is no cause to keep.
    return rejectBody('Request body is not valid JSON')
  }
}

/**
 * Parses form fields; a field that comes several times, such as a group of check boxes, is a list.
 */
function parseForm(text: string): Record<string, unknown> {
  const fields = new Map<string, string | string[]>()
  for (const [name, value] of new URLSearchParams(text)) {
    const before = fields.get(name)
    if (Array.isArray(before)) before.push(value)
    else fields.set(name, before === undefined ? value : [before, value])
  }
  return toMembers([...fields])
}

/**
 * Collects members where `__proto__` is no setter, and leaves that name out for those who copy them
 * elsewhere.
 */
function toMembers(entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  const members: Record<string, unknown> = Object.create(null)
  for (const [name, value] of entries) if (name !== '__proto__') members[name] = value
  return members
}

/**
 * Reads and parses the body of a request, and thereby uses it up. A body of another media type is
 * not touched.
 *
 * @param limit the largest size in bytes
 * @returns the members, or undefined when there is no body or it is of another media type
 * @throws {AuthError} request_invalid when it was read before, breaks off, is too large,
 *   compressed, no UTF-8, does not parse, or is a multipart form
 */
export async function readBody(
  request: Request,
  limit: number = BODY_LIMIT,
): Promise<Record<string, unknown> | undefined> {
  const headers = readBodyHeaders((name) => request.headers.get(name) ?? undefined)
  const mediaType = toMediaType(headers.type)
  if (mediaType === 'multipart/form-data')
    rejectBody('multipart/form-data is not read: send application/json or application/x-www-form-urlencoded')
  if (!PARSERS.has(mediaType)) return undefined
  if (isEncoded(headers.encoding)) rejectBody('A compressed request body is not read')
  if (Number(headers.length ?? 0) > limit) rejectBody(TOO_LARGE)
  // Not before this line: the mere getter makes a stream, and one that nobody reads holds up its
  // connection.
  const { body } = request
  if (body === null) return undefined
  // A used body never yields another chunk on some platforms: waiting for it would hang.
  if (request.bodyUsed || body.locked) rejectBody('Request body has been read before')
  return parseBody(headers.type, decode(await readBytes(body, limit)))
}

/**
 * What a copy of the body of a request says, for a guard; the request is left unread for whoever
 * comes next.
 *
 * @param limit the largest size in bytes
 * @returns undefined for a body that cannot hold a token, or that can be read no more
 * @throws {AuthError} request_invalid as `parseRaw` does, and for a body that breaks off or turns
 *   out to be too large
 */
export async function peekBody(request: Request, limit: number = TOKEN_BODY_LIMIT): Promise<unknown> {
  const headers = readBodyHeaders((name) => request.headers.get(name) ?? undefined)
  // Asked before the copy is made: the copy of an upload would fill the memory.
  if (!isSearchable(headers, limit) || request.bodyUsed || request.body === null || request.body.locked)
    return undefined
  const { body } = request.clone()
  return body === null ? undefined : parseRaw(headers.type, await readBytes(body, limit))
}

/** Collects a stream's bytes, and lets go of it as soon as they are too many. */
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
  // Not awaited: a client that is slow to send must not hold up the response.
  discard(reader).catch(() => undefined)
  return rejectBody(TOO_LARGE)
}

/** Reads on and forgets, up to a limit; then lets go of the stream. */
async function discard(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  let size = 0
  for (let chunk = await reader.read(); !chunk.done && size <= DRAIN_LIMIT; chunk = await reader.read()) {
    size += chunk.value.byteLength
  }
  await reader.cancel()
}

/**
 * Ends the reading.
 *
 * @throws {AuthError} request_invalid, always
 */
export function rejectBody(message: string, cause?: unknown): never {
  throw new AuthError('request_invalid', { message, cause })
}
