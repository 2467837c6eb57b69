/**
 * Hashing and checking of passwords with argon2id (RFC 9106), in the OWASP strength that the
 * package defaults to: 19 MiB, two passes, one lane. At most one hash per core runs at a time, and
 * only so many may wait: a flood of logins then meets 429 at the door instead of taking all memory
 * and minutes of queue.
 */
import { availableParallelism } from 'node:os'
import { hash, verify } from '@node-rs/argon2'
import { AuthError } from 'tokenwright'

/** The largest password, in bytes of UTF-8. */
export const PASSWORD_MAX_BYTES = 1024

/** The smallest new password, in bytes of UTF-8. */
export const PASSWORD_MIN_BYTES = 8

/**
 * Algorithm 2 is argon2id; the package's enum cannot be imported where each file is compiled alone.
 */
const STRENGTH = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const

/**
 * The hash of a random password that nobody kept, of the same strength as all others: checked for a
 * user who does not exist, so that the answer takes as long as for one who does.
 */
export const NOBODYS_HASH =
  '$argon2id$v=19$m=19456,t=2,p=1$7qcuMU+HBijl04hkMKBlMg$O+fDxgv22W2c0w+io12FonWaZV0N2SjOqw0V5qy/8iY'

/** What hashes and checks passwords. */
export interface Passwords {
  /** @returns the hash in PHC form */
  hash(password: string): Promise<string>
  /** @returns whether the password is the one that was hashed */
  verify(hash: string, password: string): Promise<boolean>
}

/** How much may run and wait; the defaults are for one process per machine. */
export interface PasswordLimits {
  /** Hashes at a time; default: one per core. */
  readonly running?: number
  /** Hashes that may wait for their turn; default 64 per running one, about two seconds of work. */
  readonly waiting?: number
}

/**
 * Prepares hashing. Its functions throw an `AuthError` `rate_limited` when too many already wait.
 */
export function createPasswords(limits: PasswordLimits = {}): Passwords {
  const running = limits.running ?? availableParallelism()
  const inTurn = createTurnstile(running, limits.waiting ?? 64 * running)
  return {
    hash: (password) => inTurn(() => hash(password, STRENGTH)),
    verify: (hashed, password) => inTurn(() => verify(hashed, password)),
  }
}

/**
 * Whether text can be a password at all: its UTF-8 fits, and it has no lone surrogate, which
 * hashing would turn into U+FFFD and so make different passwords one.
 */
export function isPassword(value: unknown, minBytes = 0): value is string {
  if (typeof value !== 'string' || /\p{Surrogate}/u.test(value)) return false
  const bytes = Buffer.byteLength(value)
  return bytes >= minBytes && bytes <= PASSWORD_MAX_BYTES
}

/** Runs work with at most `width` at a time and at most `depth` waiting, in order of arrival. */
function createTurnstile(width: number, depth: number): <T>(work: () => Promise<T>) => Promise<T> {
  let free = width
  const waiting: (() => void)[] = []
  return async (work) => {
    if (free > 0) free--
    else if (waiting.length < depth) await new Promise<void>((resolve) => waiting.push(resolve))
    else throw new AuthError('rate_limited', { detail: { retryAfter: 1 } })
    try {
      return await work()
    } finally {
      // The place passes straight to the next in line, so that nobody who arrives now can overtake.
      const next = waiting.shift()
      if (next) next()
      else free++
    }
  }
}
