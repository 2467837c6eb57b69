/**
 * The case files: their types and their reader. A case is a list of steps and what the last
 * response must be; `attack/cases/README.md` describes the form. Everything in a file is data, also
 * what this runner does not know: such a case is skipped, with the reason.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Any JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject

/**
 * A JSON object; `__proto__` may be an own member of it, so copy it with `Object.fromEntries` only.
 */
export interface JsonObject {
  readonly [name: string]: Json
}

/** What a response must be. */
export interface Expectation {
  /** The allowed statuses; `config_error` stands for a setup that is refused. Empty: any. */
  readonly status: readonly (number | string)[]
  /** The allowed error codes of a refusal. Empty: any. */
  readonly error: readonly string[]
  /** Further assertions, in words. */
  readonly assert: readonly string[]
  /**
   * By the name in lower case: a word that the header contains, a `/pattern/`, or null for no such
   * header.
   */
  readonly headers: Readonly<Record<string, string | null>>
}

/** One case. */
export interface AttackCase {
  readonly id: string
  readonly category: string
  readonly description: string
  /** The capabilities that the runner must have. */
  readonly needs: readonly string[]
  /** The steps; each an object whose first member names the step. */
  readonly steps: readonly Json[]
  readonly expect: Expectation
}

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Whether a value is a JSON array. TypeScript's own `Array.isArray` does not narrow readonly
 * arrays.
 */
export function isList(value: unknown): value is readonly Json[] {
  return Array.isArray(value)
}

function toTexts(value: Json | undefined): string[] {
  return isList(value) ? value.filter((item) => typeof item === 'string') : []
}

/** Reads an expectation: an object, or only a status or a list of statuses. */
export function toExpectation(value: Json | undefined): Expectation {
  const expect = isObject(value) ? value : { status: value ?? [] }
  const { status, error, headers, assert } = expect
  const listed = isList(status) ? status : [status]
  const entries = isObject(headers) ? Object.entries(headers) : []
  return {
    status: listed.filter((item) => typeof item === 'number' || typeof item === 'string'),
    error: typeof error === 'string' ? [error] : toTexts(error),
    assert: typeof assert === 'string' ? [assert] : toTexts(assert),
    headers: Object.fromEntries(
      entries.map(([name, wanted]) => [name.toLowerCase(), wanted === null ? null : String(wanted)]),
    ),
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
 * Reads cases: from a file with a JSON list of cases, or an object that holds one under `cases`; or
 * from all such files in a folder, in the order of their names.
 *
 * @throws {Error} when a file cannot be read or has another form, or two cases have one id; the
 *   message names the case
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

/**
 * What a case needs that takes servers, processes or long measurements, none of which a door can
 * change.
 */
const HEAVY: readonly string[] = [
  'fault',
  'multi_process',
  'store_control',
  'proxy',
  'redis',
  'static',
  'types',
  'logs',
]

/** Whether a case is about what goes through a door, and quickly run. */
export function isLight({ needs, category }: AttackCase): boolean {
  return category !== 'dos' && !needs.some((need) => HEAVY.includes(need.split(':')[0] ?? ''))
}
