/** Reads the arguments of the command. Asks nothing and writes nothing. */
import { parseArgs } from 'node:util'
import { closest, distance } from 'fastest-levenshtein'
import { type Choices, defaultOf, NAMES, type Name, QUESTIONS, valuesOf } from './choices.ts'

export interface Command {
  /** The folder to write, as it was given. */
  readonly folder: string | undefined
  readonly given: Partial<Choices>
  /** Whether what is not given takes its default, unasked. */
  readonly yes: boolean
}

/** What the user wrote is wrong; the message says what, and how to mend it. */
export class UsageError extends Error {}

const FLAGS = [...NAMES, 'yes', 'help', 'version']

/** @throws {UsageError} with the nearest name */
export function readArguments(args: readonly string[]): Command | 'help' | 'version' {
  const { tokens, positionals } = parse(args)
  const seen = new Map<string, string | undefined>()
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    if (!FLAGS.includes(token.name))
      throw new UsageError(`Unknown option ${token.rawName}${near(token.name, FLAGS, '--')}`)
    if (seen.has(token.name)) throw new UsageError(`${token.rawName} is given twice`)
    seen.set(token.name, token.value)
  }
  for (const flag of ['yes', 'help', 'version'])
    if (seen.get(flag) !== undefined) throw new UsageError(`--${flag} takes no value`)
  if (seen.has('help')) return 'help'
  if (seen.has('version')) return 'version'
  if (positionals.length > 1)
    throw new UsageError(`Expected one folder, got ${positionals.length}: ${positionals.join(', ')}`)
  return { folder: positionals[0], given: readChoices(seen), yes: seen.has('yes') }
}

function parse(args: readonly string[]) {
  const texts = Object.fromEntries(NAMES.map((name) => [name, { type: 'string' as const }]))
  return parseArgs({
    args: [...args],
    options: {
      ...texts,
      yes: { type: 'boolean', short: 'y' },
      help: { type: 'boolean', short: 'h' },
      version: { type: 'boolean' },
    },
    allowPositionals: true,
    strict: false,
    tokens: true,
  })
}

function readChoices(seen: ReadonlyMap<string, string | undefined>): Partial<Choices> {
  const given = NAMES.filter((name) => seen.has(name))
  return Object.fromEntries(given.map((name) => [name, readChoice(name, seen.get(name))]))
}

function readChoice(name: Name, value: string | undefined): string {
  const values: readonly string[] = valuesOf(name)
  const list = values.join(', ')
  if (value === undefined || value === '') throw new UsageError(`--${name} needs a value: ${list}`)
  if (values.includes(value)) return value
  throw new UsageError(`--${name} is one of ${list}; got "${value}"${near(value, values)}`)
}

/** A hint at the nearest name, where one is near enough to be meant. */
function near(text: string, names: readonly string[], before = ''): string {
  const name = closest(text.toLowerCase(), names)
  const isNear = distance(text.toLowerCase(), name) <= Math.max(2, name.length / 2)
  return isNear ? `. Did you mean ${before}${name}?` : ''
}

export const HELP = `Usage: npm create tokenwright@latest [folder] -- [options]

${NAMES.map((name) => {
  const rows = valuesOf(name).map((value) => {
    const label = (QUESTIONS[name].values as Readonly<Record<string, string>>)[value]
    return `      ${value.padEnd(14)} ${label}${value === defaultOf(name) ? ' (default)' : ''}`
  })
  return [`  --${name} <value>`, ...rows].join('\n')
}).join('\n')}
  -y, --yes       asks nothing: what is not given has its default
  -h, --help
      --version
`
