/** The report of the simulator, and its form as a table. */

/** How long the thieves of one kind lasted. */
export interface ThiefReport {
  /** How many thieves there were. */
  readonly thieves: number
  /** How many were refused while they were watched. */
  readonly caught: number
  /**
   * How many refreshes half of them got at most before they were refused. Infinity if half of them
   * never were.
   */
  readonly median: number
  /** The same for nine of ten thieves. */
  readonly p90: number
  /** How many elevated tokens they got after the step-up of the victim. */
  readonly elevated: number
}

/** The report of one run. */
export interface RaceReport {
  /** The seed of the run. */
  readonly seed: number
  /** How many times an access token expired and the tabs refreshed. */
  readonly cycles: number
  /** How many refreshes the users sent. */
  readonly refreshes: number
  /** How many sessions users lost without reason. */
  readonly lost: number
  /** How many refreshes got no response. */
  readonly outages: number
  /** Thieves who refresh at random. */
  readonly random: ThiefReport
  /** Thieves who refresh a moment after the victim. */
  readonly shadow: ThiefReport
  /** Thieves who see when the victim refreshes, and send the same token a while later. */
  readonly follow: ThiefReport
  /** How many elevated tokens all thieves got. Null if the endpoint cannot tell. */
  readonly elevated: number | null
}

/** The value that the given share of thieves does not exceed. */
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
 * @returns the lines, joined by newlines, without one at the end
 */
export function formatRaces(reports: Readonly<Record<string, RaceReport>>): string {
  const rows = Object.entries(reports).map(([name, report]) => {
    const { lost, cycles, elevated, random, shadow, follow } = report
    const cells = [
      `${lost} of ${cycles}`,
      toCell(random),
      toCell(shadow),
      toCell(follow),
      elevated ?? 'not asked',
    ]
    return `| ${[name, ...cells].join(' | ')} |`
  })
  return [
    '| design | sessions lost per cycle | thief at random: refreshes until caught, median / p90 | thief who shadows | thief who follows | elevated tokens stolen |',
    '|---|---|---|---|---|---|',
    ...rows,
  ].join('\n')
}
