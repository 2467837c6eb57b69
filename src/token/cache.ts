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
 * costs up to 1 us on a virtual machine. So what can lie side by side for all tokens does, in columns; and of the places that are its own,
 * text and value, both are asked for before the first is needed.
 */
import type { Clock } from '../base/duration.ts'
import { hasBegun, hasEnded, type Span } from './claims.ts'
import { isOfKind, refuseKind, type TokenKind, type Wanted } from './requirement.ts'

/** Bounds of a cache. */
export interface CacheBounds {
  /** The most tokens remembered. */
  readonly entries: number
  /** About how many bytes they may take. */
  readonly bytes: number
}

/** A token as it was carried. */
export interface Carried {
  /** What carried it, and ends with it. */
  readonly text: string
  /** Where in the text the token begins. */
  readonly start: number
}

/** A token to remember, and between which moments it may be used. */
export interface Entry<V> extends Carried, Span {
  /** What it says. */
  readonly value: V
}

/** A bounded memory of verified tokens. */
export interface TokenCache<V extends TokenKind> {
  /** What exactly this token says, if it is remembered and may be used now. @throws {AuthError} as `refuseKind`, when it is of another kind */
  find(carried: Carried, wanted: Wanted): V | undefined
  /** Remembers a token; may forget another one. */
  store(entry: Entry<V>): void
}

/** How many of the last characters make the key: 5 x 6 bits fit the small integers that a `Map` finds fastest. */
const TAIL_LENGTH = 5

/** What an entry costs beside its text, in bytes: the frozen payload, its strings and its place in the columns; measured. */
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

/** Entries in columns: a slot is one entry. */
interface Generation<V> {
  /** The slot of each tail. */
  readonly slots: Map<number, number>
  readonly texts: string[]
  readonly starts: number[]
  readonly froms: number[]
  readonly untils: number[]
  readonly values: V[]
}

function createGeneration<V>(): Generation<V> {
  return { slots: new Map(), texts: [], starts: [], froms: [], untils: [], values: [] }
}

/** Writes an entry; one with the same tail makes room for it. */
function write<V>(
  generation: Generation<V>,
  tail: number,
  { text, start, from, until, value }: Entry<V>,
): void {
  const { slots, texts, starts, froms, untils, values } = generation
  const slot = slots.get(tail) ?? texts.length
  slots.set(tail, slot)
  texts[slot] = text
  starts[slot] = start
  froms[slot] = from
  untils[slot] = until
  values[slot] = value
}

/** Reads the entry of a tail that is there. */
function read<V>({ slots, texts, starts, froms, untils, values }: Generation<V>, tail: number): Entry<V> {
  const slot = slots.get(tail) as number
  return {
    text: texts[slot] as string,
    start: starts[slot] as number,
    from: froms[slot] as number,
    until: untils[slot] as number,
    value: values[slot] as V,
  }
}

/**
 * Whether two tokens are exactly the same, however they were carried. Where they begin at the same place the texts before them are the same
 * too, as there is one scheme; were they not, a token would be taken for another, and verified anew.
 */
function isSame(known: string, knownStart: number, { text, start }: Carried): boolean {
  return knownStart === start ? known === text : known.slice(knownStart) === text.slice(start)
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
  let young = createGeneration<V>()
  let old = createGeneration<V>()
  let youngBytes = 0

  function keep(tail: number, entry: Entry<V>): void {
    const bytes = toBytes(entry.text)
    if (bytes > halfBytes) return
    const slot = young.slots.get(tail)
    const takesSlot = slot === undefined
    youngBytes += takesSlot ? bytes : bytes - toBytes(young.texts[slot] as string)
    if ((takesSlot && young.texts.length >= halfEntries) || youngBytes > halfBytes) {
      old = young.texts.length + halfEntries <= bounds.entries ? young : createGeneration()
      young = createGeneration()
      youngBytes = bytes
    }
    write(young, tail, entry)
  }

  /** Looks into one generation. Its texts are compared last: the other questions make the processor fetch them meanwhile. */
  function seek(
    { slots, texts, starts, froms, untils, values }: Generation<V>,
    tail: number,
    carried: Carried,
    wanted: Wanted,
  ): V | undefined {
    const slot = slots.get(tail)
    if (slot === undefined) return undefined
    const text = texts[slot] as string
    const start = starts[slot] as number
    const value = values[slot] as V
    if (text.length - start !== carried.text.length - carried.start) return undefined
    const fits = isOfKind(value, wanted)
    const now = clock()
    if (!hasBegun(froms[slot] as number, now) || hasEnded(untils[slot] as number, now)) return undefined
    if (!isSame(text, start, carried)) return undefined
    return fits ? value : refuseKind(value, wanted)
  }

  /** Finds a token that was not used since the last turn, and keeps it for another one. */
  function seekOld(tail: number, carried: Carried, wanted: Wanted): V | undefined {
    const found = seek(old, tail, carried, wanted)
    if (found !== undefined) keep(tail, read(old, tail))
    return found
  }

  return {
    find(carried, wanted) {
      const tail = toTail(carried.text)
      return seek(young, tail, carried, wanted) ?? seekOld(tail, carried, wanted)
    },
    store(entry) {
      keep(toTail(entry.text), entry)
    },
  }
}
