/**
 * Options from variables of the environment: `TOKENWRIGHT_` and the path of the option in capitals,
 * such as `TOKENWRIGHT_ACCESS_EXPIRES_IN`. It reads texts strictly and refuses names that it does
 * not know; what an option may be is checked by `createAuth`. A message names the variable and
 * never shows a value.
 */
import { ConfigurationError, nearest } from '../internal/configuration-error.ts'
import { createKeyRing } from '../token/key-ring.ts'
import {
  ENVIRONMENT_VARIABLES,
  type EnvironmentVariable,
  FILE,
  IN_FILES,
  OTHER_SECRET,
  PREFIX,
  toName,
  type VariableKind,
} from './environment-table.ts'
import { OPTION_SYNONYMS } from './option-synonyms.ts'
import type { AuthOptions } from './options.ts'

/** What options can be written as text: all but the store, functions, schemas and listeners. */
export type EnvironmentOptions = Omit<AuthOptions, 'sessions'> & {
  /** As `AuthOptions.sessions`, without the store. */
  readonly sessions?: Omit<NonNullable<AuthOptions['sessions']>, 'store'>
}

/** The variables of a process, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>

/** How many characters of a name have to be right for a guess what was meant. */
const LEAST_ALIKE = 3

/** The longest file that is read, in bytes. */
const MAX_FILE_BYTES = 1_048_576

/**
 * Reads the options of `createAuth` from the environment. Each name is `TOKENWRIGHT_` and the path
 * of the option in capitals; `TOKENWRIGHT_SECRET_OTHER` is a second secret, which only verifies,
 * and `TOKENWRIGHT_KEYS` the path of a key file, which is loaded again each minute. A secret, and
 * what is JSON, may be in a file: `TOKENWRIGHT_SECRET_FILE` names it, and one line break at its end
 * is no part of it.
 *
 * @param env the variables. Default those of this process
 * @param others names that begin with `TOKENWRIGHT_` and are the application's own
 * @returns options for `createAuth`, which checks what they are; the store has to be added
 * @throws {ConfigurationError} for an unknown name, with a suggestion; for a text that is empty or
 *   not of its kind; for a value that is given twice; for a file that cannot be read. No message
 *   shows a value
 *
 * @example
 * ```ts
 * import { createAuth, optionsFromEnvironment } from 'tokenwright'
 * import { memoryStore } from 'tokenwright/stores/memory'
 *
 * const { sessions, ...options } = optionsFromEnvironment()
 * const auth = createAuth({ ...options, sessions: { ...sessions, store: memoryStore() } })
 * ```
 */
export function optionsFromEnvironment(
  env: Environment = readProcess(),
  others: readonly string[] = [],
): EnvironmentOptions {
  refuseUnknown(env, others)
  const options: Record<string, unknown> = {}
  for (const variable of ENVIRONMENT_VARIABLES) {
    const text = readText(env, variable)
    if (text !== undefined) put(options, variable, parse(text, variable))
  }
  const set = ENVIRONMENT_VARIABLES.filter(
    ({ name }) => env[name] !== undefined || env[name + FILE] !== undefined,
  )
  const { secret, 'secret[1]': other, ...rest } = options
  if (other !== undefined && secret === undefined)
    throw new ConfigurationError(`${OTHER_SECRET.name} is set without ${PREFIX}SECRET, which signs`)
  return {
    ...rest,
    [SET_BY]: set,
    ...(secret !== undefined && { secret: other === undefined ? secret : [secret, other] }),
  } as unknown as EnvironmentOptions
}

/** Under this key options say which variables set them; it goes along where they are copied. */
const SET_BY = Symbol('set by')

/**
 * Checks options, and says in an error which variable has set what is wrong.
 *
 * @throws what `check` throws
 */
export function withVariableNames<T>(options: object, check: () => T): T {
  try {
    return check()
  } catch (error) {
    const set = (Object(options) as { readonly [SET_BY]?: readonly EnvironmentVariable[] })[SET_BY]
    if (!(error instanceof ConfigurationError) || set === undefined) throw error
    const [, option = ''] = /`([\w.]+)/.exec(error.message) ?? []
    const variable = set.find((one) => one.option === option)
    throw variable === undefined
      ? error
      : new ConfigurationError(`${error.message} (set by ${variable.name})`, { cause: error })
  }
}

function readProcess(): Environment {
  return (globalThis as { readonly process?: { readonly env?: Environment } }).process?.env ?? {}
}

function refuseUnknown(env: Environment, others: readonly string[]): void {
  const known = ENVIRONMENT_VARIABLES.flatMap(({ name, kind }) =>
    IN_FILES.has(kind) ? [name, name + FILE] : [name],
  ).concat(others)
  for (const name of Object.keys(env)) {
    if (!name.startsWith(PREFIX) || known.includes(name)) continue
    const guess = suggest(name, known)
    throw new ConfigurationError(
      `${name} is not a setting;${guess === undefined ? '' : ` did you mean ${guess}?`} docs/reference/environment.md lists all`,
    )
  }
}

/** By what other libraries call it, by the fewest edits, or by what it begins with. */
function suggest(name: string, known: readonly string[]): string | undefined {
  const word = name.slice(PREFIX.length)
  if (word.length < LEAST_ALIKE) return undefined
  const folded = word.toLowerCase().replaceAll('_', '')
  const option = Object.hasOwn(OPTION_SYNONYMS, folded) ? OPTION_SYNONYMS[folded] : undefined
  const synonym = ENVIRONMENT_VARIABLES.find((one) => one.option === option)
  const words = known.map((one) => one.slice(PREFIX.length))
  const begun = words.toSorted((a, b) => alike(word, b) - alike(word, a))[0] ?? ''
  const near = nearest(word, words) ?? (alike(word, begun) >= LEAST_ALIKE ? begun : undefined)
  return synonym?.name ?? (near && PREFIX + near)
}

/** With how many of the same characters two words begin. */
function alike(one: string, other: string): number {
  let length = 0
  while (length < one.length && one[length] === other[length]) length++
  return length
}

/** The text of a variable, from a file where that is asked; undefined where it is not set. */
function readText(env: Environment, { name, kind }: EnvironmentVariable): string | undefined {
  const text = env[name]
  const path = IN_FILES.has(kind) ? env[name + FILE] : undefined
  if (path !== undefined && text !== undefined)
    throw new ConfigurationError(`${name} and ${name}${FILE} are both set: take one away`)
  const found = path === undefined ? text : readFile(name + FILE, path)
  if (found === '' && kind !== 'anyText')
    throw new ConfigurationError(
      `${name} is empty: give it a value, or take it away. An empty one must not check less`,
    )
  return found
}

function readFile(name: string, path: string): string {
  const { getBuiltinModule } = process
  const fs = getBuiltinModule('node:fs')
  let reason: string
  try {
    const stat = fs.statSync(path)
    // A pipe without a writer would keep the process waiting.
    if (stat.isFile() && stat.size <= MAX_FILE_BYTES)
      return fs.readFileSync(path, 'utf8').replace(/\r?\n$/, '')
    reason = stat.isFile() ? 'is larger than 1 MiB' : 'is no regular file'
  } catch (error) {
    const { code } = Object(error) as { readonly code?: unknown }
    reason = `cannot be read (${typeof code === 'string' ? code : 'no code'})`
  }
  throw new ConfigurationError(`${name} names a file that ${reason}`)
}

/** What a text of each kind is, in words, and how it is read: undefined where it is not of it. */
const KINDS: Readonly<Record<VariableKind, readonly [wanted: string, read: (text: string) => unknown]>> = {
  secret: ['a secret', (text) => text],
  keyFile: ['the path of a key file', (text) => createKeyRing({ load: text })],
  text: ['a text', (text) => text],
  anyText: ['a text', (text) => text],
  texts: ['texts with commas between', readTexts],
  duration: ["a duration such as '15m', with one of s, m, h, d and w", readDuration],
  number: ['a number in digits', (text) => (/^\d+(?:\.\d+)?$/.test(text) ? Number(text) : undefined)],
  flag: ['true or false', readFlag],
  off: ['false', (text) => (text === 'false' ? false : undefined)],
  textOrFalse: ['a text, or false', (text) => (text === 'false' ? false : text)],
  durationOrFalse: [
    "a duration such as '1h', or false",
    (text) => (text === 'false' ? false : readDuration(text)),
  ],
  json: ['JSON', readJson],
}

function readTexts(text: string): readonly string[] | undefined {
  const texts = text.split(',').map((one) => one.trim())
  return texts.includes('') ? undefined : texts
}

function readDuration(text: string): string | undefined {
  return /^\d+(?:\.\d+)?[smhdw]$/.test(text) ? text : undefined
}

function readFlag(text: string): boolean | undefined {
  return text === 'true' ? true : text === 'false' ? false : undefined
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's message quotes the text.
    return undefined
  }
}

function parse(text: string, { name, kind }: EnvironmentVariable): unknown {
  const [wanted, read] = KINDS[kind]
  const value = read(text)
  if (value !== undefined) return value
  throw new ConfigurationError(`${name} must be ${wanted}, got a text of ${text.length} characters`)
}

/** Sets an option. A switch beside the members of what it switches has to agree with them. */
function put(options: Record<string, unknown>, { name, option }: EnvironmentVariable, value: unknown): void {
  const path = option.split('.')
  const last = path.pop() ?? ''
  let at = options
  for (const part of path) {
    const found = at[part]
    if (found === false)
      throw new ConfigurationError(`${name} is set, and ${toName(path)}=false switches it off`)
    const group = typeof found === 'object' ? (found as Record<string, unknown>) : {}
    at[part] = group
    at = group
  }
  at[last] = value
}
