/**
 * The case files: their types and their reader. A case is a list of steps and an expectation;
 * `attack/cases/README.md` describes the form. A case with something that the runner does not know
 * is skipped, with the reason.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Any JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject

/** A JSON object. Copy it with `Object.fromEntries`: it may have its own member `__proto__`. */
export interface JsonObject {
  readonly [name: string]: Json
}

/** What a response must have. */
export interface Expectation {
  /** The allowed statuses; `config_error` means that the setup is refused. Empty: any. */
  readonly status: readonly (number | string)[]
  /** The allowed error codes of a refusal. Empty: any. */
  readonly error: readonly string[]
  /** Sentences; see `assertions.ts`. */
  readonly assert: readonly string[]
  /**
   * By name in lower case, what is allowed: words that the header contains, patterns as `/text/`,
   * or null for an absent header.
   */
  readonly headers: Readonly<Record<string, readonly (string | null)[]>>
}

/** One case. */
export interface AttackCase {
  readonly id: string
  readonly category: string
  readonly description: string
  /** The capabilities that the case requires; see `capabilities.ts`. */
  readonly needs: readonly string[]
  /** The steps: objects whose first member names the step. */
  readonly steps: readonly Json[]
  readonly expect: Expectation
}

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether a value is a JSON array. `Array.isArray` does not narrow readonly arrays. */
export function isList(value: unknown): value is readonly Json[] {
  return Array.isArray(value)
}

/** One text, or a list of texts. */
function toTexts(value: Json | undefined): string[] {
  return (isList(value) ? value : [value]).filter((item) => typeof item === 'string')
}

function toHeaderTexts(value: Json): (string | null)[] {
  return (isList(value) ? value : [value]).map((item) => (item === null ? null : String(item)))
}

/** Reads an expectation: an object, a status or a list of statuses. */
export function toExpectation(value: Json | undefined): Expectation {
  const expect = isObject(value) ? value : { status: value ?? [] }
  const { status, error, headers, assert } = expect
  const listed = isList(status) ? status : [status]
  const entries = isObject(headers) ? Object.entries(headers) : []
  return {
    status: listed.filter((item) => typeof item === 'number' || typeof item === 'string'),
    error: toTexts(error),
    assert: toTexts(assert),
    headers: Object.fromEntries(entries.map(([name, wanted]) => [name.toLowerCase(), toHeaderTexts(wanted)])),
  }
}

function toCase(value: Json, index: number): AttackCase {
  const place = `case ${index + 1}`
  if (!isObject(value) || typeof value['id'] !== 'string')
    throw new Error(`${place}: expected an object with an "id"`)
  const { id, category, description, how, expect } = value
  if (!isObject(how) || !isList(how['steps']))
    throw new Error(`${place} (${id}): expected "how.steps" to be a list`)
  return {
    id: String(id),
    category: typeof category === 'string' ? category : '',
    description: typeof description === 'string' ? description : '',
    needs: toTexts(how['needs']),
    steps: how['steps'],
    expect: toExpectation(expect),
  }
}

/**
 * Reads cases from a file, or from all `.json` files of a folder in the order of their names. A
 * file is a JSON list of cases, or an object with the list under `cases`.
 *
 * @throws {Error} if a file cannot be read or has another form, or if two files of a folder have a
 *   case with the same id; the message names the case
 */
export function readCases(path: string): AttackCase[] {
  const files = statSync(path).isDirectory() ? jsonFilesIn(path) : [path]
  const cases = files.flatMap(readFile)
  const ids = cases.map(({ id }) => id)
  const twice = ids.find((id, index) => ids.indexOf(id) !== index)
  if (files.length > 1 && twice !== undefined) throw new Error(`expected one case ${twice}, got two`)
  return cases
}

function jsonFilesIn(folder: string): string[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'))
  return names.sort().map((name) => join(folder, name))
}

function readFile(file: string): AttackCase[] {
  const content: Json = JSON.parse(readFileSync(file, 'utf8'))
  const list = isObject(content) ? content['cases'] : content
  if (!isList(list)) throw new Error('expected a list of cases')
  return list.map(toCase)
}

/** Needs of what the adapter does not change: servers, processes, browsers, files, measurements. */
const HEAVY: readonly string[] = [
  'fault',
  'multi_process',
  'browser_client',
  'store_control',
  'proxy',
  'redis',
  'follow',
  'outside',
  'key_file',
  'static',
  'types',
]

/** Needs of what lies outside: issuers, feeds and files, for whose time-outs a case waits. */
const OUTSIDE: readonly string[] = ['follow', 'outside', 'key_file']

/** The most repetitions of a quick case. */
const FEW = 100

/** Whether a case is quick and depends on the adapter. */
export function isLight({ needs, category, steps }: AttackCase): boolean {
  if (category === 'dos' || needsAny(needs, HEAVY)) return false
  return !steps.some(
    (step) => isObject(step) && isObject(step['repeat']) && Number(step['repeat']['n']) > FEW,
  )
}

/** Whether a case is not quick as it waits for what lies outside. */
export function isOutside(attack: AttackCase): boolean {
  return !isLight(attack) && attack.category !== 'dos' && needsAny(attack.needs, OUTSIDE)
}

/** Whether a case measures, so that nothing else may run beside it. */
export function isMeasured({ category }: AttackCase): boolean {
  return category === 'dos'
}

function needsAny(needs: readonly string[], names: readonly string[]): boolean {
  return needs.some((need) => names.includes(need.split(':')[0] ?? ''))
}

/** Whether a case checks the output of all other cases, and so must be the last of each run. */
export function isLast({ steps }: AttackCase): boolean {
  return steps.some((step) => isObject(step) && step['run'] === 'entire suite')
}
