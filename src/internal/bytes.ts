/**
 * Bytes and their spellings: canonical base64url (RFC 7515 section 2, RFC 4648 section 5) and
 * UTF-8. "Canonical" means that one byte string has one spelling: no padding, no `+` or `/`, no
 * white space, unused bits zero. Nothing here knows what the bytes mean.
 */
import { isUtf8 } from 'node:buffer'
import { randomFillSync, timingSafeEqual } from 'node:crypto'

/** Whether a value is bytes: a `Uint8Array` or a `Buffer`, also one of another realm. */
export function isBytes(value: unknown): value is Uint8Array {
  return Object.prototype.toString.call(value) === '[object Uint8Array]'
}

/**
 * Decodes canonical base64url.
 *
 * @returns the bytes, or undefined when the text is not the one canonical spelling of any byte
 *   string
 */
export function fromBase64Url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : undefined
}

/** Space to decode a token of the default length limit. Longer texts take the slower path. */
const scratch = Buffer.alloc(8192)
const encoder = new TextEncoder()

/**
 * Decodes canonical base64url of UTF-8: `fromBase64Url`, then `fromUtf8`, without a `Buffer` for
 * every text.
 *
 * @returns the text, or undefined when the spelling is not canonical or the bytes are not UTF-8
 */
export function decodeText(encoded: string): string | undefined {
  if (encoded.length > scratch.length) {
    const bytes = fromBase64Url(encoded)
    return bytes && fromUtf8(bytes)
  }
  const end = scratch.write(encoded, 'base64url')
  if (scratch.toString('base64url', 0, end) !== encoded) return undefined
  const text = scratch.toString('utf8', 0, end)
  // Decoding puts U+FFFD where the bytes are not UTF-8, so only a text with one is checked again.
  return text.includes('\ufffd') && !isUtf8(scratch.subarray(0, end)) ? undefined : text
}

/** Encodes a text as UTF-8 in base64url without padding. */
export function encodeText(text: string): string {
  return text.length * 3 > scratch.length
    ? Buffer.from(text, 'utf8').toString('base64url')
    : scratch.toString('base64url', 0, encoder.encodeInto(text, scratch).written)
}

/**
 * Copies an ASCII text that may be a slice of another. V8 compares slices more slowly, and a slice
 * keeps the whole text alive.
 */
export function flatten(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

/**
 * Decodes UTF-8 and refuses invalid bytes, which `TextDecoder` and `toString` silently replace by
 * U+FFFD.
 *
 * @returns the text, or undefined for invalid UTF-8
 */
export function fromUtf8(bytes: Uint8Array): string | undefined {
  return isUtf8(bytes)
    ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
    : undefined
}

const ID_BYTES = 16

/**
 * Random bytes of identifiers to come: one draw for many costs a tenth, as `randomUUID` knows too.
 * Nothing is drawn before the first identifier is asked for.
 */
const pool = Buffer.alloc(64 * ID_BYTES)
let drawn = pool.length

/** A random identifier of 128 bits, 22 characters of base64url. */
export function randomId(): string {
  if (drawn === pool.length) {
    randomFillSync(pool)
    drawn = 0
  }
  const id = pool.toString('base64url', drawn, drawn + ID_BYTES)
  // No identifier stays in memory for longer than its user keeps it.
  pool.fill(0, drawn, drawn + ID_BYTES)
  drawn += ID_BYTES
  return id
}

/** Compares two short texts in a time that depends only on their lengths. */
export function equalInConstantTime(a: string, b: string): boolean {
  const left = Buffer.from(a, 'utf8')
  const right = Buffer.from(b, 'utf8')
  return left.length === right.length && timingSafeEqual(left, right)
}
