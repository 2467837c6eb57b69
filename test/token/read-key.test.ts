/** Keys as people have them: files, environment variables and clipboards spoil them in the same few ways. */
import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { fromBase64Url } from '../../src/internal/bytes.ts'
import type { AlgorithmName } from '../../src/token/algorithms.ts'
import type { Key } from '../../src/token/import-keys.ts'
import { prepareVerifyJws } from '../../src/token/jws.ts'
import { createKeyRing } from '../../src/token/key-ring.ts'
import { complaintOf, NOW } from './forge.ts'
import { prepareSignNow } from './sign-now.ts'

const EC = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ED = generateKeyPairSync('ed25519')
const PKCS8 = EC.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
const SEC1 = EC.privateKey.export({ type: 'sec1', format: 'pem' }) as string
const PKCS1 = RSA.privateKey.export({ type: 'pkcs1', format: 'pem' }) as string
const SPKI = EC.publicKey.export({ type: 'spki', format: 'pem' }) as string
const PARAMETERS = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n'
const JWK = JSON.stringify(EC.privateKey.export({ format: 'jwk' }))
const [PASSPHRASE, CIPHER] = ['correct horse', 'aes-256-cbc']
const ENCRYPTED = EC.privateKey.export({
  type: 'pkcs8',
  format: 'pem',
  cipher: CIPHER,
  passphrase: PASSPHRASE,
}) as string
const ENCRYPTED_SEC1 = EC.privateKey.export({
  type: 'sec1',
  format: 'pem',
  cipher: CIPHER,
  passphrase: PASSPHRASE,
}) as string

/** A certificate of an RSA key made for these tests, self-signed. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIDETCCAfmgAwIBAgIUK91VMRtB+SzmXAQ48jzf4QR+Q8QwDQYJKoZIhvcNAQEL
BQAwFzEVMBMGA1UEAwwMZXhhbXBsZS50ZXN0MCAXDTI2MTEyOTAxMzYwNloYDzIx
MjYxMTA1MDEzNjA2WjAXMRUwEwYDVQQDDAxleGFtcGxlLnRlc3QwggEiMA0GCSqG
SIb3DQEBAQUAA4IBDwAwggEKAoIBAQDhPZ8WRRiZDE40c/vpPTkT4DqsZnnj0zdL
9OxkPH6uradNmR/IpuRIoZMkXzAM+xaX0C4jwAoYCuC7DDsDdmqvRn6g+b8Z9a7h
fSs3+q71e1xRjApOJyosIsKib//HlSUqkY787MMKrecVSAxwrwqWJT3gWEg8w/NG
1XVr4bdvcd0F1F9ZpD4VSvIorU+hmsyTcn/qU40Hu+LnvW6UXO0vqZh+cbblLX0e
Dcf5P8qLhAYf7nUz9OFsQFSTutzLKXBWOZd3+WkSr5BOWNvrabw53Z3dsjGLclvg
9JXhWnXE4lh0x9XysBK/xrqOL6dPW4YoT95cr4/PoCVwChG6G7o/AgMBAAGjUzBR
MB0GA1UdDgQWBBS1bUrjkM2Xxb8LpGMtzvNfZaPo2zAfBgNVHSMEGDAWgBS1bUrj
kM2Xxb8LpGMtzvNfZaPo2zAPBgNVHRMBAf8EBTADAQH/MA0GCSqGSIb3DQEBCwUA
A4IBAQCki7CW9gxsqxAor4UWdqTheqmYuXGM97GyeB7qnmzNpWfPDBitNKNLAN6B
xh0Bb7cdF1M+IFdk74M29nOTkajw/S7c4gv/EGfODm0UY6TQ21yu7XFtUniAJJVC
nwxrpF49ayRk9KWPTyk6LFm5A4ebPuRX/P4af5JPR5IREerVR2I/vydDNX3NomGB
yY/vjuYBRfXI++So6oopSF1fhm1q7GunsPCXiTUWwEGlp+9+lLMLEci2V2/GXyqZ
m0SORuDq7IbKlvkf+I/ACaSZXCONrD5cQpBEy9QP0Jf+5qYRGWHIK9CCR3N89xtz
CQSvlSj1+HvhWonnRykSZhthJUK5
-----END CERTIFICATE-----
`

/** Whether a private key signs what its ring verifies. */
function signs(key: unknown, alg: AlgorithmName, passphrase?: string): boolean {
  const given = { alg, key, ...(passphrase !== undefined && { passphrase }) } as Key
  const ring = createKeyRing({ signing: given })
  const token = prepareSignNow(ring, {})('payload')
  const verify = prepareVerifyJws(ring, { tokenLength: 8192 }, fromBase64Url)
  return verify(token, NOW).payload.toString() === 'payload'
}

const oneLine = (pem: string): string => pem.trim().replaceAll('\n', '\\n')

describe('a private key is read', () => {
  it.each<readonly [string, unknown, AlgorithmName]>([
    ['as PKCS#8', PKCS8, 'ES256'],
    ['as SEC1', SEC1, 'ES256'],
    ['as PKCS#1', PKCS1, 'RS256'],
    ['as SEC1 behind its parameters', PARAMETERS + SEC1, 'ES256'],
    ['behind the text that OpenSSL prints', `Bag Attributes\n    friendlyName: x\n${PKCS8}`, 'ES256'],
    ['with \\n for its line breaks', oneLine(PKCS8), 'ES256'],
    ['with \\r\\n for its line breaks', PKCS8.trim().replaceAll('\n', '\\r\\n'), 'ES256'],
    ['with CRLF', PKCS8.replaceAll('\n', '\r\n'), 'ES256'],
    ['with CR only', PKCS8.replaceAll('\n', '\r'), 'ES256'],
    ['with blanks for its line breaks', PKCS8.replaceAll('\n', ' '), 'ES256'],
    ['without line breaks', PKCS8.replaceAll('\n', ''), 'ES256'],
    ['in double quotes', `"${oneLine(PKCS8)}"`, 'ES256'],
    ['in single quotes', `'${PKCS8.trim()}'`, 'ES256'],
    ['indented', PKCS8.replaceAll(/^/gm, '    '), 'ES256'],
    ['with a dash lost', PKCS8.slice(1), 'ES256'],
    ['behind a byte order mark', `\ufeff${PKCS8}`, 'ES256'],
    ['with blanks around it', `\n\n  ${PKCS8}\n  `, 'ES256'],
    ['as the base64 of its PEM', Buffer.from(PKCS8).toString('base64'), 'ES256'],
    ['as the base64url of its PEM', Buffer.from(PKCS8).toString('base64url'), 'ES256'],
    ['as the bytes of a file', Buffer.from(PKCS8), 'ES256'],
    ['as the JSON text of a JWK', JWK, 'ES256'],
    ['as the base64 of a JWK', Buffer.from(JWK).toString('base64'), 'ES256'],
    [
      'as a JWK with more members',
      { ...JSON.parse(JWK), x5c: ['MII'], x5t: 'x', ext: true, n: 'AQAB', nbf: 5 },
      'ES256',
    ],
    ['with its certificate behind it', PKCS1 + CERTIFICATE, 'RS256'],
  ])('%s', (_, key, alg) => {
    expect(signs(key, alg)).toBe(true)
  })

  it.each([
    ['PKCS#8', ENCRYPTED],
    ['the traditional form', ENCRYPTED_SEC1],
    ['the traditional form on one line', oneLine(ENCRYPTED_SEC1)],
    ['the traditional form without line breaks', ENCRYPTED_SEC1.replaceAll('\n', ' ')],
  ])('encrypted, with its passphrase: %s', (_, key) => {
    expect(signs(key, 'ES256', PASSPHRASE)).toBe(true)
  })

  it('from the JSON text of a JWK that says its algorithm', () => {
    const ring = createKeyRing({ signing: JSON.stringify({ ...JSON.parse(JWK), alg: 'ES256' }) as never })
    expect(ring.signer?.alg).toBe('ES256')
  })
})

describe('a public key is read', () => {
  const kid = createKeyRing({ verifying: [{ alg: 'ES256', key: SPKI }] }).keys[0]?.kid
  it.each<readonly [string, unknown]>([
    ['on one line', oneLine(SPKI)],
    ['without line breaks', SPKI.replaceAll('\n', '')],
    ['as the JSON text of a JWK', JSON.stringify(EC.publicKey.export({ format: 'jwk' }))],
    ['from a private key', PKCS8],
    ['from an encrypted private key', createPublicKey(EC.privateKey as never)],
  ])('%s', (_, key) => {
    expect(createKeyRing({ verifying: [{ alg: 'ES256', key: key as string }] }).keys[0]?.kid).toBe(kid)
  })

  it('from a certificate, on one line too', () => {
    const { publicKey } = new X509Certificate(CERTIFICATE)
    const wanted = createKeyRing({ verifying: [{ alg: 'RS256', key: publicKey }] }).keys[0]?.kid
    for (const key of [CERTIFICATE, oneLine(CERTIFICATE), CERTIFICATE + CERTIFICATE]) {
      expect(createKeyRing({ verifying: [{ alg: 'RS256', key }] }).keys[0]?.kid).toBe(wanted)
    }
  })
})

describe('what cannot be read is told in words', () => {
  const der = EC.publicKey.export({ type: 'spki', format: 'der' })
  it.each<readonly [string, object, RegExp]>([
    [
      'a public key to sign with',
      { signing: { alg: 'ES256', key: SPKI } },
      /`signing` to be a private key or a secret, got a public key/,
    ],
    [
      'a certificate to sign with',
      { signing: { alg: 'RS256', key: CERTIFICATE } },
      /to be a private key or a secret, got a public key/,
    ],
    [
      'an encrypted key without passphrase',
      { signing: { alg: 'ES256', key: ENCRYPTED } },
      /without encryption, or with its `passphrase` beside it/,
    ],
    [
      'an encrypted key of the traditional form',
      { signing: { alg: 'ES256', key: ENCRYPTED_SEC1 } },
      /with its `passphrase` beside it/,
    ],
    [
      'a wrong passphrase',
      { signing: { alg: 'ES256', key: ENCRYPTED, passphrase: 'wrong' } },
      /that `passphrase` decrypts/,
    ],
    [
      'the first line of a key',
      { signing: { alg: 'ES256', key: '-----BEGIN PRIVATE KEY-----' } },
      /BEGIN line without its END line: is the value cut off/,
    ],
    [
      'a key without its BEGIN and END lines',
      { verifying: [{ alg: 'ES256', key: der.toString('base64') }] },
      /with its BEGIN and END lines, which this text lacks/,
    ],
    ['DER', { verifying: [{ alg: 'ES256', key: der }] }, /DER: import it with crypto\.createPublicKey/],
    [
      'an OpenSSH public key',
      { verifying: [{ alg: 'RS256', key: `ssh-rsa ${'A'.repeat(80)}` }] },
      /OpenSSH public key; convert it with: ssh-keygen -e/,
    ],
    [
      'an OpenSSH private key',
      {
        signing: {
          alg: 'EdDSA',
          key: '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----',
        },
      },
      /OpenSSH private key; convert it with: ssh-keygen -p/,
    ],
    [
      'a certificate request',
      {
        verifying: [
          { alg: 'RS256', key: '-----BEGIN CERTIFICATE REQUEST-----\nAA\n-----END CERTIFICATE REQUEST-----' },
        ],
      },
      /certificate request: give the certificate/,
    ],
    [
      'JSON that is cut off',
      { signing: { alg: 'ES256', key: JWK.slice(0, -5) } },
      /text in braces that is not JSON/,
    ],
    ['a key set', { verifying: [{ alg: 'ES256', key: { keys: [] } }] }, /a key set: give one of its keys/],
    ['a key set at the place of a key', { signing: { keys: [] } }, /a key set: give one of its keys/],
    [
      'PEM at the place of a key',
      { signing: PKCS8 },
      /got a string of \d+ characters; give \{ alg: 'ES256', key \} for PEM/,
    ],
    [
      'a JWK without alg',
      { verifying: [JSON.parse(JWK)] },
      /`verifying\[0\]\.alg` to be one of .*for a JWK without `alg` give \{ alg, key: jwk \}/,
    ],
    [
      'one JWK of a set without alg',
      {
        verifying: [
          { ...JSON.parse(JWK), alg: 'ES256', kid: 'a' },
          { ...JSON.parse(JWK), kid: 'Kd-7_b' },
        ],
      },
      /`verifying\[1\]\.alg` .*for a JWK without `alg` \(kid Kd-7_b\) give \{ alg, key: jwk \}/,
    ],
    [
      'one with a kid that is long or has blanks',
      { verifying: [{ ...JSON.parse(JWK), kid: 'a b' }] },
      /for a JWK without `alg` give/,
    ],
    [
      'an RSA key without its primes',
      { signing: { ...RSA.privateKey.export({ format: 'jwk' }), alg: 'RS256', p: undefined } },
      /`signing\.p` to be the first prime/,
    ],
    [
      'an RSASSA-PSS key in PEM for PKCS#1 v1.5',
      {
        signing: {
          alg: 'RS256',
          key: generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey.export({
            type: 'pkcs8',
            format: 'pem',
          }),
        },
      },
      /for PS256, PS384 or PS512, got an RSASSA-PSS key/,
    ],
    ['an Ed25519 key for ES256', { signing: { alg: 'ES256', key: ED.privateKey } }, /to be 'EC' for ES256/],
  ])('%s', async (_, options, message) => {
    expect(await complaintOf(() => createKeyRing(options))).toMatch(message)
  })
})
