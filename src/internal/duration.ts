/**
 * Lengths of time and the clock. Options speak of `'15m'` or `{ minutes: 15 }`; everything inside
 * is whole seconds. A bare numeric string is refused: `'60'` means seconds to one library and
 * milliseconds to another.
 */
import { ConfigurationError, expected, isRecord } from './configuration-error.ts'

/** The unit letters that a duration string may end in: seconds, minutes, hours, days. */
export type DurationUnit = 's' | 'm' | 'h' | 'd'

/** Seconds in each unit; the one table of units. */
const UNITS: Readonly<Record<string, number>> = Object.freeze({
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  seconds: 1,
  minutes: 60,
  hours: 3600,
  days: 86_400,
})

/**
 * A length of time: `'15m'`, `'20d'`, `{ minutes: 15 }` (members add up), or a number of seconds.
 * Bare numeric strings such as `'900'` do not compile and are refused at run time.
 */
export type Duration =
  | `${number}${DurationUnit}`
  | number
  | {
      /** Seconds to add. */
      readonly seconds?: number
      /** Minutes to add. */
      readonly minutes?: number
      /** Hours to add. */
      readonly hours?: number
      /** Days of 86 400 seconds to add. */
      readonly days?: number
    }

/** Bounds for one duration, in seconds, both inclusive. */
export interface DurationBounds {
  /** The shortest length accepted, in seconds. */
  readonly min: number
  /** The longest length accepted, in seconds. */
  readonly max: number
}

/** A clock: answers the present moment in seconds since the Unix epoch; fractions are allowed. */
export type Clock = () => number

/** The system's clock in epoch seconds. */
export const systemClock: Clock = () => Date.now() / 1000

/** Reads a duration, or answers NaN for what is none. */
function read(value: unknown): number {
  if (typeof value === 'number') return value
  if (typeof value === 'string') {
    const parts = /^(\d+(?:\.\d+)?)([smhd])$/.exec(value)
    return parts === null ? Number.NaN : Number(parts[1]) * (UNITS[parts[2] ?? ''] ?? Number.NaN)
  }
  if (!isRecord(value) || Object.keys(value).length === 0) return Number.NaN
  let total = 0
  for (const [unit, amount] of Object.entries(value)) {
    const known = unit.length > 1 ? UNITS[unit] : undefined
    if (known === undefined || typeof amount !== 'number') return Number.NaN
    total += amount * known
  }
  return total
}

/**
 * Reads a moment: a `Date`, also one of another realm, or a number of epoch seconds.
 *
 * @returns epoch seconds; undefined for anything else
 */
export function toEpochSeconds(value: unknown): number | undefined {
  if (typeof value === 'number') return value
  return isDate(value) ? value.getTime() / 1000 : undefined
}

/** Whether a value is a `Date`, also one of another realm. */
export function isDate(value: unknown): value is Date {
  return Object.prototype.toString.call(value) === '[object Date]'
}

/**
 * Turns an option into seconds.
 *
 * @param name the option as the developer writes it
 * @param bounds the accepted range in seconds
 * @returns seconds, a finite number inside the bounds
 * @throws {ConfigurationError} when it is no duration or lies outside the bounds
 */
export function toSeconds(name: string, value: unknown, bounds: DurationBounds): number {
  const seconds = read(value)
  if (Number.isFinite(seconds) && seconds >= bounds.min && seconds <= bounds.max) return seconds
  const range = `between ${bounds.min} and ${bounds.max} seconds`
  throw new ConfigurationError(
    expected(name, `a duration such as '15m', { minutes: 15 } or 900 (seconds), ${range}`, value),
  )
}
