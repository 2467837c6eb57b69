#!/usr/bin/env node
/**
 * The `tokenwright` command. The standard output has the result and nothing else, so that it can be
 * piped. An error is one line on the standard error output. A database is named by its URL, best in
 * the environment, and its password is never printed. Arguments are read by Node's own `parseArgs`.
 */
import { createRequire } from 'node:module'
import { parseArgs } from 'node:util'
import { type Flags, InterruptedError, UsageError } from './cli/command.ts'
import { COMMANDS, GROUPS } from './cli/command-list.ts'
import { formatCommand, formatOverview } from './cli/help.ts'
import { OPTIONS } from './cli/option-table.ts'
import { redact } from './cli/redact.ts'
import { toPrintable } from './cli/terminal.ts'
import { checkKnownKeys, nearest } from './internal/configuration-error.ts'

/** What every command takes. */
const ALWAYS = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const

const SETTINGS = {
  allowPositionals: true,
  options: {
    ...Object.fromEntries(
      Object.entries(OPTIONS).map(([name, { value, isRepeated = false }]) => [
        name,
        { type: value === null ? ('boolean' as const) : ('string' as const), multiple: isRepeated },
      ]),
    ),
    ...ALWAYS,
  },
} as const

/** What went wrong, in one line and without a password. */
function toLine(error: unknown): string {
  const { message = '', code = '' } = Object(error) as { message?: string; code?: string }
  const line = (message || code || String(error)).replace(/\s+/g, ' ')
  const { DATABASE_URL = '', REDIS_URL = '' } = process.env
  return redact(line, [...process.argv, DATABASE_URL, REDIS_URL])
}

/** The version of this package, in `package.json` two folders above the built command. */
function readVersion(): string {
  const { version } = createRequire(import.meta.url)('../../package.json') as { readonly version: string }
  return version
}

async function main(): Promise<void> {
  const { values: given, positionals } = parseArgs({ ...SETTINGS, strict: false })
  const words = GROUPS.has(positionals[0] ?? '') ? 2 : 1
  const name = positionals.slice(0, words).join(' ')
  const [argument, ...rest] = positionals.slice(words)
  const row = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  checkKnownKeys('', given, [...(row?.options ?? Object.keys(OPTIONS)), ...Object.keys(ALWAYS)])
  const { version, help, ...flags } = parseArgs(SETTINGS).values
  if (version) return console.log(readVersion())
  if (name === '' || (help && GROUPS.has(name))) return console.log(formatOverview(name))
  if (row === undefined) throw new UsageError(toUnknown(name))
  if (help) return console.log(formatCommand(name))
  if (rest.length > 0 || (argument !== undefined && row.argument === null))
    throw new UsageError(`Expected \`${name}\` with ${toWanted(row.argument)}`)
  const text = await (await row.load())[name]?.(argument, flags as Flags)
  if (text !== undefined) console.log(text)
}

/** What is said of a command that does not exist. */
function toUnknown(name: string): string {
  const names = Object.keys(COMMANDS)
  if (GROUPS.has(name))
    return `Expected a command: ${names.filter((known) => known.startsWith(`${name} `)).join(', ')}`
  const near = nearest(name, [...names, ...GROUPS])
  const hint = near === undefined ? '' : `; did you mean \`${near}\`?`
  return `Expected a command, got \`${toPrintable(name.slice(0, 40))}\`${hint} See tokenwright --help`
}

function toWanted(argument: string | null): string {
  return argument === null ? 'no argument' : `one argument, the ${argument}`
}

// A reader that has seen enough, such as `head`, ends the command.
process.stdout.on('error', (error: { code?: string }) => {
  if (error.code !== 'EPIPE') throw error
  process.exit()
})

try {
  await main()
} catch (error) {
  console.error(toLine(error))
  process.exitCode = error instanceof InterruptedError ? error.exitCode : 1
}
