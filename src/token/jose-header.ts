/**
 * The JOSE header (RFC 7515 section 4): small, flat, each member once, nothing critical. It never
 * chooses an algorithm: its `alg` and `kid` are compared with the key ring.
 */
import { decodeText } from '../internal/bytes.ts'
import { parseFlatObject } from '../internal/json.ts'
import { ALGORITHMS } from './algorithms.ts'
import { MAX_KID_LENGTH } from './import-keys.ts'
import { type HeaderType, TOKEN_TYPES, type TokenType } from './token-type.ts'

/** The longest encoded header that is decoded, in characters. */
const MAX_ENCODED_LENGTH = 1024

/** The most members in a header. */
const MAX_MEMBERS = 16

/**
 * Members that change what a signature means or where its key comes from. We support none of them,
 * so a token that has one is refused (RFC 7515 section 4.1.11, RFC 7797, RFC 7516 section 4.1, RFC
 * 8725 section 3.10).
 */
const REFUSED_MEMBERS = [
  'crit',
  'b64',
  'zip',
  'enc',
  'epk',
  'apu',
  'apv',
  'p2s',
  'p2c',
  'jwk',
  'jku',
  'x5u',
  'x5c',
]

/**
 * Those of them that only say where a key may be found. Where the keys are known from elsewhere
 * they may be ignored (RFC 7515 section 4.1.2), as some issuers write them into every token.
 */
const HINTS: ReadonlySet<string> = new Set(['jku', 'x5u', 'x5c'])

/** A header that was read. */
export interface JoseHeader extends HeaderType {
  /** The algorithm that it names, one of the table. */
  readonly alg: string
  /** The key that it names; undefined for none. */
  readonly kid: string | undefined
  /** The `typ` in lower case; undefined for none. */
  readonly typ: string | undefined
}

/**
 * The accepted spellings of each `typ` (RFC 9068 section 4 allows the longer one); media types fold
 * case.
 */
const TYPES: ReadonlyMap<string, TokenType> = new Map(
  (Object.keys(TOKEN_TYPES) as TokenType[]).flatMap((type) => {
    const { typ, profiled } = TOKEN_TYPES[type]
    return [typ, `application/${typ}`, profiled, `application/${profiled}`].map(
      (name) => [name, type] as const,
    )
  }),
)

/**
 * Reads an encoded header.
 *
 * @param ignored `hints` for tokens of other issuers: members that say where a key is are ignored
 * @returns in words what is wrong with a text that is not a header, has a refused member, or names
 *   an unknown algorithm
 */
export function readJoseHeader(
  encoded: string,
  ignored: 'nothing' | 'hints' = 'nothing',
): JoseHeader | string {
  if (encoded.length > MAX_ENCODED_LENGTH) return `The header is longer than ${MAX_ENCODED_LENGTH} characters`
  const text = decodeText(encoded)
  const members = text === undefined ? undefined : parseFlatObject(text)
  if (members === undefined) return 'The header is not base64url of a JSON object with each member once'
  if (members.size > MAX_MEMBERS) return `The header has more than ${MAX_MEMBERS} members`
  const refused = REFUSED_MEMBERS.find(
    (name) => members.has(name) && !(ignored === 'hints' && HINTS.has(name)),
  )
  if (refused !== undefined) return `The header has the member \`${refused}\`, which is not supported`

  const alg = members.get('alg')
  if (typeof alg !== 'string' || !ALGORITHMS.has(alg))
    return 'The header names no algorithm that is supported'
  const typ = members.get('typ')
  if (typ !== undefined && typeof typ !== 'string') return 'The `typ` of the header is not a text'
  const kid = members.get('kid')
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > MAX_KID_LENGTH))
    return `The \`kid\` of the header is not a text of at most ${MAX_KID_LENGTH} characters`

  const folded = typ?.toLowerCase()
  const type = folded === undefined ? undefined : TYPES.get(folded)
  return { alg, kid, typ: folded, type: type ?? null, untyped: folded === undefined || folded === 'jwt' }
}
