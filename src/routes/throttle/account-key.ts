/**
 * Accounts as limits count them. The application's database looks up a name, and may treat many
 * spellings as one name: the usual collations of MySQL fold case, accents, width, invisible
 * characters and trailing spaces. All of them share one count. Two names that fold alike may still
 * be two accounts, so a success counts for the exact spelling only.
 */
import { sha256 } from '../../internal/hash.ts'
import { COLLATION_EQUALS } from './collation-equals.ts'
import { SCRIPT_EQUALS } from './script-equals.ts'

/** The keys of an account's counts. Both are hashes, of fixed length for any name. */
export interface AccountKey {
  /** The key that all spellings share. */
  readonly folded: string
  /** The key of this spelling only. */
  readonly exact: string
}

/** The account that a username names in a realm. */
export function toAccountKey(username: string, realm: string | null): AccountKey {
  return {
    folded: toHash('name', realm, foldName(username)),
    exact: toHash('spelling', realm, username),
  }
}

/** The account of a subject in a realm: it has one spelling. */
export function toSubjectKey(subject: string, realm: string | null): AccountKey {
  const key = toHash('subject', realm, subject)
  return { folded: key, exact: key }
}

/** One key from several texts: 132 bits of SHA-256 in base64url. */
export function toHash(...parts: readonly (string | null)[]): string {
  return sha256(JSON.stringify(parts)).slice(0, 22)
}

const EQUALS: ReadonlyMap<string, string> = new Map([
  ...Object.entries(COLLATION_EQUALS).flatMap(([letter, points]) =>
    points.split(' ').map((point) => [toCharacter(point), letter] as const),
  ),
  ...SCRIPT_EQUALS.flatMap((line) => line.split(' ')).flatMap((group) => {
    const [equal = '', points = ''] = group.split(':')
    return points
      .split(',')
      .map((point) => [toCharacter(point), equal.split('+').map(toCharacter).join('')] as const)
  }),
])

function toCharacter(point: string): string {
  return String.fromCodePoint(Number.parseInt(point, 16))
}

/** Older collations treat all characters of more than 16 bits as one. */
const SUPPLEMENTARY = /[\u{10000}-\u{10ffff}]/gu

const IGNORED = /[\p{M}\p{Default_Ignorable_Code_Point}\p{Cc}]/gu

/**
 * Folds all spellings that the usual collations treat as one name into one text. May also join a
 * few names that they distinguish.
 */
export function foldName(name: string): string {
  const plain = /^[ -~]*$/.test(name) ? name.toLowerCase() : foldUnicode(name)
  // A sharp s equals `s` in one collation and `ss` in another.
  return plain.replace(/s+/g, 's').trim()
}

function foldUnicode(name: string): string {
  const letters = replaceEquals(replaceEquals(name).normalize('NFKD').replace(IGNORED, ''))
  // Through upper case: some letters have only that in common.
  const cased = letters.toLowerCase().toUpperCase().toLowerCase()
  const folded = cased
    .normalize('NFKD')
    .replace(IGNORED, '')
    .replace(/\p{Nd}/gu, toAsciiDigit)
  return replaceEquals(folded).replace(SUPPLEMENTARY, '\ufffd')
}

function replaceEquals(text: string): string {
  return Array.from(text, (character) => EQUALS.get(character) ?? character).join('')
}

/** The value of a decimal digit: Unicode has them in runs of ten. */
function toAsciiDigit(digit: string): string {
  const point = digit.codePointAt(0) ?? 0
  let zero = point
  while (point - zero < 9 && /\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero--
  return String(point - zero)
}
