/**
 * Hashes and verifies passwords with argon2id (RFC 9106), with the parameters that OWASP recommends
 * and that are the package's defaults: 19 MiB, two passes, one lane.
 *
 * At most one hash per core runs at a time, and the queue has a limit. A flood of logins therefore
 * gets 429 at once instead of using up the memory and filling a queue of minutes.
 */
import { availableParallelism } from 'node:os'
import { hash, verify } from '@node-rs/argon2'
import { AuthError } from 'tokenwright'

/** The longest password, in bytes of UTF-8. */
export const PASSWORD_MAX_BYTES = 1024

/** The shortest new password, in bytes of UTF-8. */
export const PASSWORD_MIN_BYTES = 8

/**
 * Algorithm 2 is argon2id. The package's enum is a `const enum`, which cannot be imported when each
 * file is compiled alone.
 */
const STRENGTH = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const

/**
 * The hash of a random password that was not kept, with the same parameters as all others. It is
 * verified for a user who does not exist, so that the response takes as long as for one who does.
 */
export const DUMMY_HASH =
  '$argon2id$v=19$m=19456,t=2,p=1$7qcuMU+HBijl04hkMKBlMg$O+fDxgv22W2c0w+io12FonWaZV0N2SjOqw0V5qy/8iY'

/** Hashes and verifies passwords. */
export interface Passwords {
  /** @returns the hash in PHC form */
  hash(password: string): Promise<string>
  /** @returns whether the password is the one that was hashed */
  verify(hash: string, password: string): Promise<boolean>
}

/** How many hashes may run and wait. The defaults are for one process per machine. */
export interface PasswordLimits {
  /** Hashes that run at a time. Default: one per core. */
  readonly running?: number
  /** Hashes that may wait. Default: 64 for each running one, about two seconds of work. */
  readonly waiting?: number
}

/** Prepares hashing. Its functions throw `rate_limited` when too many hashes are waiting. */
export function createPasswords(limits: PasswordLimits = {}): Passwords {
  const running = limits.running ?? availableParallelism()
  const limited = createLimiter(running, limits.waiting ?? 64 * running)
  return {
    hash: (password) => limited(() => hash(password, STRENGTH)),
    verify: (hashed, password) => limited(() => verify(hashed, password)),
  }
}

/**
 * Whether a value can be a password: its UTF-8 has an allowed length, and it has no lone surrogate.
 * Hashing turns a lone surrogate into U+FFFD, so that different passwords would match.
 */
export function isPassword(value: unknown, minBytes = 0): value is string {
  if (typeof value !== 'string' || /\p{Surrogate}/u.test(value)) return false
  const bytes = Buffer.byteLength(value)
  return bytes >= minBytes && bytes <= PASSWORD_MAX_BYTES
}

/** Runs at most `width` tasks at a time; at most `depth` more wait, in order of arrival. */
function createLimiter(width: number, depth: number): <T>(work: () => Promise<T>) => Promise<T> {
  let free = width
  const waiting: (() => void)[] = []
  return async (work) => {
    if (free > 0) free--
    else if (waiting.length < depth) await new Promise<void>((resolve) => waiting.push(resolve))
    else throw new AuthError('rate_limited', { detail: { retryAfter: 1 } })
    try {
      return await work()
    } finally {
      // The slot goes directly to the next in the queue, so that a new task cannot overtake it.
      const next = waiting.shift()
      if (next) next()
      else free++
    }
  }
}
