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
 */

/** Bounds of a cache. */
export interface CacheBounds {
  /** The most tokens remembered. */
  readonly entries: number
  /** About how many bytes they may take. */
  readonly bytes: number
}

/** What is remembered of a token. */
export interface Remembered {
  /** What carried it, and ends with it. */
  readonly text: string
  /** Where in the text the token begins. */
  readonly start: number
}

/** A bounded memory of verified tokens. */
export interface TokenCache<V extends Remembered> {
  /** What is remembered of exactly the token that begins there in a text and ends with it. */
  find(text: string, start: number): V | undefined
  /** Remembers a token; may forget another one. */
  store(entry: V): void
}

/** How many of the last characters make the key: 5 x 6 bits fit the small integers that a `Map` finds fastest. */
const TAIL_LENGTH = 5

/** What an entry costs beside its text, in bytes: the frozen payload, its strings and the map's slot; measured. */
const ENTRY_OVERHEAD = 1100

/** An integer from the last characters of a token's signature. */
function toTail(text: string): number {
  let tail = 0
  for (let i = text.length - TAIL_LENGTH; i < text.length; i++) tail = (tail << 6) ^ text.charCodeAt(i)
  return tail
}

/**
 * Whether an entry is of exactly this token, however that was carried. Where tokens begin at the same place the texts before them are the
 * same too, as there is one scheme; were they not, a token would be taken for another, and verified anew.
 */
function isOf(entry: Remembered, text: string, start: number): boolean {
  return entry.start === start ? entry.text === text : entry.text.slice(entry.start) === text.slice(start)
}

/**
 * Makes a cache of two generations: what was used since the last turn, and what was used before it.
 * When the young half is full, the old one is dropped whole, so that a flood of new tokens pushes out
 * what nobody uses and not what everybody does; no list has to be kept in order.
 */
export function createTokenCache<V extends Remembered>(bounds: CacheBounds): TokenCache<V> {
  const halfEntries = Math.max(1, bounds.entries >> 1)
  const halfBytes = bounds.bytes / 2
  let young = new Map<number, V>()
  let old = new Map<number, V>()
  let youngBytes = 0

  function keep(tail: number, entry: V): void {
    if (entry.text.length + ENTRY_OVERHEAD > halfBytes) return
    youngBytes += entry.text.length + ENTRY_OVERHEAD
    if (young.size >= halfEntries || youngBytes > halfBytes) {
      old = young.size + halfEntries <= bounds.entries ? young : new Map()
      young = new Map()
      youngBytes = entry.text.length + ENTRY_OVERHEAD
    }
    young.set(tail, entry)
  }

  return {
    find(text, start) {
      const tail = toTail(text)
      const hit = young.get(tail)
      if (hit !== undefined && isOf(hit, text, start)) return hit
      const aged = old.get(tail)
      if (aged === undefined || !isOf(aged, text, start)) return undefined
      keep(tail, aged)
      return aged
    },
    store(entry) {
      keep(toTail(entry.text), entry)
    },
  }
}
