/**
 * The one reader of request bodies: JSON and forms, limited in size while they stream in, as a bag without prototype.
 * Whatever is wrong with a body is `request_invalid`. What the members mean is for the doors to say, and a body of
 * another media type is left unread for whoever it is meant for (RFC 9110 section 8.3, RFC 8259, the URL standard's
 * `application/x-www-form-urlencoded`).
 */

import { AuthError } from '../errors.ts'
import { fromUtf8 } from '../internal/bytes.ts'
import { isRecord } from '../internal/configuration-error.ts'

/** The largest body that is read, in bytes: 16 KiB. */
export const BODY_LIMIT: number = 16_384

/** The largest body of a guarded route that is searched for a token, in bytes: 1 MiB. */
export const TOKEN_BODY_LIMIT: number = 1_048_576

/** What is wrong with bodies, wherever they are read. */
export const TOO_LARGE: string = 'Request body is too large'
/** The body was used up by somebody else. */
export const READ_BEFORE: string = 'Request body has been read before'
/** The body broke off. */
export const UNREADABLE: string = 'Request body could not be read'

/** The media types that are read, and how. */
const PARSERS: ReadonlyMap<string, (text: string) => Record<string, unknown>> = new Map([
  ['application/json', parseJson],
  ['application/x-www-form-urlencoded', parseForm],
])

/** The parser for a `Content-Type`, whatever its parameters and its case. */
function findParser(
  contentType: string | undefined,
): ((text: string) => Record<string, unknown>) | undefined {
  const [mediaType = ''] = (contentType ?? '').split(';', 1)
  return PARSERS.get(mediaType.trim().toLowerCase())
}

/**
 * Parses a body of JSON or of form fields.
 *
 * @param contentType the `Content-Type` header
 * @param text the body; an empty one is no body
 * @returns the members, or undefined when there is no body or it is of another media type
 * @throws {AuthError} request_invalid for JSON that does not parse or is no object, and for a form field that comes twice
 */
export function parseBody(
  contentType: string | undefined,
  text: string,
): Record<string, unknown> | undefined {
  const parse = findParser(contentType)
  return parse === undefined || text === '' ? undefined : parse(text)
}

/**
 * Parses the bytes of a body of JSON or of form fields.
 *
 * @param contentType the `Content-Type` header
 * @param bytes the body; an empty one is no body
 * @returns the members, or undefined when there is no body or it is of another media type
 * @throws {AuthError} request_invalid as `parseBody` does, and for bytes that are no UTF-8
 */
export function parseBytes(
  contentType: string | undefined,
  bytes: Uint8Array,
): Record<string, unknown> | undefined {
  const text = fromUtf8(bytes)
  return text === undefined ? rejectBody('Request body is not UTF-8') : parseBody(contentType, text)
}

/**
 * The members of what another parser has made of a body; undefined for nothing at all.
 *
 * @param contentType the `Content-Type` header, for bodies that the other parser left as bytes or as text
 * @throws {AuthError} request_invalid as `parseBytes` does, and for a value that is no object
 */
export function toBodyMembers(
  contentType: string | undefined,
  parsed: unknown,
): Record<string, unknown> | undefined {
  if (parsed instanceof Uint8Array) return parseBytes(contentType, parsed)
  if (typeof parsed === 'string') return parseBody(contentType, parsed)
  return isRecord(parsed)
    ? toMembers(Object.entries(parsed))
    : rejectBody('Request body is not a JSON object')
}

/** Parses a JSON object. */
function parseJson(text: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The parser's own message quotes the body, which may hold a password: it is no cause to keep.
    return rejectBody('Request body is not valid JSON')
  }
  return isRecord(value) ? toMembers(Object.entries(value)) : rejectBody('Request body is not a JSON object')
}

/** Parses form fields. */
function parseForm(text: string): Record<string, unknown> {
  const fields = [...new URLSearchParams(text)]
  if (new Set(fields.map(([name]) => name)).size < fields.length) rejectBody('A form field came twice')
  return toMembers(fields)
}

/** Collects members where `__proto__` is no setter, and leaves that name out for those who copy them elsewhere. */
function toMembers(entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  const members: Record<string, unknown> = Object.create(null)
  for (const [name, value] of entries) if (name !== '__proto__') members[name] = value
  return members
}

/**
 * Reads and parses the body of a request, and thereby uses it up. A body of another media type is not touched.
 *
 * @param limit the largest size in bytes
 * @returns the members, or undefined when there is no body or it is of another media type
 * @throws {AuthError} request_invalid when it was read before, breaks off, is too large, no UTF-8, or does not parse
 */
export async function readBody(
  request: Request,
  limit: number = BODY_LIMIT,
): Promise<Record<string, unknown> | undefined> {
  if (!isReadable(request, limit) || request.body === null) return undefined
  const bytes = await readBytes(request.body, limit)
  return parseBytes(request.headers.get('content-type') ?? undefined, bytes)
}

/**
 * Reads and parses a copy of the body of a request, which is left unread for whoever comes next.
 *
 * @param limit the largest size in bytes
 * @returns the members, or undefined when there is no body or it is of another media type
 * @throws {AuthError} request_invalid as `readBody` does
 */
export async function peekBody(
  request: Request,
  limit: number = BODY_LIMIT,
): Promise<Record<string, unknown> | undefined> {
  // Asked before the copy is made: copying a used body throws, and the copy of an upload would fill the memory.
  return isReadable(request, limit) ? readBody(request.clone(), limit) : undefined
}

/**
 * Whether a request announces a body that is read here. Asked before anything touches the body: once its stream exists,
 * some servers can only drop the connection.
 *
 * @param limit the largest size in bytes
 * @throws {AuthError} request_invalid when the announced size is larger
 */
export function isAnnounced(
  contentType: string | undefined,
  contentLength: string | undefined,
  limit: number,
): boolean {
  if (findParser(contentType) === undefined) return false
  return Number(contentLength ?? 0) > limit ? rejectBody(TOO_LARGE) : true
}

/** Whether there is a body of ours to read; refuses one that can be read no more, or announces that it is too large. */
function isReadable(request: Request, limit: number): boolean {
  const { headers } = request
  const contentType = headers.get('content-type') ?? undefined
  if (!isAnnounced(contentType, headers.get('content-length') ?? undefined, limit)) return false
  // Not before this line: the mere getter makes a stream, and one that nobody reads holds up its connection.
  const { body } = request
  if (body === null) return false
  // A used body never yields another chunk on some platforms: waiting for it would hang.
  if (request.bodyUsed || body.locked) rejectBody(READ_BEFORE)
  return true
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
  // Not awaited: a client that is slow to send must not hold up the answer.
  drain(reader, DRAIN_LIMIT).catch(() => undefined)
  return rejectBody(TOO_LARGE)
}

/** How much of a body that is too large is still taken off the wire, in bytes, so that its connection can be used again. */
export const DRAIN_LIMIT: number = 1_048_576

/** Reads on and forgets, up to a limit; then lets go of the stream. */
async function drain(reader: ReadableStreamDefaultReader<Uint8Array>, limit: number): Promise<void> {
  let size = 0
  for (let chunk = await reader.read(); !chunk.done && size <= limit; chunk = await reader.read()) {
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
