/**
 * The verified-token cache: it holds the proof that a signature was right, never the verdict of time.
 * Expiry, revocation and the route's requirement are judged on every hit; values are frozen; refusals are not remembered.
 *
 * A token is found by its tail: an integer out of the signature's last characters is the key of the `Map`, and the whole
 * token is compared afterwards. A `Map` keyed by the token itself hashes some 500 characters of a string that is new with every
 * request (0.8 us); the comparison is one of memory (30 ns). Only the signer can choose those characters, and two
 * tokens with one tail merely displace each other.
 *
 * What is compared is the text that carried the token, a header's value for instance, where both were carried alike: V8 compares
 * whole texts at once (30 ns), and asks its runtime to compare slices (80 ns).
 *
 * On a busy server a token's memory has long left the processor's caches when the token comes again, and fetching a place of its own
 * costs up to 1 us on a virtual machine. So what is asked of a token lies in one row of cells, side by side with the rows of all others, and its
 * text is the only place of its own that is touched: not even the payload is, until somebody reads it. (A time that is no whole second, or lies
 * beyond 2038, is to V8 a number with a place of its own.)
 */
import type { Clock } from '../internal/duration.ts'
import { hasBegun, hasEnded, type Span } from './claims.ts'
import { checkTypeAndRealm, type ExpectedToken, isExpectedType, type TokenKind } from './token-requirement.ts'

/** Bounds of a cache. */
export interface CacheBounds {
  /** The most tokens remembered. */
  readonly entries: number
  /** About how many bytes they may take. */
  readonly bytes: number
}

/** A token as it was carried. */
export interface RawToken {
  /** What carried it, and ends with it. */
  readonly text: string
  /** Where in the text the token begins. */
  readonly start: number
}

/** A token to remember, and between which moments it may be used. */
export interface CacheEntry<V> extends RawToken, Span {
  /** What it says. */
  readonly value: V
}

/** A bounded memory of verified tokens. */
export interface TokenCache<V extends TokenKind> {
  /** What exactly this token says, if it is remembered and may be used now. @throws {AuthError} as `refuseKind`, when it is of another kind */
  lookup(carried: RawToken, wanted: ExpectedToken): V | undefined
  /** Remembers a token; may forget another one. */
  store(entry: CacheEntry<V>): void
}

/** How many of the last characters make the key: 5 x 6 bits fit the small integers that a `Map` finds fastest. */
const TAIL_LENGTH = 5

/** What an entry costs beside its text, in bytes: the frozen payload, its strings and its cells. 620 measured, and room for custom claims. */
const ENTRY_OVERHEAD = 1100

/** An integer from the last characters of a token's signature. */
function toTail(text: string): number {
  let tail = 0
  for (let i = text.length - TAIL_LENGTH; i < text.length; i++) tail = (tail << 6) ^ text.charCodeAt(i)
  return tail
}

/** About how many bytes an entry takes. */
function toBytes(text: string): number {
  return text.length + ENTRY_OVERHEAD
}

/** The cells of a row, counted from its first one, which holds the text. */
const START = 1
const FROM = 2
const UNTIL = 3
const TYPE = 4
const REALM = 5
const VALUE = 6
/** How many cells a row has. */
const WIDTH = 7

/** Entries as rows of cells. */
interface CacheGeneration {
  /** The first cell of the row of each tail. */
  readonly rows: Map<number, number>
  readonly cells: unknown[]
}

function createCacheGeneration(): CacheGeneration {
  return { rows: new Map(), cells: [] }
}

/** How many entries a generation has. */
function sizeOf({ cells }: CacheGeneration): number {
  return cells.length / WIDTH
}

/** Writes an entry; one with the same tail makes room for it. */
function write<V extends TokenKind>(
  { rows, cells }: CacheGeneration,
  tail: number,
  entry: CacheEntry<V>,
): void {
  const row = rows.get(tail) ?? cells.length
  rows.set(tail, row)
  cells[row] = entry.text
  cells[row + START] = entry.start
  cells[row + FROM] = entry.from
  cells[row + UNTIL] = entry.until
  cells[row + TYPE] = entry.value.type
  cells[row + REALM] = entry.value.login_type
  cells[row + VALUE] = entry.value
}

/** Reads the entry of a tail that is there. */
function read<V>({ rows, cells }: CacheGeneration, tail: number): CacheEntry<V> {
  const row = rows.get(tail) as number
  return {
    text: cells[row] as string,
    start: cells[row + START] as number,
    from: cells[row + FROM] as number,
    until: cells[row + UNTIL] as number,
    value: cells[row + VALUE] as V,
  }
}

/**
 * Whether two tokens are exactly the same, however they were carried. Where they begin at the same place the texts before them are the same
 * too, as there is one scheme; were they not, a token would be taken for another, and verified anew.
 */
function isSame(text: string, start: number, carried: RawToken): boolean {
  return start === carried.start ? text === carried.text : isSameSlice(text, start, carried)
}

/** The same of tokens that were carried differently; slices are not made where they cannot be equal. */
function isSameSlice(text: string, start: number, carried: RawToken): boolean {
  if (text.length - start !== carried.text.length - carried.start) return false
  return text.slice(start) === carried.text.slice(carried.start)
}

/**
 * Makes a cache of two generations: what was used since the last turn, and what was used before it.
 * When the young half is full, the old one is dropped whole, so that a flood of new tokens pushes out
 * what nobody uses and not what everybody does; no list has to be kept in order.
 *
 * @param clock answers epoch seconds
 */
export function createTokenCache<V extends TokenKind>(bounds: CacheBounds, clock: Clock): TokenCache<V> {
  const halfEntries = Math.max(1, bounds.entries >> 1)
  const halfBytes = bounds.bytes / 2
  let young = createCacheGeneration()
  let old = createCacheGeneration()
  let youngBytes = 0

  function keep(tail: number, entry: CacheEntry<V>): void {
    const bytes = toBytes(entry.text)
    if (bytes > halfBytes) return
    const row = young.rows.get(tail)
    const isNew = row === undefined
    youngBytes += isNew ? bytes : bytes - toBytes(young.cells[row] as string)
    if ((isNew && sizeOf(young) >= halfEntries) || youngBytes > halfBytes) {
      old = sizeOf(young) + halfEntries <= bounds.entries ? young : createCacheGeneration()
      young = createCacheGeneration()
      youngBytes = bytes
    }
    write(young, tail, entry)
  }

  /** Looks into one generation. */
  function seek(
    { rows, cells }: CacheGeneration,
    tail: number,
    carried: RawToken,
    wanted: ExpectedToken,
  ): V | undefined {
    const row = rows.get(tail)
    if (row === undefined) return undefined
    const text = cells[row] as string
    const start = cells[row + START] as number
    const now = clock()
    if (!hasBegun(cells[row + FROM] as number, now) || hasEnded(cells[row + UNTIL] as number, now))
      return undefined
    if (!isSame(text, start, carried)) return undefined
    const type = cells[row + TYPE] as V['type']
    const realm = cells[row + REALM] as V['login_type']
    const value = cells[row + VALUE] as V
    return isExpectedType(type, realm, wanted) ? value : checkTypeAndRealm(value, wanted)
  }

  /** Finds a token that was not used since the last turn, and keeps it for another one. */
  function seekOld(tail: number, carried: RawToken, wanted: ExpectedToken): V | undefined {
    const found = seek(old, tail, carried, wanted)
    if (found !== undefined) keep(tail, read(old, tail))
    return found
  }

  return {
    lookup(carried, wanted) {
      const tail = toTail(carried.text)
      return seek(young, tail, carried, wanted) ?? seekOld(tail, carried, wanted)
    },
    store(entry) {
      keep(toTail(entry.text), entry)
    },
  }
}
