/**
 * Lengths of time, moments and the clock. Options take `'15m'` or `{ minutes: 15 }`; everything
 * inside is seconds. A bare numeric string is refused: `'60'` means seconds to one library and
 * milliseconds to another. Numbers that look like milliseconds are refused, too, and so are moments
 * and clocks in the wrong unit.
 */
import { ConfigurationError, expected, isRecord } from './configuration-error.ts'

/** The unit letters that a duration string may end in: seconds, minutes, hours, days, weeks. */
export type DurationUnit = 's' | 'm' | 'h' | 'd' | 'w'

/** Seconds in each unit. */
const UNITS: Readonly<Record<string, number>> = Object.freeze({
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
  seconds: 1,
  minutes: 60,
  hours: 3600,
  days: 86_400,
  weeks: 604_800,
})

/**
 * A length of time: `'15m'`, `'20d'`, `'2w'`, `{ minutes: 15 }` (members add up), or a number of
 * seconds. Bare numeric strings such as `'900'` do not compile and are refused at run time. There
 * are no months and years, because their length varies.
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
      /** Weeks of 7 such days to add. */
      readonly weeks?: number
    }

/** Bounds for one duration, in seconds, both inclusive. */
export interface DurationBounds {
  /** The shortest length accepted, in seconds. */
  readonly min: number
  /** The longest length accepted, in seconds. */
  readonly max: number
}

/** A clock: returns the current time in seconds since the Unix epoch; fractions are allowed. */
export type Clock = () => number

/** The system's clock. */
export const systemClock: Clock = () => Date.now() / 1000

/**
 * Turns an option into seconds.
 *
 * @param name the option as the developer writes it
 * @param bounds the accepted range in seconds
 * @returns seconds, a finite number inside the bounds
 * @throws {ConfigurationError} when it is not a duration, lies outside the bounds, or is a number
 *   that looks like milliseconds
 */
export function toSeconds(name: string, value: unknown, bounds: DurationBounds): number {
  const seconds = parseDuration(value)
  const isSuspect = typeof value === 'number' && isImplausible(value, bounds)
  if (Number.isFinite(seconds) && seconds >= bounds.min && seconds <= bounds.max && !isSuspect) return seconds
  const range = `between ${bounds.min} and ${bounds.max} seconds`
  const hint = isSuspect
    ? "; that looks like milliseconds (give '15m' or 900; '25d' if days are meant)"
    : typeof value === 'string' && Number.isNaN(seconds)
      ? '; the units are s, m, h, d and w'
      : ''
  throw new ConfigurationError(
    `${expected(name, `a duration such as '15m', { minutes: 15 } or 900 (seconds), ${range}`, value)}${hint}`,
  )
}

/** Whole quarters of a minute in milliseconds are hardly seconds: 15,000 s are 4 h 10 min. */
const QUARTER_MINUTE_IN_MS = 15_000

/** Where nothing longer is accepted, whole seconds in milliseconds are no plausible seconds. */
const HOUR = 3600

/**
 * Whether a number of seconds was probably meant as milliseconds: because it is a round number of
 * them, or because only so it lies within the bounds.
 */
function isImplausible(value: number, { min, max }: DurationBounds): boolean {
  if (value > max) return value / 1000 >= min && value / 1000 <= max
  if (value >= QUARTER_MINUTE_IN_MS) return value % QUARTER_MINUTE_IN_MS === 0
  return value > 0 && value % 1000 === 0 && max <= HOUR
}

/** Reads a duration; NaN for anything else. */
function parseDuration(value: unknown): number {
  if (typeof value === 'number') return value
  if (typeof value === 'string') {
    const parts = /^(\d+(?:\.\d+)?)([smhdw])$/.exec(value)
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

/** The latest plausible moment in epoch seconds, the year 5138. Larger numbers are milliseconds. */
export const LATEST_MOMENT = 100_000_000_000

/** The Dates, in epoch seconds, that are made of the epoch seconds of the years 2001 to 2286. */
const MISREAD_DATES = { from: 1_000_000, to: 10_000_000 } as const

/**
 * Turns a moment into epoch seconds.
 *
 * @param name the option as the developer writes it
 * @param value a Date, or a number of epoch seconds
 * @throws {ConfigurationError} for anything else, for a number that looks like milliseconds, and
 *   for a Date that was made of seconds
 */
export function readEpochSeconds(name: string, value: unknown): number {
  const seconds = toEpochSeconds(value)
  const isPlausible = seconds !== undefined && Math.abs(seconds) <= LATEST_MOMENT
  const isMisread = isDate(value) && isBetween(seconds, MISREAD_DATES)
  if (isPlausible && !isMisread) return seconds
  const hint = isMisread
    ? ' of 1970; that looks like seconds, and a Date is made of milliseconds'
    : typeof value === 'number' && value > LATEST_MOMENT
      ? '; that looks like milliseconds'
      : ''
  throw new ConfigurationError(`${expected(name, 'a Date or a number of epoch seconds', value)}${hint}`)
}

function isBetween(value: number | undefined, { from, to }: { readonly from: number; readonly to: number }) {
  return value !== undefined && value >= from && value < to
}

/**
 * Wraps a clock of the application, so that one in milliseconds is not believed.
 *
 * @throws {ConfigurationError} from the wrapper, for what are no epoch seconds
 */
export function checkClock(clock: Clock): Clock {
  return () => {
    const now: unknown = clock()
    // Not a number is before and after no moment: nothing is accepted by it.
    if (typeof now === 'number' && !(Math.abs(now) > LATEST_MOMENT)) return now
    const hint = typeof now === 'number' && now > LATEST_MOMENT ? ', as milliseconds are' : ''
    throw new ConfigurationError(
      `${expected('clock()', 'a number of epoch seconds, such as `Date.now() / 1000`', now)}${hint}`,
    )
  }
}
