/** Reproducible random numbers: the same seed gives the same run. Not for secrets. */

/** Returns a number in [0, 1). */
export type Random = () => number

/**
 * Creates a generator (splitmix32).
 *
 * @param seed any integer; only its lowest 32 bits matter
 */
export function createRandom(seed: number): Random {
  let state = seed | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
}
