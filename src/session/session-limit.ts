/** How many live sessions a subject may have at once. */
import { ConfigurationError, expected } from '../internal/configuration-error.ts'
import { readOptionGroup } from '../internal/read-options.ts'
import type { SessionLimit } from './store.ts'

/** How many sessions a subject may have. */
export interface MaxOptions {
  /**
   * How many, from 1 to 1000. They are counted in the atomic step that starts a session. Required.
   */
  readonly perSubject: number
  /**
   * What a login beyond that does: `'end-oldest'` ends the sessions whose logins are the oldest,
   * `'refuse'` is refused with `session_limit_reached`. Default `'end-oldest'`.
   */
  readonly whenFull?: 'end-oldest' | 'refuse'
}

/** The defaults of the limit. */
export const MAX_DEFAULTS: Readonly<Required<Omit<MaxOptions, 'perSubject'>>> = { whenFull: 'end-oldest' }

/** The most sessions that may be allowed: as many as a list shows. */
const MOST = 1000

/**
 * Checks and prepares the limit.
 *
 * @param logTtl how long a log entry outlives an end, in seconds
 * @returns null for none
 * @throws {ConfigurationError} for a count out of bounds and for an unknown word
 */
export function resolveLimit(option: MaxOptions | undefined, logTtl: number): SessionLimit | null {
  if (option === undefined) return null
  const { perSubject, whenFull = MAX_DEFAULTS.whenFull } = readOptionGroup<MaxOptions>(
    'sessions.max',
    option,
    ['perSubject', 'whenFull'],
  )
  if (typeof perSubject !== 'number' || !Number.isInteger(perSubject) || perSubject < 1 || perSubject > MOST)
    throw new ConfigurationError(
      expected('sessions.max.perSubject', `a whole number from 1 to ${MOST}`, perSubject),
    )
  if (whenFull !== 'end-oldest' && whenFull !== 'refuse')
    throw new ConfigurationError(expected('sessions.max.whenFull', "'end-oldest' or 'refuse'", whenFull))
  return Object.freeze({ count: perSubject, refuses: whenFull === 'refuse', logTtl })
}
