/**
 * Checks a shared secret for HMAC: long enough (RFC 7518 section 3.2), not a sample that people
 * copy, and not a key of another kind given by mistake, as everyone knows a public key's text. It
 * cannot detect a random secret that was published.
 */

import { ConfigurationError } from '../internal/configuration-error.ts'
import { warn } from '../internal/warn.ts'

/** How to make a good secret; every message about a bad one ends so. */
const ADVICE = 'make one with: node -p "crypto.randomBytes(48).toString(\'base64url\')"'

/**
 * The fewest different bytes in a secret. A random one of 32 bytes has more than 20, in hexadecimal
 * more than 8.
 */
const MIN_DISTINCT_BYTES = 8

/** Texts that only a key of another kind holds: PEM, SSH keys, JSON Web Keys. */
const OTHER_KEY = /-----BEGIN |^ssh-|^ecdsa-sha2-|"kty"\s*:/

/**
 * Refuses a weak HMAC secret, and warns of one that may be weak. The message says which rule it
 * breaks and how to make a better one, and never shows a part of it.
 *
 * @param at the option as the developer writes it
 * @param secret the secret's bytes
 * @param minBytes the least length that the algorithm takes
 * @throws {ConfigurationError} for a secret that is short, looks like a sample, is a sequence or a
 *   repetition, has few different bytes, or is another kind of key
 */
export function checkSecret(at: string, secret: Uint8Array, alg: string, minBytes: number): void {
  if (secret.length < minBytes) {
    throw new ConfigurationError(
      `Expected \`${at}\` to be at least ${minBytes} bytes for ${alg}, got ${secret.length}; ${ADVICE}`,
    )
  }
  const text = Buffer.from(secret).toString('latin1')
  if (OTHER_KEY.test(text)) {
    throw new ConfigurationError(
      `Expected \`${at}\` to be a random secret for ${alg}, got a key of another kind; ${ADVICE}`,
    )
  }
  const spellings = [text, ...decodeSpellings(text)]
  if (new Set(secret).size < MIN_DISTINCT_BYTES || spellings.some(isSample)) {
    throw new ConfigurationError(`Expected \`${at}\` to be random: it can be guessed; ${ADVICE}`)
  }
  if (estimateBits(text) < MIN_ESTIMATED_BITS || spellings.some(readsLikeWords)) {
    warn(
      'TOKENWRIGHT_WEAK_SECRET',
      `\`${at}\` looks like words or too few random characters; ${ADVICE}`,
      'SecurityWarning',
    )
  }
}

/** The texts that a secret may be the base64, base64url or hexadecimal of. */
function decodeSpellings(text: string): readonly string[] {
  const trimmed = text.trim()
  const encodings = [
    ...(/^(?:[0-9a-f]{2})+$/i.test(trimmed) ? (['hex'] as const) : []),
    ...(/^[\w+/-]+={0,2}$/.test(trimmed) ? (['base64'] as const) : []),
  ]
  return encodings
    .map((encoding) => Buffer.from(trimmed, encoding).toString('latin1'))
    .filter((decoded) => /^[\x20-\x7e\s]+$/.test(decoded))
}

/**
 * Whether a text is a known sort of sample: tell-tale words, a run of the keyboard or alphabet, a
 * repetition.
 */
function isSample(text: string): boolean {
  const head = text.slice(0, MAX_INSPECTED)
  return (
    (text.length <= MAX_SAMPLE_LENGTH && countTellTales(head) >= MIN_SAMPLE_SHARE * head.length) ||
    countNeighbors(head) >= MIN_NEIGHBORS * (head.length - 1) ||
    countTrigrams(head) <= MAX_REPETITION * (head.length - 2)
  )
}

/** How much of a secret is inspected, in characters: enough to recognize any sample. */
const MAX_INSPECTED = 256

/** Longer texts of words may be passphrases: they cause a warning, no error. */
const MAX_SAMPLE_LENGTH = 64

/** The share of a sample that is made of tell-tale words. */
const MIN_SAMPLE_SHARE = 0.4

/** Words of at least four letters that samples are made of, in the languages of most of them. */
const TELL_TALES = `
abcdef access adipiscing admin algorithm amet another application auth authentication authorization
backend base64 battery bits brown bytes change changeme characters clave consectetur contrasena
correct default demo development django dolor dummy encryption enough environment example express
fake flask foobar geheim generate hello here hmac horse hs256 hs384 hs512 insecure insert ipsum json
jumps keyboard laravel lazy least length letmein long lorem minimum must mysecret need never node
palabra para pass passphrase password passwd phrase placeholder please private prod production public
quick rahasia random react refresh replace safe sample secret secreta secreto secure security segredo
senha server service session should shhh sign signature signing simple some something spring staple
string strong super symmetric temp test testing that this token topsecret tutorial udemy used user
value very with word world your`
  .trim()
  .split(/\s+/)
  .join('|')

/** The same words, and short ones that stand alone. */
const TELL_TALE_WORDS = new RegExp(
  `${TELL_TALES}|(?<![a-z])(?:an?|any|api|app|at|be|bit|by|dev|do|for|in|is|it|jwt|key|my|not|of|on|or|the|to|use|we|you)(?![a-z])`,
  'g',
)

/**
 * The fewest letters of longer words before short ones count: random texts have some short ones.
 */
const MIN_LONG_LETTERS = 6

/**
 * How many characters belong to tell-tale words and the separators between words. Digits and signs
 * are also read as the letters that they stand for.
 */
function countTellTales(text: string): number {
  // Hexadecimal digits spell words by chance, above all where digits stand for letters.
  if (/^[0-9a-f-]+$/i.test(text)) return 0
  const separated = text.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase()
  const plain = separated.replace(/[@013457$]/g, (sign) => LEET[sign] ?? sign)
  const letters = [separated, plain].map((spelling) => {
    const words = spelling.match(TELL_TALE_WORDS) ?? []
    const long = words.filter((word) => word.length > 3).join('').length
    return long < MIN_LONG_LETTERS ? 0 : words.join('').length
  })
  const most = Math.max(...letters)
  return most === 0 ? 0 : most + (text.match(/[\s_.,;:!?-]/g) ?? []).length
}

/** The letters that digits and signs stand for. */
const LEET: Readonly<Record<string, string>> = {
  '@': 'a',
  0: 'o',
  1: 'i',
  3: 'e',
  4: 'a',
  5: 's',
  7: 't',
  $: 's',
}

/** The share of pairs that are neighbors on the keyboard or in the alphabet, at least. */
const MIN_NEIGHBORS = 0.6

/** The rows of a keyboard, the alphabet and the digits. */
const SEQUENCES = [
  'abcdefghijklmnopqrstuvwxyz',
  '01234567890',
  'qwertyuiop[]',
  'asdfghjkl;',
  'zxcvbnm,./',
  '!@#$%^&*()_+',
  '1q2w3e4r5t6y7u8i9o0p',
  '1qaz2wsx3edc4rfv5tgb6yhn7ujm',
  'azertyuiop',
  '0123456789abcdef0123456789',
]

/** How many pairs of characters are such neighbors, forward or backward, or the same twice. */
function countNeighbors(text: string): number {
  const folded = text.toLowerCase()
  let neighbors = 0
  for (let i = 1; i < folded.length; i++) {
    const [a = '', b = ''] = [folded[i - 1], folded[i]]
    if (a === b || SEQUENCES.some((row) => row.includes(a + b) || row.includes(b + a))) neighbors++
  }
  return neighbors
}

/** The share of different trigrams, at most, in a repetition. */
const MAX_REPETITION = 0.5

function countTrigrams(text: string): number {
  const trigrams = new Set<string>()
  for (let i = 2; i < text.length; i++) trigrams.add(text.slice(i - 2, i + 1))
  return trigrams.size
}

/** Fewer estimated bits cause a warning. */
const MIN_ESTIMATED_BITS = 128

/**
 * How many bits a random text of these characters has: its length times the bits of its alphabet. A
 * UUID has 122.
 */
function estimateBits(secret: string): number {
  const text = secret.trim()
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return 122
  const classes = [/[0-9]/, /[a-z]/, /[A-Z]/, /[^0-9a-zA-Z]/]
  const sizes = [10, 26, 26, 32]
  const isHex = /^(?:[0-9a-f-]+|[0-9A-F-]+)$/.test(text) && /[a-f]/i.test(text)
  const size = isHex ? 16 : classes.reduce((sum, c, i) => sum + (c.test(text) ? (sizes[i] ?? 0) : 0), 0)
  return text.replaceAll('-', '').length * Math.log2(Math.min(size, 64))
}

/** The share of common pairs of letters that a text of words has. */
const MIN_COMMON_PAIRS = 0.3

/** The most common pairs of letters in English; other European languages share most of them. */
const COMMON_PAIRS = new Set(
  'th he in er an re nd at on nt ha es st en ed to it ou ea hi is or ti as te et ng of al de se le sa si ar ve ra ld ur ro ri co me ne ke ec cr'.split(
    ' ',
  ),
)

/** The share of tell-tale words that causes a warning. */
const MIN_WORDS_SHARE = 0.15

/** Whether a text has tell-tale words, or as many common pairs of letters as words have. */
function readsLikeWords(text: string): boolean {
  const head = text.slice(0, MAX_INSPECTED)
  if (countTellTales(head) >= MIN_WORDS_SHARE * head.length) return true
  const folded = head.toLowerCase()
  let common = 0
  for (let i = 1; i < folded.length; i++) if (COMMON_PAIRS.has(folded.slice(i - 1, i + 1))) common++
  return common >= MIN_COMMON_PAIRS * (folded.length - 1)
}
