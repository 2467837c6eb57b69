/**
 * Signs with a private key that is elsewhere: in a key management service, a hardware module, an
 * agent. This process has its public half, which verifies every signature before a token with it
 * leaves, so that a service that signs something else is found at its first token.
 */
import type { KeyObject } from 'node:crypto'
import type { Awaitable } from '../internal/awaitable.ts'
import { ConfigurationError, describeType } from '../internal/configuration-error.ts'
import { toOutage } from '../internal/outage.ts'
import { withDeadline } from '../internal/with-deadline.ts'
import type { Algorithm } from './algorithms.ts'

/**
 * Signs the signing input: the bytes themselves, not their hash. It returns, or resolves to, the
 * signature: of ECDSA as r and s of fixed length (RFC 7518 section 3.4) or as DER, which most
 * services return and which is converted.
 */
export type RemoteSign = (input: Uint8Array) => Awaitable<Uint8Array>

/** A key that signs elsewhere, prepared for `prepareRemoteSign`. */
export interface RemoteKey {
  /** Its name. */
  readonly kid: string
  /** The algorithm that it is for. */
  readonly algorithm: Algorithm
  /** Its public half. */
  readonly key: KeyObject
  /** Signs. */
  readonly sign: RemoteSign
}

/** How long a signature may take, in seconds. */
const DEADLINE = 5

/** The bytes of r and of s, by the curve. */
const COORDINATE_BYTES: Readonly<Record<string, number>> = { 'P-256': 32, 'P-384': 48, 'P-521': 66 }

/**
 * Prepares a key that signs elsewhere.
 *
 * @returns a function that resolves to the signature in base64url; it rejects with
 *   `store_unavailable` when none came within 5 s, and with a `ConfigurationError` for one that the
 *   public key does not verify
 */
export function prepareRemoteSign({
  kid,
  algorithm,
  key,
  sign,
}: RemoteKey): (input: string) => Promise<string> {
  const verify = algorithm.prepareVerify(key)
  const size = COORDINATE_BYTES[algorithm.crv ?? '']
  return async (input) => {
    const bytes = await callSign(sign, input)
    if (!(bytes instanceof Uint8Array))
      throw new ConfigurationError(`Expected \`sign\` to return bytes, got ${describeType(bytes)}`)
    const raw = size === undefined || bytes.length === 2 * size ? bytes : toFixedLength(bytes, size)
    const text = raw === undefined ? '' : Buffer.from(raw).toString('base64url')
    if (raw !== undefined && verify(input, text)) return text
    throw new ConfigurationError(
      `Expected \`sign\` of the key ${kid} to return a signature with ${algorithm.name} that its \`publicKey\` verifies: is it another key, or is the input hashed twice?`,
    )
  }
}

async function callSign(sign: RemoteSign, input: string): Promise<unknown> {
  try {
    return await withDeadline('sign', DEADLINE, () => sign(Buffer.from(input, 'latin1')))
  } catch (error) {
    throw toOutage(error, 'The signature could not be made')
  }
}

/**
 * Converts a signature of ECDSA from DER, a sequence of two integers, to two numbers of fixed
 * length.
 *
 * @param size the bytes of each
 * @returns undefined for anything else
 */
export function toFixedLength(der: Uint8Array, size: number): Uint8Array | undefined {
  // The length of a signature with P-521 is over 127, so it takes a byte of its own.
  const start = der[1] === 0x81 ? 3 : 2
  if (der[0] !== 0x30 || der[start - 1] !== der.length - start) return undefined
  const r = readInteger(der, start)
  const s = r && readInteger(der, r.end)
  if (r === undefined || s === undefined || s.end !== der.length) return undefined
  if (r.bytes.length > size || s.bytes.length > size) return undefined
  const fixed = new Uint8Array(2 * size)
  fixed.set(r.bytes, size - r.bytes.length)
  fixed.set(s.bytes, 2 * size - s.bytes.length)
  return fixed
}

/** Reads a positive integer of DER, without the zero that keeps it positive. */
function readInteger(
  der: Uint8Array,
  at: number,
): { readonly bytes: Uint8Array; readonly end: number } | undefined {
  const length = der[at + 1] ?? 0
  const end = at + 2 + length
  if (der[at] !== 0x02 || length === 0 || end > der.length) return undefined
  return { bytes: der.subarray(der[at + 2] === 0 ? at + 3 : at + 2, end), end }
}
