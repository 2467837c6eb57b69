/**
 * The report: a line for each case, its failures and notes below it, and three numbers at the end.
 * A skipped case has its reason on the same line. `--verbose` adds how each combination ended, and
 * the sentences that were not checked.
 */
import type { AttackCase } from './cases.ts'

/** How one case ended. */
export interface CaseResult {
  readonly attack: AttackCase
  readonly outcome: 'passed' | 'failed' | 'skipped'
  /** Why it was skipped, or what failed: a line for each. */
  readonly reasons: readonly string[]
  /** Notes for the reader, such as shortened trials and missing stores. */
  readonly notes: readonly string[]
  /** How each combination ended, for the verbose report. */
  readonly details: readonly string[]
  /** Sentences that were not checked. */
  readonly unchecked: readonly string[]
}

/** The most failures that are listed for a case. Others are only counted. */
const MAX_REASONS = 10

/** The lines of one case. */
export function toLines(
  { attack, outcome, reasons, notes, details, unchecked }: CaseResult,
  verbose: boolean,
): string[] {
  const { id, description } = attack
  const title = `${outcome.padEnd(7)}  ${id}  ${description.replace(/\s+/g, ' ')}`
  if (outcome === 'skipped') return [`${title} -- ${reasons.join('; ')}`]
  const listed = reasons.slice(0, MAX_REASONS)
  if (reasons.length > listed.length) listed.push(`... and ${reasons.length - listed.length} more`)
  const extra = verbose
    ? [...details, ...unchecked.map((sentence) => `not machine-checked: ${sentence}`)]
    : []
  return [
    title,
    ...listed.map((reason) => `           ${reason}`),
    ...notes.map((note) => `         * ${note}`),
    ...extra.map((line) => `         - ${line}`),
  ]
}

/** How many cases ended in which way. */
export type Counts = Readonly<Record<CaseResult['outcome'], number>>

/** Counts results. */
export function countResults(results: readonly CaseResult[]): Counts {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  for (const { outcome } of results) counts[outcome] += 1
  return counts
}

/** The sum of counts. */
export function addCounts(all: readonly Counts[]): Counts {
  const sum = { passed: 0, failed: 0, skipped: 0 }
  for (const counts of all) {
    sum.passed += counts.passed
    sum.failed += counts.failed
    sum.skipped += counts.skipped
  }
  return sum
}

/** The last line. */
export function toSummary({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`
}

/** What a last line says; undefined for another line. */
export function fromSummary(line: string): Counts | undefined {
  const [, ...numbers] = /^(\d+) passed, (\d+) failed, (\d+) skipped$/.exec(line) ?? []
  if (numbers.length === 0) return undefined
  const [passed = 0, failed = 0, skipped = 0] = numbers.map(Number)
  return { passed, failed, skipped }
}
