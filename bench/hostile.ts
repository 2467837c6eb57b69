/**
 * Hostile tokens, to measure what a refusal costs. None should cost more than a genuine token,
 * whatever its size.
 */
import { draw, type PairName, signByHand, toHeader } from './token.ts'

const MEGABYTE = 1_000_000
const deep = `${'['.repeat(MEGABYTE / 2)}${']'.repeat(MEGABYTE / 2)}`
const encode = (text: string): string => Buffer.from(text).toString('base64url')

/** An attack. */
export interface Attack {
  /** Its title in the table. */
  readonly title: string
  /** Creates one bad token. */
  readonly draw: () => string
}

/** Changes a character in the middle of the signature. */
function spoil(token: string): string {
  const at = token.length - 20
  return `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`
}

/** Creates a large token again for each call, so that V8 has not hashed the string. */
function repeat(token: string): () => string {
  const bytes = Buffer.from(token, 'latin1')
  return () => bytes.toString('latin1')
}

/** The attacks on an HS256 verifier, from a pool of genuine tokens. */
export function createAttacks(pool: readonly Buffer[]): readonly Attack[] {
  const header = toHeader('HS256' satisfies 'HS256' | PairName)
  const deepHeader = encode(`{"alg":"HS256","typ":"at+jwt","x":${deep}}`)
  return [
    { title: 'refuse: normal size, bad MAC', draw: () => Buffer.from(spoil(draw(pool))).toString('latin1') },
    { title: 'refuse: a million dots', draw: repeat('.'.repeat(MEGABYTE)) },
    {
      title: 'refuse: 1 MB payload, deep, bad MAC',
      draw: repeat(spoil(signByHand(header, `{"x":${deep}}`))),
    },
    {
      title: 'refuse: 1 MB header, deep, bad MAC',
      draw: repeat(spoil(signByHand(deepHeader, '{}'))),
    },
  ]
}
