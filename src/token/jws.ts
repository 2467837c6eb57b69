/**
 * Compact JWS (RFC 7515 sections 3.1, 5.1 and 5.2) for payloads of any bytes: sign and verify, and
 * nothing about claims. The order is the defense: size, then dots, then the small header, then the
 * signature; the payload is not decoded before its signature holds. Five parts (JWE) and the JSON
 * serializations have no code path.
 */

import { AuthError, isAuthError, toReason } from '../errors.ts'
import { type Awaitable, isPromise } from '../internal/awaitable.ts'
import { decodeText, encodeText, flatten } from '../internal/bytes.ts'
import { ConfigurationError, misuse } from '../internal/configuration-error.ts'
import { type Clock, systemClock } from '../internal/duration.ts'
import { parseObject } from '../internal/json.ts'
import { type JoseHeader, readJoseHeader } from './jose-header.ts'
import type { KeyRing, RingKey, RingSigner } from './ring.ts'

/** A token whose signature holds. */
interface VerifiedJws<P> {
  /** What its header says. */
  readonly header: JoseHeader
  /** The key that it was signed with. */
  readonly key: RingKey
  /** Its payload, decoded. */
  readonly payload: P
}

/** Bounds for the verifier of compact JWS. */
export interface JwsLimits {
  /** The longest token, in characters. Longer ones are refused before anything else is done. */
  readonly tokenLength: number
}

/**
 * Verifies one token.
 *
 * @param now epoch seconds, for keys that retire
 * @throws {AuthError} `token_malformed` or `signature_invalid`; nothing else for any string
 */
export type VerifyJws<P> = (token: string, now: number) => VerifiedJws<P>

/** Decodes a base64url segment in its canonical spelling; undefined for any other text. */
type Decode<P> = (encoded: string) => P | undefined

/** A header and the keys that may have signed the token. */
interface KnownHeader extends JoseHeader {
  readonly keys: readonly RingKey[]
}

/** The most encoded headers that are remembered. One for each key and type is usual. */
const MAX_KNOWN_HEADERS = 64

/**
 * Prepares the verifier of a ring. The next token with the same encoded header as a verified one is
 * recognized by that text, without decoding.
 *
 * It does check: length, three canonical parts, header, algorithm, key, retirement of the key,
 * signature. It does not check: any claim, not even that the payload is JSON.
 *
 * @param decode `fromBase64Url` for bytes, `decodeText` for UTF-8; called only once the signature
 *   holds
 */
export function prepareVerifyJws<P>(ring: KeyRing, limits: JwsLimits, decode: Decode<P>): VerifyJws<P> {
  let { keys } = ring
  let findCandidates = prepareCandidates(keys)
  const known = new Map<string, KnownHeader>()
  let latest: { readonly encoded: string; readonly header: KnownHeader } | undefined

  /** Forgets what was prepared for the keys before. */
  function follow(): void {
    keys = ring.keys
    findCandidates = prepareCandidates(keys)
    known.clear()
    latest = undefined
  }

  /** Finds the header by its text, or reads it. Comparing with the latest first saves a hash. */
  function toHeader(encoded: string): KnownHeader {
    if (latest?.encoded === encoded) return latest.header
    const before = known.get(encoded)
    if (before !== undefined) return before
    const header = readJoseHeader(encoded)
    if (typeof header === 'string')
      return throwMalformed(
        /^bearer /i.test(encoded) ? 'The text begins with `Bearer`: give the token alone' : header,
      )
    return { ...header, keys: findCandidates(header.alg, header.kid) }
  }

  /** Remembers the header of a token whose signature held. */
  function remember(slice: string, header: KnownHeader): void {
    if (latest?.header === header) return
    const encoded = flatten(slice)
    if (known.size < MAX_KNOWN_HEADERS && !known.has(encoded)) known.set(encoded, header)
    latest = { encoded, header }
  }

  return (token, now) => {
    if (ring.keys !== keys) follow()
    if (token.length > limits.tokenLength)
      throwMalformed(`The token is longer than \`limits.tokenLength\`, ${limits.tokenLength} characters`)
    const first = token.indexOf('.')
    const second = token.indexOf('.', first + 1)
    if (first <= 0 || second < 0 || token.indexOf('.', second + 1) >= 0)
      throwMalformed('The token has not three parts')

    const encodedHeader = token.slice(0, first)
    const header = toHeader(encodedHeader)
    const input = token.slice(0, second)
    const signature = token.slice(second + 1)
    const key = findKey(header.keys, now, input, signature)
    if (key === undefined) throw new AuthError('signature_invalid', toKeyInit(ring, header, now))

    // The MAC sees one byte of each character, so until here a character above U+00FF could stand
    // for another one. `decode` accepts only the canonical spelling of the payload; the header was
    // compared whole.
    const payload = decode(token.slice(first + 1, second))
    if (payload === undefined) return throwMalformed('The payload is not canonical base64url')
    remember(encodedHeader, header)
    return { header, key, payload }
  }
}

function throwMalformed(reason: string): never {
  throw new AuthError('token_malformed', { cause: toReason(reason) })
}

/** The most keys whose names are told. */
const MAX_TOLD_KEYS = 5

/** Why no key was tried, where none was: then nothing is known of the signature. */
function toKeyInit({ keys }: KeyRing, header: KnownHeader, now: number): { readonly cause?: Error } {
  if (header.keys.some((key) => now <= key.notAfter)) return {}
  if (header.keys.length > 0) return { cause: toReason('The key of the token has retired (`notAfter`)') }
  const names = keys.slice(0, MAX_TOLD_KEYS).map(({ alg, kid }) => `${kid} (${alg})`)
  const more = keys.length > MAX_TOLD_KEYS ? ' and more' : ''
  return {
    cause: toReason(`No key has the \`alg\` and \`kid\` of the token; known: ${names.join(', ')}${more}`),
  }
}

/**
 * The most keys that are tried for one token, so that a token without a `kid` costs bounded work in
 * a ring of any size.
 */
const MAX_TRIED_KEYS = 4

/**
 * Prepares the look-up of the keys that may have signed a token: the one with its `kid`, else those
 * that were given no name; for a token without `kid`, all keys of its algorithm. The order is that
 * of the ring.
 */
function prepareCandidates(
  keys: readonly RingKey[],
): (alg: string, kid: string | undefined) => readonly RingKey[] {
  const byKid = new Map(keys.map((key) => [key.kid, key]))
  const algorithms = [...new Set(keys.map(({ alg }) => alg))]
  const all = new Map(algorithms.map((alg) => [alg, keys.filter((key) => key.alg === alg)]))
  const unnamed = new Map(
    algorithms.map((alg) => [alg, keys.filter((key) => key.alg === alg && key.isNamed === false)]),
  )
  return (alg, kid) => {
    if (kid === undefined) return all.get(alg) ?? []
    const named = byKid.get(kid)
    if (named === undefined) return unnamed.get(alg) ?? []
    return named.alg === alg ? [named] : []
  }
}

/** The first key that fits, of at most `MAX_TRIED_KEYS` that have not retired. */
function findKey(
  keys: readonly RingKey[],
  now: number,
  input: string,
  signature: string,
): RingKey | undefined {
  let tried = 0
  for (const key of keys) {
    // Negated, so that a clock that returns NaN finds every key retired.
    if (!(now <= key.notAfter)) continue
    if (key.verify(input, signature)) return key
    if (++tried === MAX_TRIED_KEYS) return undefined
  }
  return undefined
}

/**
 * Verifies with a ring whose keys may change: waits for keys that are overdue, and loads them once
 * more for a token that no key fits. So a key that another process has begun to use is found.
 *
 * @param verify verifies one token; called again after its keys have changed
 * @throws {AuthError} as `verify`; `store_unavailable` where no keys could be loaded yet
 */
export async function withCurrentKeys<T>(ring: KeyRing, clock: Clock, verify: () => T): Promise<T> {
  const { changes } = ring
  if (changes === null) return verify()
  await changes.current(clock())
  const { keys } = ring
  try {
    return verify()
  } catch (error) {
    if (!isAuthError(error) || error.code !== 'signature_invalid') throw error
    await changes.reload(clock())
    if (ring.keys === keys) throw error
    return verify()
  }
}

/**
 * Signs a payload, encoded as UTF-8, into a compact JWS. A key of this process signs at once.
 *
 * @throws {ConfigurationError} when the ring only verifies
 * @throws {AuthError} `store_unavailable` where no keys could be loaded yet
 */
export type SignJws = (payload: string) => Awaitable<string>

/**
 * Prepares the signer of a ring for one header.
 *
 * @param header the members beside `alg` and `kid`, such as `typ`
 * @param clock the time in epoch seconds, for a ring whose keys change
 * @throws {TypeError} for a header that no verifier would accept
 */
export function prepareSignJws(
  ring: KeyRing,
  header: Readonly<Record<string, unknown>>,
  clock: Clock = systemClock,
): SignJws {
  let { signer } = ring
  let prefix = signer === null ? '' : toPrefix(signer, header)

  function signNow(payload: string): Awaitable<string> {
    if (ring.signer !== signer || signer === null) {
      signer = requireSigner(ring)
      prefix = toPrefix(signer, header)
    }
    const input = prefix + encodeText(payload)
    const signature = signer.sign(input)
    return typeof signature === 'string' ? `${input}.${signature}` : finish(input, signature)
  }

  const { changes } = ring
  if (changes === null) return signNow
  return (payload) => changes.current(clock())?.then(() => signNow(payload)) ?? signNow(payload)
}

function requireSigner({ signer }: KeyRing): RingSigner {
  if (signer !== null) return signer
  throw new ConfigurationError('Expected the key ring to hold a `signing` key: this one only verifies')
}

/** The encoded header and its dot. */
function toPrefix({ alg, kid }: RingSigner, header: Readonly<Record<string, unknown>>): string {
  const encoded = Buffer.from(JSON.stringify({ alg, ...header, kid })).toString('base64url')
  if (typeof readJoseHeader(encoded) !== 'string') return `${encoded}.`
  throw misuse(
    'Expected `headers` to hold few and short texts, numbers or booleans, and no member that changes what a token is',
  )
}

/** Waits for the signature of a key elsewhere. */
async function finish(input: string, signature: Awaitable<string>): Promise<string> {
  const text: unknown = isPromise(signature) ? await signature : signature
  if (typeof text === 'string' && /^[\w-]+$/.test(text)) return `${input}.${text}`
  throw new ConfigurationError('Expected the `sign` of the key ring to return a signature in base64url')
}

/** A token's header and payload. Nothing in it is verified. */
export interface UnverifiedPayload {
  /** The JOSE header, unverified. */
  readonly header: Readonly<Record<string, unknown>>
  /** The claims, unverified. */
  readonly payload: Readonly<Record<string, unknown>>
}

/**
 * The longest token that is read unverified, in characters: the upper bound of
 * `limits.tokenLength`.
 */
const MAX_UNVERIFIED_LENGTH = 65_536

/** Whether a text is a compact JWS: its first part decodes to a header with an algorithm. */
export function isCompactJws(text: string): boolean {
  if (!text.includes('.') || text.length > MAX_UNVERIFIED_LENGTH) return false
  const [first = '', ...others] = text.split('.', 4)
  const header = others.length === 2 ? decodeText(first) : undefined
  return header !== undefined && Object.hasOwn(parseObject(header) ?? {}, 'alg')
}

/**
 * Reads a compact JWS without verifying it.
 *
 * @returns undefined when it is not a compact JWS, or its payload is not a JSON object
 */
export function readUnverified(token: string): UnverifiedPayload | undefined {
  if (typeof token !== 'string' || token.length > MAX_UNVERIFIED_LENGTH) return undefined
  const parts = token.split('.', 4)
  if (parts.length !== 3) return undefined
  const [header, payload] = parts.slice(0, 2).map((part) => {
    const text = decodeText(part)
    return text === undefined ? undefined : parseObject(text)
  })
  return header && payload && { header, payload }
}
