/**
 * `npm run attack -- [FILE] [--verbose] [--door NAME] [--store NAME]`: runs the cases of a file against the library, over HTTP. With
 * `--door all` every case runs on the first door, and on the others those that start no servers of their own.
 * FILE defaults to the project's research folder beside it, then to the environment's ATTACK_CASES. Exit code 1 when a case
 * failed, 2 when the file cannot be read. A file that is merely absent by default is said loudly and is no failure.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type AttackCase, isLight, readCases } from './cases.ts'
import { type CaseResult, toLines, toSummary } from './report.ts'
import { projectRoot } from './root.ts'
import { runCases } from './runner.ts'
import type { ServerKind } from './servers.ts'
import { DOORS } from './target.ts'

/** Where the cases are unless the command says otherwise, from the project's root. */
const DEFAULT_FILE = '../shared/research/attack_cases.json'

/** Environment variable with a case file. */
const FILE_VARIABLE = 'ATTACK_CASES'

/** The door on which every case runs, and the word for running on all doors. */
const FIRST = 'fetch'
const ALL = 'all'

/** Where sessions may be kept in cases that do not say. */
const STORES: readonly string[] = ['memory', 'redis', 'postgres', 'mysql', 'sqlite']

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

function fail(text: string): never {
  process.stderr.write(`attack: ${text}\n`)
  process.exit(2)
}

function readArguments() {
  try {
    const options = {
      verbose: { type: 'boolean', short: 'v' },
      door: { type: 'string' },
      store: { type: 'string' },
    } as const
    return parseArgs({ options, allowPositionals: true })
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error))
  }
}

function load(file: string): AttackCase[] {
  try {
    return readCases(file)
  } catch (error) {
    return fail(`${file}: ${error instanceof Error ? error.message : error}`)
  }
}

/** The file to read; undefined when none was named and the usual one is not there. */
function findFile(named: string | undefined): string | undefined {
  if (named !== undefined) return named
  const usual = join(projectRoot(), DEFAULT_FILE)
  return existsSync(usual) ? usual : process.env[FILE_VARIABLE]
}

async function main(): Promise<void> {
  const { values, positionals } = readArguments()
  const { verbose = false, door = FIRST, store = 'memory' } = values
  if (positionals.length > 1) fail('expected one FILE')
  if (door !== ALL && !Object.hasOwn(DOORS, door))
    fail(`no such door: ${door}; there are ${Object.keys(DOORS).join(', ')}, and ${ALL}`)
  if (!STORES.includes(store)) fail(`no such store: ${store}; there are ${STORES.join(', ')}`)
  // Applications under attack bring their own secrets.
  delete process.env['TOKENWRIGHT_SECRET']

  const file = findFile(positionals[0])
  if (file === undefined) {
    say(`SKIPPED: no attack cases. ${DEFAULT_FILE} is not there; name a FILE or set ${FILE_VARIABLE}.`)
    say(toSummary([]))
    return
  }
  const cases = load(file)
  const results: CaseResult[] = []
  for (const name of door === ALL ? Object.keys(DOORS) : [door]) {
    if (door === ALL) say(`\n== door ${name}`)
    const chosen = door === ALL && name !== FIRST ? cases.filter(isLight) : cases
    const options = { door: name, ...(store !== 'memory' && { store: store as ServerKind }) }
    const onResult = (result: CaseResult): void => {
      for (const line of toLines(result, verbose)) say(line)
    }
    results.push(...(await runCases(chosen, { ...options, onResult })))
  }
  say('')
  say(toSummary(results))
  if (results.some(({ outcome }) => outcome === 'failed')) process.exitCode = 1
}

// Servers that were started end with the process, but not by a signal that nobody hears.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(2))
await main()
