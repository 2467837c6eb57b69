/**
 * Runs cases. Each combination of a case has its own application, so that one attack cannot affect
 * another. A case passes if all of its combinations do.
 */
import { Attacker, type Suite } from './attacker.ts'
import { reasonToSkip } from './capabilities.ts'
import { type Capture, startCapture } from './capture.ts'
import { type AttackCase, isLast } from './cases.ts'
import { createEnvironment } from './environments.ts'
import { isSignable } from './keys.ts'
import type { CaseResult } from './report.ts'
import { type ServerKind, Servers } from './servers.ts'
import { perform } from './steps.ts'
import type { TargetOptions } from './target.ts'
import { Unsupported } from './values.ts'
import { toVariants, type Variant } from './variants.ts'
import { checkRun, type Verdict } from './verdict.ts'

/** The options of a run. */
export interface RunOptions {
  /** The adapter to run on; see `ADAPTERS`. */
  readonly adapter?: string
  /** The store of cases that name none; in memory by default. */
  readonly store?: ServerKind
  /** Called as each case ends. */
  readonly onResult?: (result: CaseResult) => void
}

/** The application's options for a case. */
function toTargetOptions({ needs }: AttackCase, adapter: string | undefined): TargetOptions {
  const asymmetric = needs.find((need) => need.startsWith('asymmetric_server'))
  const alg = asymmetric === undefined ? 'HS256' : (asymmetric.split(':')[1] ?? 'RS512')
  if (!isSignable(alg)) throw new Unsupported(`unknown algorithm ${alg}`)
  return {
    alg,
    ...(needs.includes('key_rotation') && { ring: true }),
    ...(adapter !== undefined && { adapter }),
  }
}

/** What all combinations of a run share. */
interface Run extends Pick<RunOptions, 'adapter' | 'store'> {
  readonly suite: Suite
  readonly servers: Servers
}

/** Runs one combination, from the start of its application to the verdict. */
async function runVariant(attack: AttackCase, { steps }: Variant, run: Run): Promise<Verdict> {
  const { suite, servers, store, adapter } = run
  const target = toTargetOptions(attack, adapter)
  const environment = await createEnvironment({ steps, target, store, servers, output: suite.output })
  try {
    const attacker = new Attacker(attack, environment, suite)
    // A token from before the attack must still be valid after it.
    attacker.genuine.push((await attacker.witness()).access)
    for (const step of steps) {
      await perform(step, attacker)
      if (attacker.setup !== undefined && attacker.setup.status !== 'accepted') break
    }
    return await checkRun(attacker)
  } finally {
    await environment.close()
  }
}

/**
 * Runs the combinations of a case that can run here, and notes the others. If none can, the case is
 * skipped.
 */
async function runCase(attack: AttackCase, run: Run): Promise<CaseResult> {
  const variants = expand(attack)
  if (typeof variants === 'string') return toSkipped(attack, variants)
  const reasons: string[] = []
  const details: string[] = []
  const notes: string[] = []
  const skipped: { label: string; reason: string }[] = []
  const unchecked = new Set<string>()
  for (const variant of variants) {
    const label = variant.label === '' ? '' : `${variant.label}: `
    try {
      const verdict = await runVariant(attack, variant, run)
      reasons.push(...verdict.complaints.map((complaint) => `${label}${complaint}`))
      details.push(`${label}${verdict.outcome}`)
      notes.push(...verdict.notes.map((note) => `${label}${note}`))
      for (const sentence of verdict.unchecked) unchecked.add(sentence)
    } catch (error) {
      if (error instanceof Unsupported) skipped.push({ label, reason: error.message })
      else reasons.push(`${label}${error instanceof Error ? error.message : error}`)
    }
  }
  if (skipped.length === variants.length) {
    return toSkipped(attack, [...new Set(skipped.map(({ reason }) => reason))].join('; '))
  }
  notes.push(...skipped.map(({ label, reason }) => `SKIPPED ${label}not runnable: ${reason}`))
  const outcome = reasons.length === 0 ? 'passed' : 'failed'
  return { attack, outcome, reasons, details, notes, unchecked: [...unchecked] }
}

/** The combinations of a case, or why there are none. */
function expand({ steps }: AttackCase): readonly Variant[] | string {
  try {
    return toVariants(steps)
  } catch (error) {
    if (error instanceof Unsupported) return error.message
    throw error
  }
}

function toSkipped(attack: AttackCase, reason: string): CaseResult {
  const reasons = [`not runnable: ${reason}`]
  return { attack, outcome: 'skipped', reasons, details: [], notes: [], unchecked: [] }
}

/** What all cases of a run share. */
function toSuite(capture: Capture): Suite {
  return { output: capture.output, unhandled: capture.unhandled, secrets: new Set(), refusals: new Set() }
}

/** Runs cases, those about the whole run last. Returns their results in this order. */
export async function runCases(
  cases: readonly AttackCase[],
  { onResult, ...options }: RunOptions = {},
): Promise<CaseResult[]> {
  const capture = startCapture()
  const run = { ...options, suite: toSuite(capture), servers: new Servers() }
  const results: CaseResult[] = []
  try {
    for (const attack of [...cases.filter((one) => !isLast(one)), ...cases.filter(isLast)]) {
      const reason = reasonToSkip(attack)
      const result: CaseResult =
        reason === undefined ? await capture.during(() => runCase(attack, run)) : toSkipped(attack, reason)
      results.push(result)
      onResult?.(result)
    }
  } finally {
    capture.close()
    await run.servers.close()
  }
  return results
}
