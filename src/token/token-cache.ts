/**
 * The verified-token cache: it remembers that a signature was valid, never a decision about time.
 * Expiry, revocation and the route's requirement are checked on every hit. Values are frozen, and
 * refusals are not remembered.
 *
 * The key is an integer made of the signature's last characters (the "tail"), and the whole token
 * is compared afterwards: hashing the whole text of a new string costs more than all other checks
 * of a hit. Only the signer can choose those characters, and two tokens with one tail only displace
 * each other.
 *
 * The cache compares the text that the token came in, such as the header's value, because V8
 * compares whole texts faster than slices. All values of an entry are in one row of an array, and
 * the rows are found by small integers, so that a hit touches two places of memory that are far
 * from each other, the row and the text. `bench/README.md` has the figures.
 */
import type { Clock } from '../internal/duration.ts'
import { hasBegun, hasEnded, type Span } from './claims.ts'
import {
  type ExpectedToken,
  isExpectedType,
  type TokenKind,
  throwUnexpectedType,
} from './token-requirement.ts'

/** Bounds of a cache. */
export interface CacheBounds {
  /** The most tokens remembered. */
  readonly entries: number
  /** About how many bytes they may take. */
  readonly bytes: number
}

/** A token inside the text that it came in. */
export interface RawToken {
  /** The text, which ends with the token. */
  readonly text: string
  /** Where in the text the token begins. */
  readonly start: number
}

/** A token to remember, and when it may be used. */
interface CacheEntry<V> extends RawToken, Span {
  /** What it says. */
  readonly value: V
}

/** How many of the last characters make the key: 5 x 6 bits fit V8's small integers. */
const TAIL_LENGTH = 5

/** What an entry costs besides its text, in bytes: the payload, its strings and its cells. */
const ENTRY_OVERHEAD = 1100

/** The cells of a row, counted from its first one, which holds the text. */
const START = 1
const FROM = 2
const UNTIL = 3
const TYPE = 4
const REALM = 5
const VALUE = 6
const TAIL = 7
/** How many cells a row has. */
const WIDTH = 8

/** The slots of an empty generation, as a power of two. */
const LEAST_BITS = 6

/**
 * Entries as rows of cells in one array, and where the row of each tail is: a hash table of open
 * addressing with linear probing, of which at most a half is full. Nothing is deleted from it.
 */
class CacheGeneration {
  readonly cells: unknown[] = []
  #bits = LEAST_BITS
  /** The number of a tail's row, counted from one; 0 for none. */
  #slots = new Int32Array(1 << LEAST_BITS)

  /** The first cell of the row of a tail; -1 for none. */
  find(tail: number): number {
    const slots = this.#slots
    for (let slot = this.#firstSlot(tail); ; slot = (slot + 1) & (slots.length - 1)) {
      const row = ((slots[slot] as number) - 1) * WIDTH
      if (row < 0) return -1
      if (this.cells[row + TAIL] === tail) return row
    }
  }

  /** Adds a row of empty cells for a tail that has none; returns its first cell. */
  add(tail: number): number {
    const row = this.cells.length
    for (let i = 0; i < WIDTH; i++) this.cells.push(undefined)
    this.cells[row + TAIL] = tail
    if (this.size * 2 > this.#slots.length) this.#grow()
    else this.#enter(row)
    return row
  }

  /** How many rows there are. */
  get size(): number {
    return this.cells.length / WIDTH
  }

  #grow(): void {
    this.#slots = new Int32Array(1 << ++this.#bits)
    for (let row = 0; row < this.cells.length; row += WIDTH) this.#enter(row)
  }

  #enter(row: number): void {
    const slots = this.#slots
    let slot = this.#firstSlot(this.cells[row + TAIL] as number)
    while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1)
    slots[slot] = row / WIDTH + 1
  }

  /** Spreads the tails, whose last bits have few values (Fibonacci hashing). */
  #firstSlot(tail: number): number {
    return Math.imul(tail, 0x9e3779b1) >>> (32 - this.#bits)
  }
}

/**
 * A bounded cache of verified tokens in two generations: those used since the last turn, and those
 * used before it. When the young one is full, the old one is dropped whole and the young one takes
 * its place. So a flood of new tokens displaces unused ones first, without an ordered list.
 */
export class TokenCache<V extends TokenKind> {
  readonly #bounds: CacheBounds
  readonly #clock: Clock
  #young = new CacheGeneration()
  #old = new CacheGeneration()
  #youngBytes = 0

  /** @param clock returns epoch seconds */
  constructor(bounds: CacheBounds, clock: Clock) {
    this.#bounds = bounds
    this.#clock = clock
  }

  /**
   * The value of exactly this token, if it is remembered and may be used now.
   *
   * @throws {AuthError} as `throwUnexpectedType`, when it is of another type or realm
   */
  lookup(token: RawToken, expected: ExpectedToken): V | undefined {
    const tail = toTail(token.text)
    const found = this.#find(this.#young, tail, token, expected)
    if (found !== undefined) return found
    const old = this.#find(this.#old, tail, token, expected)
    if (old !== undefined) this.#write(tail, this.#read(tail))
    return old
  }

  /** Remembers a token; may displace others. */
  store(entry: CacheEntry<V>): void {
    this.#write(toTail(entry.text), entry)
  }

  #find(generation: CacheGeneration, tail: number, token: RawToken, expected: ExpectedToken): V | undefined {
    const row = generation.find(tail)
    if (row < 0) return undefined
    const { cells } = generation
    const now = this.#clock()
    if (!hasBegun(cells[row + FROM] as number, now) || hasEnded(cells[row + UNTIL] as number, now))
      return undefined
    if (!isSameToken(cells[row] as string, cells[row + START] as number, token)) return undefined
    const type = cells[row + TYPE] as V['type']
    const realm = cells[row + REALM] as V['login_type']
    const value = cells[row + VALUE] as V
    return isExpectedType(type, realm, expected) ? value : throwUnexpectedType(value, expected)
  }

  /** Reads the entry of a tail that the old generation has. */
  #read(tail: number): CacheEntry<V> {
    const { cells } = this.#old
    const row = this.#old.find(tail)
    return {
      text: cells[row] as string,
      start: cells[row + START] as number,
      from: cells[row + FROM] as number,
      until: cells[row + UNTIL] as number,
      value: cells[row + VALUE] as V,
    }
  }

  /** Writes an entry into the young generation; one with the same tail is overwritten. */
  #write(tail: number, entry: CacheEntry<V>): void {
    const bytes = entry.text.length + ENTRY_OVERHEAD
    if (bytes > this.#bounds.bytes / 2) return
    const row = this.#young.find(tail)
    const displaced = row < 0 ? 0 : (this.#young.cells[row] as string).length + ENTRY_OVERHEAD
    this.#youngBytes += bytes - displaced
    this.#turnIfFull(row < 0, bytes)

    const found = this.#young.find(tail)
    const at = found < 0 ? this.#young.add(tail) : found
    const { cells } = this.#young
    cells[at] = entry.text
    cells[at + START] = entry.start
    cells[at + FROM] = entry.from
    cells[at + UNTIL] = entry.until
    cells[at + TYPE] = entry.value.type
    cells[at + REALM] = entry.value.login_type
    cells[at + VALUE] = entry.value
  }

  /** Opens a new generation when an entry of so many bytes would not fit. */
  #turnIfFull(isNew: boolean, bytes: number): void {
    const halfEntries = Math.max(1, this.#bounds.entries >> 1)
    const { size } = this.#young
    if (!(isNew && size >= halfEntries) && this.#youngBytes <= this.#bounds.bytes / 2) return
    const keepsYoung = size + halfEntries <= this.#bounds.entries
    this.#old = keepsYoung ? this.#young : new CacheGeneration()
    this.#young = new CacheGeneration()
    this.#youngBytes = bytes
  }
}

/** An integer from the last characters of a token's signature. */
function toTail(text: string): number {
  let tail = 0
  for (let i = text.length - TAIL_LENGTH; i < text.length; i++) tail = (tail << 6) ^ text.charCodeAt(i)
  return tail
}

/**
 * Whether two tokens are exactly the same. If both begin at the same place, the texts before them
 * are normally the same scheme; if not, the token is simply verified again.
 */
function isSameToken(text: string, start: number, token: RawToken): boolean {
  return start === token.start ? text === token.text : isSameSlice(text, start, token)
}

/** The same for tokens that came in different texts. */
function isSameSlice(text: string, start: number, token: RawToken): boolean {
  if (text.length - start !== token.text.length - token.start) return false
  return text.slice(start) === token.text.slice(token.start)
}
