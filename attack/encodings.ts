/**
 * The encodings of a public key: PEM, DER, JWK, SSH and a certificate. An attacker may have any of
 * them, and each can fool a verifier that takes the text of a key for an HMAC secret
 * (CVE-2015-9235, CVE-2022-29217). Node exports most of them. SSH text (RFC 4253 section 6.6) and a
 * self-signed certificate (RFC 5280) are built here.
 */
import { createHash, type JsonWebKey, type KeyObject, randomBytes, sign } from 'node:crypto'

/** One element of DER: tag, length, content. */
function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content)
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body])
  const hex = body.length.toString(16)
  const length = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, body])
}

/** The shortest two's complement form of a non-negative number. */
function toPositive(bytes: Uint8Array): Buffer {
  let start = 0
  while (start < bytes.length - 1 && bytes[start] === 0) start++
  const value = bytes.subarray(start)
  return Buffer.concat([(value[0] ?? 0) >= 0x80 ? Buffer.from([0]) : Buffer.alloc(0), value])
}

const derInteger = (bytes: Uint8Array) => der(0x02, toPositive(bytes))

/** A DER sequence of two integers: the usual form of an ECDSA signature outside JWS. */
export function derPair(first: Uint8Array, second: Uint8Array): Buffer {
  return der(0x30, derInteger(first), derInteger(second))
}

function toSsh(key: KeyObject): string {
  const jwk = key.export({ format: 'jwk' })
  const field = (bytes: Uint8Array) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.length)
    return Buffer.concat([length, bytes])
  }
  const member = (value: string | undefined) => Buffer.from(value ?? '', 'base64url')
  const fields: Readonly<Record<string, () => readonly [string, ...Buffer[]]>> = {
    RSA: () => ['ssh-rsa', field(toPositive(member(jwk.e))), field(toPositive(member(jwk.n)))],
    EC: () => {
      const curve = `nistp${jwk.crv?.slice(2)}`
      const point = Buffer.concat([Buffer.from([4]), member(jwk.x), member(jwk.y)])
      return [`ecdsa-sha2-${curve}`, field(Buffer.from(curve)), field(point)]
    },
    OKP: () => ['ssh-ed25519', field(member(jwk.x))],
  }
  const [name = '', ...rest] = fields[jwk.kty ?? '']?.() ?? []
  const blob = Buffer.concat([field(Buffer.from(String(name))), ...rest.filter(Buffer.isBuffer)])
  return `${name} ${blob.toString('base64')} auth@example`
}

/** Object identifiers in DER, by what they name. */
const OID = {
  commonName: '0603550403',
  RSA: '06092a864886f70d01010b',
  EC: '06082a8648ce3d040302',
  OKP: '06032b6570',
}

/** A self-signed X.509 certificate of a key, as PEM. */
function toCertificate(privateKey: KeyObject, publicKey: KeyObject): string {
  const kty = privateKey.export({ format: 'jwk' }).kty as 'RSA' | 'EC' | 'OKP'
  const algorithm = der(
    0x30,
    Buffer.from(OID[kty], 'hex'),
    kty === 'RSA' ? Buffer.from([5, 0]) : Buffer.alloc(0),
  )
  const attribute = der(0x30, Buffer.from(OID.commonName, 'hex'), der(0x0c, Buffer.from('auth.example')))
  const name = der(0x30, der(0x31, attribute))
  const validity = der(0x30, der(0x17, Buffer.from('200101000000Z')), der(0x17, Buffer.from('491231235959Z')))
  const info = publicKey.export({ type: 'spki', format: 'der' })
  const body = der(0x30, derInteger(randomBytes(8)), algorithm, name, validity, name, info)
  const signature = sign(kty === 'OKP' ? null : 'sha256', body, privateKey)
  const certificate = der(0x30, body, algorithm, der(0x03, Buffer.from([0]), signature))
  const lines = certificate.toString('base64').replace(/(.{64})/g, '$1\n')
  return `-----BEGIN CERTIFICATE-----\n${lines.trimEnd()}\n-----END CERTIFICATE-----\n`
}

/** The server's key pair. An attacker may know the public key. */
export interface KeyPair {
  readonly alg: string
  readonly kid: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

function toJwk({ publicKey, alg, kid }: KeyPair): JsonWebKey {
  return { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' }
}

const pem = ({ publicKey }: KeyPair) => publicKey.export({ type: 'spki', format: 'pem' }).toString()

/** A public key in each encoding that case files name. */
export const PUBLIC_FORMS: Readonly<Record<string, (pair: KeyPair) => Uint8Array | string>> = {
  server_public_pem: pem,
  server_public_pem_no_newline: (pair) => pem(pair).trimEnd(),
  server_public_pem_crlf: (pair) => pem(pair).replaceAll('\n', '\r\n'),
  server_public_pem_leading_space: (pair) => ` ${pem(pair)}`,
  server_public_pem_leading_newline: (pair) => `\n${pem(pair)}`,
  server_public_pem_leading_nul: (pair) => `\0${pem(pair)}`,
  server_public_pem_body: (pair) => pem(pair).replace(/-----[^-]+-----|\s/g, ''),
  server_public_spki_der: ({ publicKey }) => publicKey.export({ type: 'spki', format: 'der' }),
  server_public_pkcs1_der: ({ publicKey }) => publicKey.export({ type: 'pkcs1', format: 'der' }),
  server_public_pkcs1_pem: ({ publicKey }) => publicKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
  server_public_jwk_json: (pair) => JSON.stringify(toJwk(pair)),
  server_public_jwks_json: (pair) => JSON.stringify({ keys: [toJwk(pair)] }),
  server_public_jwk_array_json: (pair) => JSON.stringify([toJwk(pair)]),
  server_public_modulus: ({ publicKey }) =>
    Buffer.from(publicKey.export({ format: 'jwk' }).n ?? '', 'base64url'),
  server_public_ssh: ({ publicKey }) => toSsh(publicKey),
  server_cert_pem: ({ privateKey, publicKey }) => toCertificate(privateKey, publicKey),
  server_public_thumbprint: ({ publicKey }) => {
    const { e, kty, n } = publicKey.export({ format: 'jwk' })
    return createHash('sha256').update(JSON.stringify({ e, kty, n })).digest('base64url')
  },
}
