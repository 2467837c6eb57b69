/** What a store is told of attempts, and what it returns. */

/** The result of one more attempt. */
export interface Attempt {
  /** Whether it may be made. */
  readonly allowed: boolean
  /** Seconds until the next one may be, when it may not; whole, at least 1. */
  readonly retryAfter: number
  /** How many attempts are counted in the window, this one included when it may be made. */
  readonly count: number
}

/** What is counted of a key. */
export interface CountedAttempts {
  /** How many attempts; 0 once the window has ended. */
  readonly count: number
  /** Seconds until the window ends; whole, 0 where nothing is counted. */
  readonly endsIn: number
}

/** A key that counts one attempt together with others. */
export interface AttemptCount {
  /** The key. */
  readonly key: string
  /** The most attempts in its window, this one included. */
  readonly limit: number
  /** The length of its window from the first attempt, in seconds. */
  readonly window: number
}

/** The result of counting several keys together. */
export interface CountedTogether {
  /** Whether each key has counted the attempt; else none has. */
  readonly counted: boolean
  /** What is counted of the keys that were only read, in their order. */
  readonly reads: readonly CountedAttempts[]
}

/** Attempts of a key that are taken back. */
export interface AttemptForget {
  /** The key. */
  readonly key: string
  /** How many; null for all. */
  readonly count: number | null
}
