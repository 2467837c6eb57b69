/** What the simulator found, in numbers and as a table. */

/** How long thieves of one habit lasted. */
export interface ThiefReport {
  /** How many there were. */
  readonly thieves: number
  /** How many were refused while they were watched. */
  readonly caught: number
  /**
   * How often half of them had been given tokens before they were refused; Infinity where half
   * never were.
   */
  readonly median: number
  /** The same for nine of ten. */
  readonly p90: number
  /** How many elevated tokens they were given after the victim's step-up. */
  readonly elevated: number
}

/** What the simulator found. */
export interface RaceReport {
  /** The seed of this run. */
  readonly seed: number
  /** How many times an access token ended and the tabs refreshed. */
  readonly cycles: number
  /** How many refreshes the users sent. */
  readonly refreshes: number
  /** How many sessions users lost without reason. */
  readonly lost: number
  /** How often the endpoint could not be reached. */
  readonly outages: number
  /** Thieves who refresh at random. */
  readonly random: ThiefReport
  /** Thieves who refresh a moment after the victim. */
  readonly shadow: ThiefReport
  /**
   * Elevated tokens in a thief's hands; null where the endpoint has no step-up or does not tell.
   */
  readonly elevated: number | null
}

/** The value that a share of the thieves does not exceed. */
export function toQuantile(granted: readonly number[], share: number): number {
  const sorted = granted.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0
}

function toCell({ median, p90, caught, thieves }: ThiefReport): string {
  if (thieves === 0) return '-'
  const say = (count: number): string => (Number.isFinite(count) ? String(count) : 'never')
  return `${say(median)} / ${say(p90)} (${caught} of ${thieves} caught)`
}

/**
 * Formats reports as a Markdown table, one row per name.
 *
 * @returns lines joined by newlines, without one at the end
 */
export function formatRaces(reports: Readonly<Record<string, RaceReport>>): string {
  const rows = Object.entries(reports).map(([name, report]) => {
    const { lost, cycles, elevated, random, shadow } = report
    const cells = [`${lost} of ${cycles}`, toCell(random), toCell(shadow), elevated ?? 'not asked']
    return `| ${[name, ...cells].join(' | ')} |`
  })
  return [
    '| design | sessions lost per cycle | thief at random: refreshes until caught, median / p90 | thief who shadows | elevated tokens stolen |',
    '|---|---|---|---|---|',
    ...rows,
  ].join('\n')
}
