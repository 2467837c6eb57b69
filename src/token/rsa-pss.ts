/**
 * RSASSA-PSS keys (RFC 4055): an RSA key whose container says that it is for PSS only, and perhaps
 * with which hash and how long a salt. JSON Web Keys know no such type (RFC 7518 section 6.3), so
 * the RSA key is taken out of its container, after its parameters were checked against those of the
 * algorithm (RFC 7518 section 3.5): its hash, for the mask too, and a salt as long as that.
 */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import type { Algorithm } from './algorithms.ts'

/** The hash of each algorithm, and its bytes: the length of the salt. */
const HASHES: Readonly<Record<string, { readonly hash: string; readonly bytes: number }>> = {
  PS256: { hash: 'sha256', bytes: 32 },
  PS384: { hash: 'sha384', bytes: 48 },
  PS512: { hash: 'sha512', bytes: 64 },
}

/**
 * Why an RSASSA-PSS key is not for an algorithm; undefined where it is. A key without parameters is
 * for every hash.
 */
export function findPssMisfit(key: KeyObject, { name }: Algorithm): string | undefined {
  const wanted = HASHES[name]
  if (wanted === undefined) return 'for PS256, PS384 or PS512, got an RSASSA-PSS key'
  const { hashAlgorithm, mgf1HashAlgorithm, saltLength = 0 } = key.asymmetricKeyDetails ?? {}
  const hashes = [hashAlgorithm, mgf1HashAlgorithm].filter((hash) => hash !== undefined)
  const other = hashes.find((hash) => hash !== wanted.hash)
  if (other !== undefined)
    return `for ${wanted.hash}, got an RSASSA-PSS key whose parameters allow ${other} only`
  return saltLength > wanted.bytes
    ? `with a salt of ${wanted.bytes} bytes, got an RSASSA-PSS key whose parameters ask for ${saltLength}`
    : undefined
}

/** The tags of DER that the key is inside: OCTET STRING for PKCS#8, BIT STRING for SPKI. */
const OCTET_STRING = 0x04
const BIT_STRING = 0x03

/** The RSA key inside an RSASSA-PSS key. */
export function toPlainRsa(key: KeyObject): KeyObject {
  if (key.type === 'private') {
    const inner = findInner(key.export({ type: 'pkcs8', format: 'der' }), OCTET_STRING)
    return createPrivateKey({ key: inner, type: 'pkcs1', format: 'der' })
  }
  // A BIT STRING begins with the number of its unused bits.
  const inner = findInner(key.export({ type: 'spki', format: 'der' }), BIT_STRING).subarray(1)
  return createPublicKey({ key: inner, type: 'pkcs1', format: 'der' })
}

/** The content of the first member with a tag, in the sequence that the platform has written. */
function findInner(der: Buffer, tag: number): Buffer {
  for (let at = readElement(der, 0).start; at < der.length; ) {
    const { start, end } = readElement(der, at)
    if (der[at] === tag) return der.subarray(start, end)
    at = end
  }
  return Buffer.alloc(0)
}

/** Where the content of an element of DER begins and ends. */
function readElement(der: Buffer, at: number): { readonly start: number; readonly end: number } {
  const first = der[at + 1] ?? 0
  const size = first < 0x80 ? 0 : first & 0x7f
  const start = at + 2 + size
  return { start, end: start + (size === 0 ? first : der.readUIntBE(at + 2, size)) }
}
