/**
 * The report: one line a case, what is skipped with its reason, details of failures and what a
 * reader must know (short forms of long trials, stores that are not here) below their line, and the
 * three numbers at the end. With `--verbose` also every combination, how it ended, and the
 * assertions that are sentences only: they are listed, not counted as checked.
 */
import type { AttackCase } from './cases.ts'

/** How one case ended. */
export interface CaseResult {
  readonly attack: AttackCase
  readonly outcome: 'passed' | 'failed' | 'skipped'
  /** Why it was skipped, or what failed: one line each. */
  readonly reasons: readonly string[]
  /** What a reader must know in any case. */
  readonly notes: readonly string[]
  /** For the verbose report: each combination and how it ended. */
  readonly details: readonly string[]
  /** Assertions that no machine checked. */
  readonly unchecked: readonly string[]
}

/** Failures listed below a case's line; further ones are counted. */
const MAX_REASONS = 10

/** One case as lines of text. */
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
