/**
 * Configurations that must be refused: one table. Each row has the bad setup and a control, the
 * same setup with a good key. The control must be accepted, or the refusal would prove nothing. A
 * refusal is a `ConfigurationError` from `createKeyRing` or `createAuth`. A later error, or one of
 * another class, is a failure.
 */
import { createPublicKey, type JsonWebKey, type KeyObject, randomBytes } from 'node:crypto'
import { type AuthOptions, ConfigurationError, createAuth, createKeyRing, generateKey } from 'tokenwright'
import type { Attacker } from './attacker.ts'
import type { JsonObject } from './cases.ts'
import { keyOf, makeRsaKey } from './keys.ts'
import { REBUILDS } from './rebuilds.ts'
import { isMembers, resolve, Unsupported } from './values.ts'

/** Setups that must be refused, and a similar one that must not. */
interface BadSetup {
  readonly bad: readonly (() => unknown)[]
  readonly control: () => unknown
}

type Row = (argument: string) => BadSetup

/** Takes any value for a key, since the value is the attack. */
const signing = (key: unknown) => () => createAuth({ keys: createKeyRing({ signing: key as never }) })
const verifying = (...keys: readonly unknown[]) => {
  return () => createAuth({ keys: createKeyRing({ verifying: keys as never }) })
}

const goodRsa = () => keyOf('good', 'RS256') as KeyObject
const goodEc = () => keyOf('good', 'ES256') as KeyObject
const publicJwk = (key: KeyObject): JsonWebKey => createPublicKey(key).export({ format: 'jwk' })

/** The first primes. */
function firstPrimes(count: number): bigint[] {
  const primes: bigint[] = []
  for (let n = 2n; primes.length < count; n++) if (primes.every((prime) => n % prime !== 0n)) primes.push(n)
  return primes
}

function powerModulo(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n
  for (
    let square = base % modulus, rest = exponent;
    rest > 0n;
    rest >>= 1n, square = (square * square) % modulus
  ) {
    if (rest & 1n) result = (result * square) % modulus
  }
  return result
}

/**
 * A modulus with the fingerprint of CVE-2017-15361: a power of 65537, modulo the product of the
 * first 126 primes, the number for keys of 2048 bits.
 */
function rocaModulus(): string {
  const product = firstPrimes(126).reduce((all, prime) => all * prime, 1n)
  const power = powerModulo(65_537n, BigInt(`0x${randomBytes(32).toString('hex')}`), product)
  const quotient = (1n << 2048n) / product
  const factor = quotient - (BigInt(`0x${randomBytes(32).toString('hex')}`) % (quotient >> 8n)) - 1n
  const hex = (factor * product + power).toString(16)
  return Buffer.from(hex.padStart(512, '0'), 'hex').toString('base64url')
}

/** A JWK with changed members. The control is the unchanged JWK. */
function changed(alg: string, key: KeyObject, members: Readonly<Record<string, unknown>>): BadSetup {
  const good = { ...publicJwk(key), alg }
  const bad = { ...good, ...members }
  return {
    bad: [verifying(bad), verifying({ alg, key: { ...bad, ...(members['alg'] === undefined && { alg }) } })],
    control: verifying(good),
  }
}

function hmac(bytes: number, alg: string): BadSetup {
  const secret = randomBytes(bytes)
  const bare = () => createAuth({ secret })
  const jwk = { kty: 'oct', alg, k: secret.toString('base64url') }
  return {
    bad: [signing({ alg, key: secret }), signing(jwk), ...(alg === 'HS256' ? [bare] : [])],
    control: signing({ alg, key: randomBytes(Number(alg.slice(2)) / 8) }),
  }
}

/** A coordinate that puts the point off the curve. */
function offCurve(): JsonWebKey {
  const jwk = publicJwk(goodEc())
  const y = Buffer.from(jwk.y ?? '', 'base64url')
  y[31] = (y[31] ?? 0) ^ 1
  return { y: y.toString('base64url') }
}

/** Weak and unsuitable keys, by their name in case files. */
const KEYS: Readonly<Record<string, Row>> = {
  rsa1024: () => {
    const key = makeRsaKey(1024)
    return {
      bad: [signing({ alg: 'RS256', key }), verifying({ alg: 'RS256', key: publicJwk(key) })],
      control: signing({ alg: 'RS256', key: goodRsa() }),
    }
  },
  rsa_e1: () => changed('RS256', goodRsa(), { e: 'AQ' }),
  rsa_e2: () => changed('RS256', goodRsa(), { e: 'Ag' }),
  rsa_roca: () => changed('RS256', goodRsa(), { n: rocaModulus() }),
  hmac: (argument) => {
    const [bytes = '', alg = 'HS256'] = argument.split(':')
    return hmac(Number(bytes), alg)
  },
  'jwk:use=enc': () => changed('RS256', goodRsa(), { use: 'enc' }),
  'jwk:key_ops=encrypt': () => changed('RS256', goodRsa(), { key_ops: ['encrypt'] }),
  'jwk:alg=A256GCM': () => changed('RS256', goodRsa(), { alg: 'A256GCM' }),
  'jwk:ES512 on P-256': () => changed('ES256', goodEc(), { alg: 'ES512' }),
  'jwk:point not on curve': () => changed('ES256', goodEc(), offCurve()),
  'jwk:kty mismatch': () => {
    const { bad, control } = changed('ES256', goodEc(), { kty: 'RSA' })
    return { bad: [...bad, verifying({ ...publicJwk(goodRsa()), alg: 'ES256' })], control }
  },
}

/** Invalid key rings, by their name in case files. */
const KEYSETS: Readonly<Record<string, Row>> = {
  'oct+RSA': () => {
    const secret = { alg: 'HS256', key: randomBytes(64) }
    const rsa = { alg: 'RS256', key: goodRsa() }
    return {
      bad: [
        verifying(secret, rsa),
        () => createAuth({ keys: createKeyRing({ signing: rsa, verifying: [secret] } as never) }),
      ],
      control: verifying(rsa, { alg: 'ES256', key: goodEc() }),
    }
  },
  'duplicate kid': () => {
    const [one, two] = [generateKey('ES256', 'same'), generateKey('ES256', 'same')]
    return {
      bad: [
        verifying(one, two),
        () => createAuth({ keys: createKeyRing({ signing: one, verifying: [two] }) }),
      ],
      control: verifying(one, { ...two, kid: 'other' }),
    }
  },
}

/** Parses a regular expression, as the value of an option that takes none. */
function toExpression(text: string): RegExp {
  const end = text.lastIndexOf('/')
  try {
    return new RegExp(text.slice(1, end), text.slice(end + 1))
  } catch {
    throw new Unsupported(`invalid pattern ${text}`)
  }
}

/** Options that must be refused. If one is accepted, the application is rebuilt with it. */
const OPTIONS: Readonly<Record<string, (value: string) => Partial<AuthOptions>>> = {
  iss_regexp: (text) => ({ issuer: toExpression(text) as never }),
}

function findSetup(kind: string, name: string): BadSetup | undefined {
  if (kind === 'secret') {
    const control = () => createAuth({ secret: randomBytes(32).toString('base64url') })
    return { bad: [() => createAuth({ secret: name }), signing({ alg: 'HS256', key: name })], control }
  }
  const table = kind === 'keyset' ? KEYSETS : kind === 'key' ? KEYS : {}
  const row = Object.hasOwn(table, name) ? table[name]?.('') : undefined
  const length = /^hmac(\d{1,4}(?::HS\d{3})?)$/.exec(name)?.[1]
  return row ?? (kind === 'key' && length !== undefined ? KEYS['hmac']?.(length) : undefined)
}

/** Tries a setup. Returns how that ended, and what was thrown. */
async function attempt(setup: () => unknown): Promise<Attacker['setup']> {
  try {
    await setup()
    return { status: 'accepted', detail: 'accepted' }
  } catch (error) {
    const refused = error instanceof ConfigurationError
    return { status: refused ? 'config_error' : 'crashed', detail: String(error) }
  }
}

/** The application in another set-up: how that ended, if it is refused. */
async function rebuild(build: () => void, attacker: Attacker): Promise<void> {
  const setup = await attempt(build)
  if (setup?.status !== 'accepted') attacker.setup = setup
}

/** The `configure` step: tries a setup and records how that ended. */
export async function configure(body: JsonObject, attacker: Attacker): Promise<void> {
  for (const [kind, value] of Object.entries(body)) {
    const name = await resolve(value, attacker)
    const prepare = Object.hasOwn(REBUILDS, kind) ? REBUILDS[kind] : undefined
    if (prepare !== undefined && isMembers(name)) {
      await rebuild(prepare(name, attacker), attacker)
      // The set-up may refuse tokens from before.
      attacker.genuine.length = 0
      continue
    }
    if (typeof name !== 'string') throw new Unsupported(`unknown configuration ${kind}`)
    const options = Object.hasOwn(OPTIONS, kind) ? OPTIONS[kind]?.(name) : undefined
    if (options !== undefined) {
      await rebuild(() => attacker.target.rebuild(options), attacker)
      continue
    }
    const setup = findSetup(kind, name)
    if (setup === undefined) throw new Unsupported(`unknown configuration ${kind} '${name.slice(0, 40)}'`)
    const control = await attempt(setup.control)
    if (control?.status !== 'accepted') attacker.findings.set('control', `a good setup: ${control?.detail}`)
    const ends = await Promise.all(setup.bad.map(attempt))
    const worst = ends.findIndex((end) => end?.status !== 'config_error')
    const end = ends[Math.max(worst, 0)]
    attacker.setup = end && { ...end, detail: worst < 0 ? end.detail : `attempt ${worst + 1}: ${end.detail}` }
  }
}
