/**
 * The verdict on a run: checks the last response, or how the setup ended, against the case's
 * expectation.
 */
import { ASSERTIONS } from './assertions.ts'
import { type Attacker, codeOf, type Exchange } from './attacker.ts'
import { checkResponse } from './expectations.ts'
import { CASE_CHECKS } from './families.ts'

/** The verdict on a run. */
export interface Verdict {
  /** What is wrong; empty if the case passes. */
  readonly complaints: readonly string[]
  /** Sentences that were not checked. */
  readonly unchecked: readonly string[]
  /** Notes for the reader of the report. */
  readonly notes: readonly string[]
  /** How the run ended, for the verbose report. */
  readonly outcome: string
}

function checkLast({ attack }: Attacker, last: Exchange | undefined): string[] {
  if (last !== undefined) return checkResponse(attack.expect, last)
  const { status } = attack.expect
  return status.length > 0 ? [`no response and no refused setup, expected ${status.join(' or ')}`] : []
}

/**
 * The response that the case's expectation is about: the last one. If its step expects another
 * status than the case, the last one whose step has no `expect`, logins excluded.
 */
function findLast({ attack, exchanges, expected }: Attacker): Exchange | undefined {
  const ownOf = (one: Exchange) => expected.find(({ exchange }) => exchange === one)?.expectation
  const last = exchanges.at(-1)
  const own = last && ownOf(last)
  if (own === undefined || own.status.some((status) => attack.expect.status.includes(status))) return last
  return exchanges.findLast((one) => ownOf(one) === undefined && !one.request.path.endsWith('/login'))
}

/** Checks how a setup ended. Codes such as `key_too_weak` all mean a `ConfigurationError`. */
function checkSetup({ attack, setup }: Attacker): string[] {
  if (setup === undefined || attack.expect.status.includes(setup.status)) return []
  return [`setup ${setup.status} (${setup.detail}), expected ${attack.expect.status.join(' or ')}`]
}

/** Checks a run after its last step. */
export async function checkRun(attacker: Attacker): Promise<Verdict> {
  const { attack, setup, exchanges, decisive, findings, expected } = attacker
  const last = setup === undefined ? (decisive.at(-1) ?? exchanges.at(-1)) : undefined
  const unchecked: string[] = []
  const complaints = setup === undefined ? checkResponses(attacker) : checkSetup(attacker)
  complaints.push(...attacker.complaints)
  const control = findings.get('control')
  if (control !== undefined) complaints.push(`control failed: ${control}`)
  for (const { what, exchange, expectation } of expected) {
    const found = [
      ...checkResponse(expectation, exchange),
      ...(await checkSentences(expectation.assert, attacker, exchange, unchecked)),
    ]
    complaints.push(...found.map((complaint) => `${what}: ${complaint}`))
  }
  complaints.push(...(await checkSentences(attack.expect.assert, attacker, last, unchecked)))
  for (const check of Object.hasOwn(CASE_CHECKS, attack.id) ? (CASE_CHECKS[attack.id] ?? []) : []) {
    const complaint = await check(attacker, last)
    if (complaint !== undefined) complaints.push(`description: ${complaint}`)
  }
  return { complaints, unchecked, notes: attacker.notes, outcome: describeEnd(attacker, last) }
}

/** Checks the responses that the case's expectation is about. */
function checkResponses(attacker: Attacker): string[] {
  const { decisive, exchanges } = attacker
  if (decisive.length > 0) return decisive.flatMap((one) => checkLast(attacker, one))
  const last = findLast(attacker)
  // If each request has its own expectation, the case needs no response.
  return last === undefined && exchanges.length > 0 ? [] : checkLast(attacker, last)
}

async function checkSentences(
  sentences: readonly string[],
  attacker: Attacker,
  exchange: Exchange | undefined,
  unchecked: string[],
): Promise<string[]> {
  const complaints: string[] = []
  for (const sentence of sentences) {
    const checks = Object.hasOwn(ASSERTIONS, sentence) ? ASSERTIONS[sentence] : undefined
    if (checks === undefined) unchecked.push(sentence)
    for (const check of checks ?? []) {
      const complaint = await check(attacker, exchange)
      if (complaint !== undefined) complaints.push(`${sentence}: ${complaint}`)
    }
  }
  return complaints
}

/** The most runs of one status that are listed. */
const MAX_RUNS = 8

/** Counts what repeats in a list of statuses: `401 (20 times), 429 (80 times)`. */
export function shorten(list: string): string {
  const runs: { text: string; times: number }[] = []
  for (const text of list.split(',')) {
    const last = runs.at(-1)
    if (last?.text === text) last.times++
    else runs.push({ text, times: 1 })
  }
  const told = runs
    .slice(0, MAX_RUNS)
    .map(({ text, times }) => (times === 1 ? text : `${text} (${times} times)`))
  if (runs.length > MAX_RUNS) told.push(`... ${list.split(',').length} in all`)
  return told.join(', ')
}

/** How the run ended, and what its steps measured. */
function describeEnd({ setup, findings }: Attacker, last: Exchange | undefined): string {
  if (setup !== undefined) return `${setup.status}: ${setup.detail}`
  const ending = last === undefined ? [] : [`${last.response.status} ${codeOf(last) ?? ''}`.trim()]
  const measured = [...findings].map(([name, value]) => `${name}: ${shorten(String(value))}`)
  return [...ending, ...measured].join(', ')
}
