/**
 * The option `throttle`, and where attempts are counted without it: in the session store where
 * there is one, else in memory.
 */

import {
  ConfigurationError,
  checkKnownKeys,
  expected,
  isOptions,
  isRecord,
} from '../../internal/configuration-error.ts'
import { warn } from '../../internal/warn.ts'
import type { AttemptCounter } from '../../session/attempt-counter.ts'
import { type CreateLimiter, checkLimiters } from './limiter.ts'
import { createMemoryLimiter } from './memory-limiter.ts'
import { createStoreLimiter } from './store-limiter.ts'
import { createThrottle, type Throttle, UNTHROTTLED } from './throttle.ts'

/** What attempts are counted with. */
export interface ThrottleDependencies {
  /** Counts in the session store; null where that is not possible. */
  readonly attempts: AttemptCounter | null
  /** Whether there is a session store. */
  readonly hasStore: boolean
  /** The application's realm. */
  readonly realm: string | undefined
  /** The present moment, epoch seconds. */
  readonly now: () => number
}

/**
 * Checks the option and makes the limits.
 *
 * @throws {ConfigurationError} for anything but false, undefined and `{ createLimiter }`
 */
export function resolveThrottle(options: unknown, parts: ThrottleDependencies): Throttle {
  if (options === false) return UNTHROTTLED
  const createLimiter = isRecord(options) ? options['createLimiter'] : undefined
  const fits = createLimiter === undefined || typeof createLimiter === 'function'
  if ((options !== undefined && !isOptions(options)) || !fits) {
    throw new ConfigurationError(expected('throttle', 'false or { createLimiter }', options))
  }
  checkKnownKeys('throttle', options ?? {}, ['createLimiter'])
  const realm = parts.realm ?? null
  if (createLimiter !== undefined) return createThrottle(checkLimiters(createLimiter as CreateLimiter), realm)
  const together = parts.attempts?.together ?? null
  const quick = together === null ? null : { together, now: parts.now }
  return createThrottle(toDefaultLimiter(parts), realm, quick)
}

function toDefaultLimiter({ attempts, hasStore, now }: ThrottleDependencies): CreateLimiter {
  if (attempts !== null) return (settings) => createStoreLimiter(attempts, settings)
  if (hasStore) {
    warn(
      'TOKENWRIGHT_STORE_WITHOUT_ATTEMPTS',
      'The session store has no `readAttempts` and `forgetAttempts`: each process counts attempts at passwords by itself',
    )
  }
  return (settings) => createMemoryLimiter(settings, () => now() * 1000)
}
