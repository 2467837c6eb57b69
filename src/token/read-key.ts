/**
 * Reads a key in the forms in which people have it: PEM, also as files and environment variables
 * damage it, JSON Web Keys as objects or text, bytes, `KeyObject`s. The algorithm is given with the
 * key and never guessed. An error never holds a part of the key, nor the platform's message, which
 * may quote it.
 */

import { createPrivateKey, createPublicKey, createSecretKey, KeyObject } from 'node:crypto'
import { ConfigurationError, describeType, isRecord } from '../internal/configuration-error.ts'
import { warn } from '../internal/warn.ts'
import type { Algorithm } from './algorithms.ts'
import { checkJwk, checkStrength, type Jwk } from './jwk.ts'
import { findPssMisfit, toPlainRsa } from './rsa-pss.ts'
import { checkSecret } from './secret.ts'

/** A key as the developer gives it. */
export interface GivenKey {
  /** The option as the developer writes it. */
  readonly at: string
  /** PEM text, a JWK, a `KeyObject`, or a secret's bytes or text. */
  readonly source: unknown
  /** The algorithm that it is for. */
  readonly algorithm: Algorithm
  /** Whether it is to sign. */
  readonly signs: boolean
  /** The passphrase of an encrypted PEM; undefined for none. */
  readonly passphrase: string | undefined
}

/**
 * Reads a key, and checks that it suits its algorithm and is strong enough.
 *
 * @throws {ConfigurationError} for a key that cannot be read, is of another kind, or is weak
 */
export function readKey(given: GivenKey): KeyObject {
  const { at, algorithm } = given
  const read = algorithm.kty === 'oct' ? readSecret(given) : readKeyPair(given)
  const key = read.asymmetricKeyType === 'rsa-pss' ? readPss(given, read) : read
  const isSecret = algorithm.kty === 'oct'
  if (isSecret !== (key.type === 'secret')) {
    const wanted = isSecret ? 'a secret' : 'a public or private key'
    throw new ConfigurationError(
      `Expected \`${at}\` to be ${wanted} for ${algorithm.name}, got a ${key.type} key`,
    )
  }
  if (isSecret) {
    checkSecret(at, key.export(), algorithm.name, algorithm.minBytes)
    checkBlanks(given)
  } else replaceErrors(given, () => checkStrength(at, key, algorithm))
  return key
}

/** Takes the RSA key out of an RSASSA-PSS key that is for the algorithm. */
function readPss(given: GivenKey, key: KeyObject): KeyObject {
  const misfit = findPssMisfit(key, given.algorithm)
  if (misfit !== undefined) throw toKeyError(given, misfit)
  return replaceErrors(given, () => toPlainRsa(key))
}

/**
 * Copies a key. On Node 20 a generated key shares a lock with its generator, and the garbage
 * collector takes that lock when it frees the generator. If this happens during an export as JWK,
 * the process hangs forever. The export as DER takes no lock.
 */
export function copyKey(key: KeyObject): KeyObject {
  if (key.type === 'secret') return key
  if (key.type === 'public')
    return createPublicKey({ key: key.export({ type: 'spki', format: 'der' }), type: 'spki', format: 'der' })
  return createPrivateKey({ key: key.export({ type: 'pkcs8', format: 'der' }), type: 'pkcs8', format: 'der' })
}

/** Reads the secret of an HMAC algorithm. Text is used as it is, in UTF-8. */
function readSecret(given: GivenKey): KeyObject {
  const { source } = given
  if (source instanceof KeyObject) return copyKey(source)
  if (typeof source === 'string') return createSecretKey(Buffer.from(source, 'utf8'))
  if (ArrayBuffer.isView(source)) return createSecretKey(toBytes(source))
  const jwk = toJwk(given, source)
  checkUse(given, jwk)
  if (typeof jwk.k !== 'string') throw toKeyError(given, 'with its secret in `k`')
  return createSecretKey(Buffer.from(jwk.k, 'base64url'))
}

/**
 * Refuses a secret with a line break at its end: it is another one than without. Two services that
 * read it from a file and from a variable would refuse each other's tokens. Bytes may be meant so.
 */
function checkBlanks({ at, source }: GivenKey): void {
  const message = `Expected \`${at}\` to have no blanks or line breaks around it, as the text of a file has: trim it; if they belong to the secret, give its bytes`
  if (typeof source === 'string' && source !== source.trim()) throw new ConfigurationError(message)
  if (ArrayBuffer.isView(source) && /^[\x21-\x7e]+\r?\n$/.test(toBytes(source).toString('latin1')))
    warn('TOKENWRIGHT_SECRET_LINE_BREAK', message)
}

/** Checks what a JWK says of its use. A private key verifies, too: by its public half. */
function checkUse({ at, algorithm, signs }: GivenKey, jwk: Jwk): void {
  checkJwk(at, jwk, algorithm, signs ? ['sign'] : jwk.d === undefined ? ['verify'] : ['verify', 'sign'])
}

/** Reads the public or private key of any other algorithm. */
function readKeyPair(given: GivenKey): KeyObject {
  const { source } = given
  if (source instanceof KeyObject) return replaceErrors(given, () => copyKey(source))
  const text = toText(source)
  const content = text === undefined ? source : readKeyText(given, text)
  if (typeof content === 'string') return importPem(given, content)
  const jwk = toJwk(given, content)
  checkUse(given, jwk)
  const input = { key: jwk, format: 'jwk' } as Parameters<typeof createPublicKey>[0]
  return replaceErrors(given, () =>
    jwk.d === undefined ? createPublicKey(input) : createPrivateKey(input as never),
  )
}

/** The text of a key that was read from a file, perhaps as bytes; undefined for anything else. */
function toText(source: unknown): string | undefined {
  if (typeof source === 'string') return source
  if (!ArrayBuffer.isView(source)) return undefined
  const text = toBytes(source).toString('utf8')
  return /-----BEGIN |^\s*\{/.test(text) ? text : undefined
}

function toBytes({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength)
}

function toJwk(given: GivenKey, value: unknown): Jwk {
  if (isRecord(value) && 'kty' in value) return value as Jwk
  const { at, algorithm } = given
  const has = (name: string): boolean => isRecord(value) && Object.hasOwn(value, name)
  const hint = has('keys')
    ? ' (a key set: give one of its keys)'
    : has('key')
      ? ' (give its `key`, and its `passphrase` beside that)'
      : toDerHint(value)
  throw new ConfigurationError(
    `Expected \`${at}\` to be PEM text, a JWK, a KeyObject or a secret's bytes for ${algorithm.name}, got ${describeType(value)}${hint}`,
  )
}

/** How to import a key that came as the bytes of its DER. */
function toDerHint(value: unknown): string {
  return ArrayBuffer.isView(value) && isDer(toBytes(value))
    ? " (DER: import it with crypto.createPublicKey({ key, format: 'der', type: 'spki' }) or createPrivateKey)"
    : ''
}

/** How keys in other formats begin, and how to convert them. */
const OTHER_FORMATS: readonly (readonly [RegExp, string])[] = [
  [
    /^(?:ssh-|ecdsa-sha2-)/,
    'as PEM, got an OpenSSH public key; convert it with: ssh-keygen -e -m PKCS8 -f key.pub',
  ],
  [
    /BEGIN OPENSSH PRIVATE KEY/,
    'as PEM, got an OpenSSH private key; convert it with: ssh-keygen -p -m PKCS8 -f key',
  ],
  [/^PuTTY-User-Key-File/, 'as PEM, got a PuTTY key; export it as OpenSSH and convert that'],
  [
    /BEGIN (?:NEW )?CERTIFICATE REQUEST/,
    'got a certificate request: give the certificate, or the key that it was made of',
  ],
]

/**
 * Repairs a key's text after files, shells and environment variables have changed it.
 *
 * @returns PEM text, or the parsed JWK
 */
function readKeyText(given: GivenKey, source: string): string | object {
  const text = source
    .replace(/^\ufeff/, '')
    .trim()
    .replace(/^(["'`])([\s\S]*)\1[,;]?$/, '$2')
    .replace(/\\r|\r/g, '\n')
    .replace(/\\n/g, '\n')
    .trim()
  const other = OTHER_FORMATS.find(([pattern]) => pattern.test(text))
  if (other !== undefined) throw toKeyError(given, other[1])
  if (text.startsWith('{')) return parseJwk(given, text)
  if (text.includes('-BEGIN ')) return text
  const decoded = Buffer.from(text, 'base64').toString('latin1')
  if (/^\s*-----BEGIN /.test(decoded) || /^\s*\{\s*"/.test(decoded)) return readKeyText(given, decoded)
  if (isDer(Buffer.from(text, 'base64')))
    throw toKeyError(given, 'as PEM with its BEGIN and END lines, which this text lacks')
  throw toKeyError(given, 'as PEM text or a JWK')
}

/** Whether bytes are one DER sequence, by its length. */
function isDer(bytes: Buffer): boolean {
  if (bytes[0] !== 0x30 || bytes.length < 16) return false
  const long = (bytes[1] ?? 0) & 0x80 ? (bytes[1] ?? 0) & 0x7f : 0
  const length = long === 0 ? (bytes[1] ?? 0) : long <= 4 ? bytes.readUIntBE(2, long) : 0
  return length + 2 + long === bytes.length
}

function parseJwk(given: GivenKey, text: string): object {
  try {
    const value: unknown = JSON.parse(text)
    if (isRecord(value)) return value
  } catch {
    // The parser's message quotes the text.
  }
  throw toKeyError(given, 'as a JWK, got text in braces that is not JSON')
}

/** One block of PEM: its label, and its body with any line breaks. */
const PEM_BLOCK = /-{4,5} ?BEGIN ([A-Z0-9 ]+?) ?-{4,5}([\s\S]*?)-{4,5} ?END \1 ?-{4,5}/g

/** The headers of an encrypted PEM of the traditional form (RFC 1421 section 4.6). */
const PEM_HEADERS = /^\s*Proc-Type:\s*(\S+)\s+DEK-Info:\s*(\S+)\s+/

/** The labels that hold a key, the preferred ones first. */
const PEM_LABELS = [
  'PRIVATE KEY',
  'RSA PRIVATE KEY',
  'EC PRIVATE KEY',
  'ENCRYPTED PRIVATE KEY',
  'PUBLIC KEY',
  'RSA PUBLIC KEY',
  'CERTIFICATE',
  'TRUSTED CERTIFICATE',
  'X509 CERTIFICATE',
]

/** Imports the key of a PEM text with new line breaks. Skips parameters and later certificates. */
function importPem(given: GivenKey, text: string): KeyObject {
  const blocks = [...text.matchAll(PEM_BLOCK)].map(([, label = '', body = '']) => ({ label, body }))
  if (blocks.length === 0)
    throw toKeyError(
      given,
      'as PEM, got a BEGIN line without its END line: is the value cut off after its first line?',
    )
  const label = PEM_LABELS.find((known) => blocks.some((block) => block.label === known))
  const block = blocks.find((candidate) => candidate.label === label)
  if (label === undefined || block === undefined)
    throw toKeyError(given, 'as PEM with a private key, a public key or a certificate')

  const headers = PEM_HEADERS.exec(block.body)
  const body = block.body.slice(headers?.[0].length ?? 0).replace(/\s+/g, '')
  const lines = [
    `-----BEGIN ${label}-----`,
    ...(headers === null ? [] : [`Proc-Type: ${headers[1]}`, `DEK-Info: ${headers[2]}`, '']),
    ...(body.match(/.{1,64}/g) ?? []),
    `-----END ${label}-----`,
    '',
  ]
  const key = lines.join('\n').replace(/X509 CERTIFICATE/g, 'CERTIFICATE')
  if (!label.endsWith('PRIVATE KEY')) return replaceErrors(given, () => createPublicKey(key))
  const { passphrase } = given
  if (passphrase === undefined && (label.startsWith('ENCRYPTED') || headers !== null))
    throw toKeyError(given, 'without encryption, or with its `passphrase` beside it')
  const input = passphrase === undefined ? { key } : { key, passphrase }
  return replaceErrors(given, () => createPrivateKey(input), passphrase !== undefined)
}

/** Replaces errors of the platform, whose message may quote the key. */
function replaceErrors<T>(given: GivenKey, act: () => T, isEncrypted = false): T {
  try {
    return act()
  } catch (error) {
    if (error instanceof ConfigurationError) throw error
    throw toKeyError(given, isEncrypted ? 'that `passphrase` decrypts' : undefined)
  }
}

/** The error for a key that cannot be used. */
function toKeyError({ at, algorithm }: GivenKey, wanted?: string): ConfigurationError {
  return new ConfigurationError(
    `Expected \`${at}\` to be a readable ${algorithm.kty} key for ${algorithm.name}${wanted === undefined ? '' : `, ${wanted}`}`,
  )
}
