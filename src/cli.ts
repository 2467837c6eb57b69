#!/usr/bin/env node
/**
 * The `tokenwright` command: secrets and keys, and the tables of the SQL store. The standard output
 * has the result and nothing else, so that it can be piped. An error is one line on the standard
 * error output, with exit status 1. A database is named by its URL, best in `DATABASE_URL`, and its
 * password is never printed.
 */
import { createRequire } from 'node:module'
import { parseArgs } from 'node:util'
import { type CommandTable, type Flags, UsageError } from './cli/command.ts'

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

  --alg <algorithm>         of a new key; default that of the key that signs, or ES256
  --announce <duration>     at least 10m; default 1h
  --retire <duration>       at least refresh.expiresIn; default 21d
  --force                   rotates at once: users whose instance does not know the key are signed out
  --prefix <prefix>         what the tables' names begin with; default tokenwright_
  --version                 the version of this package
`

/** The commands about keys. */
async function loadKeys(): Promise<CommandTable> {
  return (await import('./cli/key-commands.ts')).KEY_COMMANDS
}

/** The commands about tables. */
async function loadTables(): Promise<CommandTable> {
  return (await import('./cli/table-commands.ts')).TABLE_COMMANDS
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
}

/** What went wrong, in one line and without the password of any URL. */
function toLine(error: unknown): string {
  const { message = '', code = '' } = Object(error) as { message?: string; code?: string }
  return (message || code || String(error)).replace(/\s+/g, ' ').replace(/:\/\/[^@/]*@/g, '://***@')
}

/** The version of this package, in `package.json` two folders above the built command. */
function readVersion(): string {
  const { version } = createRequire(import.meta.url)('../../package.json') as { readonly version: string }
  return version
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      prefix: { type: 'string' },
      alg: { type: 'string' },
      announce: { type: 'string' },
      retire: { type: 'string' },
      force: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
      version: { type: 'boolean', short: 'v' },
    },
  })
  const { version, help, ...flags } = values
  const words = positionals[0] === 'keys' ? 2 : 1
  const name = positionals.slice(0, words).join(' ')
  const [argument, ...rest] = positionals.slice(words)
  if (version) console.log(readVersion())
  else if (help || name === '') console.log(USAGE)
  else {
    const command = Object.hasOwn(MODULES, name) ? (await MODULES[name]?.())?.[name] : undefined
    if (command === undefined)
      throw new UsageError(`Expected a command: ${Object.keys(MODULES).join(', ')}; see tokenwright --help`)
    if (rest.length > 0 || (argument !== undefined && command.argument === null))
      throw new UsageError(`Expected \`${name}\` with ${toWanted(command.argument)}`)
    console.log(await command.run(argument, flags as Flags))
  }
}

function toWanted(argument: string | null): string {
  return argument === null ? 'no argument' : `one argument, the ${argument}`
}

try {
  await main()
} catch (error) {
  console.error(toLine(error))
  process.exitCode = 1
}
