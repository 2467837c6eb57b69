#!/usr/bin/env node
/**
 * The `tokenwright` command: secrets and keys, the tables of the SQL store, and the copy from one
 * store to another. The standard output has the result and nothing else, so that it can be piped.
 * An error is one line on the standard error output, with exit status 1. A database is named by its
 * URL, best in the environment, and its password is never printed.
 */
import { createRequire } from 'node:module'
import { parseArgs } from 'node:util'
import { type CommandTable, type Flags, InterruptedError, UsageError } from './cli/command.ts'
import { redact } from './cli/redact.ts'
import { checkKnownKeys } from './internal/configuration-error.ts'

const USAGE = `tokenwright <command>

  secret                    a new secret for HS256 to HS512
  key <algorithm>           a new private key as a JWK, such as: tokenwright key ES256
  keys rotate <file>        announces a new key, or makes the file: each process that loads it
                            verifies with the new key at once, signs with it after --announce,
                            and verifies with the old one for --retire after that
  keys list <file>          what each key of the file does now, and its times
  keys jwks <file>          the public halves of a file's keys, as a key set
  jwks [file]               the public half of a private JWK, as a key set; default: the standard input
  migrate [database]        brings the tables of the SQL store up; default: the database in DATABASE_URL
                            postgres://user:password@host/name, mysql://..., or sqlite:path/to/file.db
  sql <dialect>             prints what \`migrate\` carries out, for other tools: postgres, mysql or sqlite
  copy                      copies sessions, revocations and counted attempts from the store of --from
                            into that of --to, while the application stands still; the tables exist

  --alg <algorithm>         of a new key; default that of the key that signs, or ES256
  --announce <duration>     at least 10m; default 1h
  --retire <duration>       at least refresh.expiresIn; default 21d
  --force                   rotates at once: users whose instance does not know the key are signed out
  --prefix <prefix>         what the tables' names begin with; default tokenwright_
  --schema <schema>         the tables' schema, on MySQL the database; it exists
  --plan                    prints what \`migrate\` would carry out, and changes nothing
  --wait <duration>         how long \`migrate\` waits for tables in use; default 30s
  --from <url>, --to <url>  a database as above, redis://... or rediss://...; env:NAME takes the URL
                            from the variable NAME, where other users of the machine do not see it
  --from-prefix <prefix>    what the tables' names in --from begin with, or the keys of a Redis: tw
  --to-prefix <prefix>      the same in --to
  --resume                  goes on where a copy of the two stores was broken off
  --json                    prints the result of a copy as one JSON object
  --version                 the version of this package

Exit status: 0 done; 1 failed, with the reason in one line; 3 copied, but sessions changed meanwhile;
130 or 143 broken off by SIGINT or SIGTERM.
`

/** The commands about keys. */
async function loadKeys(): Promise<CommandTable> {
  return (await import('./cli/key-commands.ts')).KEY_COMMANDS
}

/** The commands about tables. */
async function loadTables(): Promise<CommandTable> {
  return (await import('./cli/table-commands.ts')).TABLE_COMMANDS
}

/** The command that copies. */
async function loadCopy(): Promise<CommandTable> {
  return (await import('./cli/copy-command.ts')).COPY_COMMANDS
}

/** Where each command is. Only what is called is loaded. */
const MODULES: Readonly<Record<string, () => Promise<CommandTable>>> = {
  secret: loadKeys,
  key: loadKeys,
  'keys rotate': loadKeys,
  'keys list': loadKeys,
  'keys jwks': loadKeys,
  jwks: loadKeys,
  migrate: loadTables,
  sql: loadTables,
  copy: loadCopy,
}

/** What each option takes. */
const OPTIONS = {
  prefix: { type: 'string' },
  schema: { type: 'string' },
  wait: { type: 'string' },
  plan: { type: 'boolean' },
  alg: { type: 'string' },
  announce: { type: 'string' },
  retire: { type: 'string' },
  force: { type: 'boolean' },
  from: { type: 'string' },
  to: { type: 'string' },
  'from-prefix': { type: 'string' },
  'to-prefix': { type: 'string' },
  resume: { type: 'boolean' },
  json: { type: 'boolean' },
} as const satisfies Record<keyof Flags, { type: 'string' | 'boolean' }>

/** What every command takes. */
const ALWAYS = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const

const SETTINGS = { allowPositionals: true, options: { ...OPTIONS, ...ALWAYS } } as const

/** What went wrong, in one line and without a password. */
function toLine(error: unknown): string {
  const { message = '', code = '' } = Object(error) as { message?: string; code?: string }
  const line = (message || code || String(error)).replace(/\s+/g, ' ')
  return redact(line, [...process.argv, process.env['DATABASE_URL'] ?? ''])
}

/** The version of this package, in `package.json` two folders above the built command. */
function readVersion(): string {
  const { version } = createRequire(import.meta.url)('../../package.json') as { readonly version: string }
  return version
}

async function main(): Promise<void> {
  const { values: given, positionals } = parseArgs({ ...SETTINGS, strict: false })
  const words = positionals[0] === 'keys' ? 2 : 1
  const name = positionals.slice(0, words).join(' ')
  const [argument, ...rest] = positionals.slice(words)
  const command = Object.hasOwn(MODULES, name) ? (await MODULES[name]?.())?.[name] : undefined
  const known = command === undefined ? Object.keys(OPTIONS) : command.options
  checkKnownKeys('', given, [...known, ...Object.keys(ALWAYS)])
  const { version, help, ...flags } = parseArgs(SETTINGS).values
  if (version) return console.log(readVersion())
  if (help || name === '') return console.log(USAGE)
  if (command === undefined)
    throw new UsageError(`Expected a command: ${Object.keys(MODULES).join(', ')}; see tokenwright --help`)
  if (rest.length > 0 || (argument !== undefined && command.argument === null))
    throw new UsageError(`Expected \`${name}\` with ${toWanted(command.argument)}`)
  console.log(await command.run(argument, flags))
}

function toWanted(argument: string | null): string {
  return argument === null ? 'no argument' : `one argument, the ${argument}`
}

try {
  await main()
} catch (error) {
  console.error(toLine(error))
  process.exitCode = error instanceof InterruptedError ? error.exitCode : 1
}
