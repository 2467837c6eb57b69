/**
 * Mutations of a genuine compact token: one table. Each changes one thing. With `resign` the
 * server's key signs the changed text, so another check than the signature must refuse it.
 */
import { randomBytes } from 'node:crypto'
import { derPair } from './encodings.ts'
import { toJson, Unsupported, type Value } from './values.ts'

/** The three segments of a token. */
export interface Segments {
  readonly header: string
  readonly payload: string
  readonly signature: string
}

/** What a mutation may use beside the token. */
export interface MutationTools {
  /** The algorithm of the token. */
  readonly alg: string
  /** Signs a header and a payload with the server's key. */
  resign(header: string, payload: string): Segments
  /** Another genuine token. */
  readonly other: Segments
  /** The members that `set_header` and `set_claims` set. */
  readonly members: Readonly<Record<string, Value>>
}

type Segment = keyof Segments
type Mutation = (token: Segments, tools: MutationTools, segment: Segment) => Segments | string

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Splits a compact token. Missing segments are empty. */
export function toSegments(token: string): Segments {
  const [header = '', payload = '', signature = ''] = token.split('.')
  return { header, payload, signature }
}

/** Joins segments to a compact token. */
export function fromSegments({ header, payload, signature }: Segments): string {
  return `${header}.${payload}.${signature}`
}

const encode = (bytes: Uint8Array | string) => Buffer.from(bytes).toString('base64url')
const decode = (segment: string) => Buffer.from(segment, 'base64url')

/** Parses a segment as JSON. */
export function readSegment(segment: string): Record<string, Value> {
  return JSON.parse(decode(segment).toString('utf8'))
}

function withMembers(segment: string, members: Readonly<Record<string, Value>>): string {
  return encode(toJson({ ...readSegment(segment), ...members }))
}

/** The same bytes as another text: most segments end with two or four unused bits. */
function flipUnusedBits(token: Segments, tools: MutationTools, segment: Segment): Segments {
  let base = token
  if (token[segment].length % 4 === 0) {
    if (segment === 'signature') throw new Unsupported(`no unused bits in a signature of ${tools.alg}`)
    base = tools.resign(
      segment === 'header' ? encode(`${decode(token.header)} `) : token.header,
      segment === 'payload' ? encode(`${decode(token.payload)} `) : token.payload,
    )
  }
  const text = base[segment]
  const last = ALPHABET.indexOf(text.slice(-1))
  return { ...base, [segment]: text.slice(0, -1) + ALPHABET.charAt(last ^ 1) }
}

/** Uses the standard base64 alphabet in a segment that has `-` or `_`. */
function toStandardAlphabet(token: Segments, tools: MutationTools, segment: Segment): Segments {
  let base = token
  for (let i = 0; i < 200 && !/[-_]/.test(base[segment]); i++) {
    base = tools.resign(token.header, withMembers(token.payload, { jti: encode(randomBytes(16)) }))
  }
  return { ...base, [segment]: base[segment].replaceAll('-', '+').replaceAll('_', '/') }
}

/** The group order of each curve (FIPS 186-4 appendix D.1.2). */
const ORDERS: Readonly<Record<string, bigint>> = {
  ES256: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  ES384: BigInt(`0x${'f'.repeat(48)}c7634d81f4372ddf581a0db248b0a77aecec196accc52973`),
}

function toHalves(token: Segments): [Buffer, Buffer] {
  const bytes = decode(token.signature)
  return [bytes.subarray(0, bytes.length / 2), bytes.subarray(bytes.length / 2)]
}

/** Adds the group order to r or s: the same number modulo the order, one byte longer. */
function addOrder(token: Segments, tools: MutationTools, half: 0 | 1): Segments {
  const order = ORDERS[tools.alg]
  if (order === undefined) throw new Unsupported(`no group order of ${tools.alg}`)
  const halves = toHalves(token)
  const width = halves[0].length * 2 + 2
  const texts = halves.map((bytes, index) => {
    const number = BigInt(`0x${bytes.toString('hex')}`) + (index === half ? order : 0n)
    return number.toString(16).padStart(width, '0')
  })
  return { ...token, signature: encode(Buffer.from(texts.join(''), 'hex')) }
}

function withSignature(token: Segments, change: (bytes: Buffer) => Uint8Array): Segments {
  return { ...token, signature: encode(change(decode(token.signature))) }
}

function insert(text: string, character: string): string {
  return text.slice(0, text.length >> 1) + character + text.slice(text.length >> 1)
}

/** Claims the next generation of a refresh token, in `gen` and in its `jti`. */
function bumpGeneration(token: Segments): Segments {
  const { gen, jti } = readSegment(token.payload)
  const next = (typeof gen === 'number' ? gen : 0) + 1
  const named = typeof jti === 'string' && jti.includes('.')
  const name = named ? { jti: `${jti.slice(0, jti.lastIndexOf('.'))}.${next}` } : {}
  return { ...token, payload: withMembers(token.payload, { gen: next, ...name }) }
}

/** The JSON serializations of a JWS (RFC 7515 section 7.2), which are not compact tokens. */
function toJsonSerialization({ header, payload, signature }: Segments, general: boolean): string {
  const signed = { protected: header, signature }
  return JSON.stringify(general ? { payload, signatures: [signed] } : { payload, ...signed })
}

/** The mutations, by their name without a segment. */
const MUTATIONS: Readonly<Record<string, Mutation>> = {
  none: (token) => token,
  set_header: (token, { members }) => ({ ...token, header: withMembers(token.header, members) }),
  set_claims: (token, { members }) => ({ ...token, payload: withMembers(token.payload, members) }),
  drop_signature: (token) => ({ ...token, signature: '' }),
  flip_unused_bits: flipUnusedBits,
  pad_equals: (token, _tools, segment) => {
    const text = token[segment]
    return { ...token, [segment]: text + '='.repeat(text.length % 4 === 0 ? 4 : 4 - (text.length % 4)) }
  },
  std_alphabet: toStandardAlphabet,
  space: (token, _tools, segment) => ({ ...token, [segment]: insert(token[segment], ' ') }),
  tab: (token, _tools, segment) => ({ ...token, [segment]: insert(token[segment], '\t') }),
  dot: (token, _tools, segment) => ({ ...token, [segment]: insert(token[segment], '.') }),
  'json_serialization:general': (token) => toJsonSerialization(token, true),
  'json_serialization:flattened': (token) => toJsonSerialization(token, false),
  'swap_payloads:signature_of_other': (token, { other }) => ({ ...token, signature: other.signature }),
  'swap_payloads:payload_of_other': (token, { other }) => ({ ...token, payload: other.payload }),
  swap_header_only: (token) => ({
    ...token,
    header: encode(JSON.stringify(readSegment(token.header), null, 1)),
  }),
  ecdsa_to_der: (token) => ({ ...token, signature: encode(derPair(...toHalves(token))) }),
  ecdsa_r_plus_n: (token, tools) => addOrder(token, tools, 0),
  ecdsa_s_plus_n: (token, tools) => addOrder(token, tools, 1),
  ecdsa_zero: (token) => withSignature(token, (bytes) => new Uint8Array(bytes.length)),
  sig_append_zero: (token) => withSignature(token, (bytes) => Buffer.concat([bytes, Buffer.from([0])])),
  sig_prepend_zero: (token) => withSignature(token, (bytes) => Buffer.concat([Buffer.from([0]), bytes])),
  sig_truncate: (token) => withSignature(token, (bytes) => bytes.subarray(0, -1)),
  sig_flip_bit: (token) =>
    withSignature(token, (bytes) => Buffer.from(bytes.map((byte, index) => (index === 0 ? byte ^ 1 : byte)))),
  truncate: (token) => fromSegments(token).slice(0, -10),
  swap_secret: (token, { other }) => ({ ...token, signature: other.signature }),
  'gen+1': bumpGeneration,
  random: () => encode(randomBytes(32)),
  path: () => '../../../../etc/passwd',
  nul: (token) => `${fromSegments(token)}\0`,
  append_dot: (token) => `${fromSegments(token)}.`,
  append_newline: (token) => `${fromSegments(token)}\n`,
}

/**
 * Applies a mutation such as `flip_unused_bits:payload,resign`.
 *
 * @throws {Unsupported} for a name that is not in the table
 */
export function mutate(fn: string, token: string, tools: MutationTools): string {
  const [name = '', target = ''] = fn.split(':')
  const [segment = 'signature', ...flags] =
    Object.hasOwn(MUTATIONS, fn) || target === '' ? [] : target.split(',')
  const known = [fn, name].find((one) => Object.hasOwn(MUTATIONS, one))
  const mutation = known === undefined ? undefined : MUTATIONS[known]
  const segments = toSegments(token)
  const readable = Object.hasOwn(segments, segment) && flags.every((flag) => flag === 'resign')
  if (mutation === undefined || !readable) throw new Unsupported(`unknown mutation '${fn}'`)
  const changed = mutation(segments, tools, segment as Segment)
  if (typeof changed === 'string') return changed
  return fromSegments(flags.includes('resign') ? tools.resign(changed.header, changed.payload) : changed)
}
