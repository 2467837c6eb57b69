/**
 * From what a run left behind to a verdict: status, error code, headers and assertions of the case's expectation, held against
 * the last answer, or against how the setup ended.
 */
import { ASSERTIONS } from './asserts.ts'
import { type Attacker, codeOf, type Exchange } from './attacker.ts'
import { CASE_CHECKS } from './families.ts'
import { headerValues } from './wire.ts'

/** Older names of errors in case files, by the codes that stand for them here. */
const OLDER_NAMES: Readonly<Record<string, readonly string[]>> = {
  token_invalid: [
    'token_malformed',
    'signature_invalid',
    'issuer_invalid',
    'audience_invalid',
    'token_not_active',
  ],
  token_not_yet_valid: ['token_not_active'],
  token_wrong_type: ['access_token_required', 'refresh_token_required'],
  refresh_unknown: ['session_revoked', 'session_expired'],
  invalid_credentials: ['credentials_invalid'],
  csrf_failed: ['csrf_missing', 'csrf_mismatch'],
  insufficient_scope: ['scope_missing'],
  token_not_fresh: ['fresh_token_required'],
  bad_request: ['request_invalid'],
}

/** What is wrong after a run; empty when the case passes. */
export interface Verdict {
  readonly complaints: readonly string[]
  /** Assertions that nobody checked. */
  readonly unchecked: readonly string[]
  /** What a reader of the report must know. */
  readonly notes: readonly string[]
  /** How the run ended, in short, for the verbose report. */
  readonly outcome: string
}

function checkAnswer({ attack }: Attacker, last: Exchange | undefined): string[] {
  const { status, error, headers } = attack.expect
  if (last === undefined) {
    return status.some((item) => typeof item === 'number')
      ? [`no answer, expected ${status.join(' or ')}`]
      : []
  }
  const complaints: string[] = []
  const code = codeOf(last)
  if (status.length > 0 && !status.includes(last.answer.status)) {
    complaints.push(
      `status ${last.answer.status}${code === null ? '' : ` (${code})`}, expected ${status.join(' or ')}`,
    )
  }
  const allowed = error.flatMap((name) => OLDER_NAMES[name] ?? [name])
  // What Node's HTTP parser refuses by itself never reaches the application and has no body.
  const judged = last.answer.status >= 400 && last.handling !== undefined && allowed.length > 0
  if (judged && !allowed.includes(String(code))) {
    complaints.push(`${last.answer.status} ${code ?? 'without a code'}, expected ${error.join(' or ')}`)
  }
  for (const [name, word] of Object.entries(headers)) {
    const values = headerValues(last.answer, name).join(', ')
    if (!values.toLowerCase().includes(word.toLowerCase()))
      complaints.push(`header ${name}: '${values}', expected ${word}`)
  }
  return complaints
}

/** How a setup ended. Error words of the case file such as `key_too_weak` are all one class here: `ConfigurationError`. */
function checkSetup({ attack, setup }: Attacker): string[] {
  if (setup === undefined || attack.expect.status.includes(setup.status)) return []
  return [`setup ${setup.status} (${setup.detail}), expected ${attack.expect.status.join(' or ')}`]
}

/** Judges a run that has come to its end. */
export async function judge(attacker: Attacker): Promise<Verdict> {
  const { attack, setup, exchanges, judged, findings } = attacker
  const last = setup === undefined ? (judged.at(-1) ?? exchanges.at(-1)) : undefined
  const answers = judged.length > 0 ? judged : [last]
  const complaints =
    setup === undefined ? answers.flatMap((one) => checkAnswer(attacker, one)) : checkSetup(attacker)
  const control = findings.get('control')
  if (control !== undefined) complaints.push(`control failed: ${control}`)
  const unchecked: string[] = []
  for (const sentence of attack.expect.assert) {
    const checks = Object.hasOwn(ASSERTIONS, sentence) ? ASSERTIONS[sentence] : undefined
    if (checks === undefined) unchecked.push(sentence)
    for (const check of checks ?? []) {
      const complaint = await check(attacker, last)
      if (complaint !== undefined) complaints.push(`${sentence}: ${complaint}`)
    }
  }
  for (const check of CASE_CHECKS[attack.id] ?? []) {
    const complaint = await check(attacker, last)
    if (complaint !== undefined) complaints.push(`description: ${complaint}`)
  }
  return { complaints, unchecked, notes: attacker.notes, outcome: toOutcome(attacker, last) }
}

/** How the run ended, and what its steps measured. */
function toOutcome({ setup, findings }: Attacker, last: Exchange | undefined): string {
  if (setup !== undefined) return `${setup.status}: ${setup.detail}`
  const answered = last === undefined ? [] : [`${last.answer.status} ${codeOf(last) ?? ''}`.trim()]
  const measured = [...findings].map(([name, value]) => `${name}: ${value}`)
  return [...answered, ...measured].join(', ')
}
