/**
 * The keys of the server and of the attacker, and a signer that is independent of the library and
 * signs anything. The server has one key per algorithm for a whole run, as RSA keys are slow to
 * generate.
 */
import {
  constants,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  type SigningOptions,
  sign,
} from 'node:crypto'
import { type KeyPair, PUBLIC_FORMS } from './encodings.ts'

/** A secret or a private key. */
export type SigningKey = Uint8Array | KeyObject

/** A key that the application under attack may sign with. */
export interface ServerKey {
  readonly alg: string
  readonly kid: string
  readonly key: SigningKey
}

/** Copies a generated key. On Node 20, the export of the original as a JWK can hang. */
function copy({ privateKey }: { readonly privateKey: KeyObject }): KeyObject {
  const key = privateKey.export({ type: 'pkcs8', format: 'der' })
  return createPrivateKey({ key, type: 'pkcs8', format: 'der' })
}

/** Generates an RSA key. */
export function makeRsaKey(modulusLength: number): KeyObject {
  return copy(generateKeyPairSync('rsa', { modulusLength }))
}

const CURVES: Readonly<Record<string, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }

function makeKey(alg: string): SigningKey {
  if (alg.startsWith('HS')) return randomBytes(64)
  if (alg.startsWith('RS') || alg.startsWith('PS')) return makeRsaKey(2048)
  if (alg === 'EdDSA') return copy(generateKeyPairSync('ed25519'))
  const namedCurve = CURVES[alg]
  if (namedCurve === undefined) throw new Error(`no such algorithm: ${alg}`)
  return copy(generateKeyPairSync('ec', { namedCurve }))
}

const made = new Map<string, SigningKey>()

/** The key with a name and an algorithm. It is generated once in a run. */
export function keyOf(name: string, alg: string): SigningKey {
  const id = `${name} ${alg}`
  const key = made.get(id) ?? makeKey(alg)
  made.set(id, key)
  return key
}

/** Uses the secret of another process of the same application. */
export function adoptSecret(secret: Uint8Array): void {
  made.set('server0 HS256', secret)
}

/** The server's key for an algorithm; `generation` counts rotations. */
export function serverKey(alg: string, generation = 0): ServerKey {
  return { alg, kid: `k${generation}`, key: keyOf(`server${generation}`, alg) }
}

/** A private key and its public key. */
export function toPair({ alg, kid, key }: ServerKey): KeyPair | undefined {
  return key instanceof Uint8Array
    ? undefined
    : { alg, kid, privateKey: key, publicKey: createPublicKey(key) }
}

/** Keys of others, by their name in case files: of the attacker, and of trusted issuers. */
const OTHERS: Readonly<Record<string, () => SigningKey>> = {
  attacker_ec: () => keyOf('attacker', 'ES256'),
  attacker_rsa: () => keyOf('attacker', 'RS256'),
  attacker_ed25519: () => keyOf('attacker', 'EdDSA'),
  attacker_hmac: () => keyOf('attacker', 'HS256'),
  attacker: () => keyOf('attacker', 'HS256'),
  issuer_ec: () => keyOf('issuer', 'ES256'),
  issuer_rsa: () => keyOf('issuer', 'RS256'),
  empty: () => new Uint8Array(0),
  zeros: () => new Uint8Array(32),
}

/** The key that a `mint` step names; undefined if this server has no such key. */
export function findKey(name: string, server: ServerKey): SigningKey | undefined {
  if (name === 'server') return server.key
  if (name.startsWith('retired')) return keyOf('retired', server.alg)
  if (Object.hasOwn(OTHERS, name)) return OTHERS[name]?.()
  const pair = toPair(server)
  if (pair === undefined || !Object.hasOwn(PUBLIC_FORMS, name)) return undefined
  const form = PUBLIC_FORMS[name]?.(pair)
  return typeof form === 'string' ? Buffer.from(form) : form
}

/** A JWK with members that are text. */
type Jwk = Readonly<Record<string, string>>

/** The public half of a key of others. */
export function toPublicJwk(name: string): Jwk {
  const key = OTHERS[name]?.()
  if (key === undefined || key instanceof Uint8Array) throw new Error(`no public key: ${name}`)
  return createPublicKey(key).export({ format: 'jwk' }) as Jwk
}

/** A key of others with its private half. */
export function toWholeJwk(name: string): Jwk {
  const key = OTHERS[name]?.()
  if (key === undefined) throw new Error(`no key: ${name}`)
  return toJwk(key)
}

/** A secret or a private key as a JWK. */
export function toJwk(key: SigningKey): Jwk {
  return key instanceof Uint8Array
    ? { kty: 'oct', k: Buffer.from(key).toString('base64url') }
    : (key.export({ format: 'jwk' }) as Jwk)
}

/** The options of each family of algorithms. The number in a name is the size of the hash. */
const FAMILIES: Readonly<Record<string, SigningOptions>> = {
  RS: { padding: constants.RSA_PKCS1_PADDING },
  PS: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
  ES: { dsaEncoding: 'ieee-p1363' },
}

/** Whether the signer knows an algorithm. */
export function isSignable(alg: unknown): alg is string {
  return typeof alg === 'string' && /^(?:(?:HS|RS|PS|ES)(?:256|384|512)|EdDSA)$/.test(alg)
}

/**
 * Signs with any key and any algorithm, even if they do not match: that is the attack.
 *
 * @throws {Error} if the key cannot be used with the algorithm at all
 */
export function signWith(alg: string, key: SigningKey, input: string): Buffer {
  if (alg === 'EdDSA' && !(key instanceof Uint8Array)) return sign(null, Buffer.from(input), key)
  const hash = `sha${alg.slice(2)}`
  if (alg.startsWith('HS')) {
    const secret = key instanceof Uint8Array ? key : key.export({ type: 'pkcs8', format: 'der' })
    return createHmac(hash, secret).update(input).digest()
  }
  if (key instanceof Uint8Array) throw new Error(`a secret cannot sign ${alg}`)
  return sign(hash, Buffer.from(input), { key, ...FAMILIES[alg.slice(0, 2)] })
}

/** Texts that must not leak: the server's secrets and private keys, in each encoding. */
export function secretTexts(): string[] {
  return [...made].flatMap(([id, key]) => {
    if (!id.startsWith('server')) return []
    if (key instanceof Uint8Array) {
      const bytes = Buffer.from(key)
      return [bytes.toString('base64url'), bytes.toString('base64'), bytes.toString('hex')]
    }
    const { d } = key.export({ format: 'jwk' })
    const pem = key.export({ type: 'pkcs8', format: 'pem' }).toString().split('\n')[2]
    return [d, pem].filter((text) => text !== undefined)
  })
}

/** A short name for a secret text in reports. */
export function fingerprint(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}
