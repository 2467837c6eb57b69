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

/** The last line. */
export function toSummary(results: readonly CaseResult[]): string {
  const count = (outcome: CaseResult['outcome']) =>
    results.filter((result) => result.outcome === outcome).length
  return `${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`
}
