/**
 * `npm run attack -- [FILE] [--verbose] [--door NAME] [--store NAME]`: runs attack cases against
 * the library, over HTTP. FILE is a file of cases or a folder of such files, `attack/cases` by
 * default. With `--door all` every case runs on the first door, and on the others those that start
 * no servers of their own. Exit code 1 when a case failed, 2 when there are no cases or they cannot
 * be read.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type AttackCase, isLight, readCases } from './cases.ts'
import { type CaseResult, toLines, toSummary } from './report.ts'
import { HOME } from './root.ts'
import { runCases } from './runner.ts'
import type { ServerKind } from './servers.ts'
import { ADAPTERS } from './target.ts'

/** Where the cases are unless the command says otherwise, from the package's folder. */
const CASES = 'cases'

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
      adapter: { type: 'string' },
      store: { type: 'string' },
    } as const
    return parseArgs({ options, allowPositionals: true })
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error))
  }
}

function load(file: string): AttackCase[] {
  try {
    const cases = readCases(file)
    return cases.length > 0 ? cases : fail(`${file}: expected at least one case`)
  } catch (error) {
    return fail(`${file}: ${error instanceof Error ? error.message : error}`)
  }
}

async function main(): Promise<void> {
  const { values, positionals } = readArguments()
  const { verbose = false, adapter = FIRST, store = 'memory' } = values
  if (positionals.length > 1) fail('expected one FILE')
  if (adapter !== ALL && !Object.hasOwn(ADAPTERS, adapter))
    fail(`no such adapter: ${adapter}; there are ${Object.keys(ADAPTERS).join(', ')}, and ${ALL}`)
  if (!STORES.includes(store)) fail(`no such store: ${store}; there are ${STORES.join(', ')}`)
  // Applications under attack bring their own secrets.
  delete process.env['TOKENWRIGHT_SECRET']

  const cases = load(positionals[0] ?? join(HOME, CASES))
  const results: CaseResult[] = []
  for (const name of adapter === ALL ? Object.keys(ADAPTERS) : [adapter]) {
    if (adapter === ALL) say(`\n== adapter ${name}`)
    const chosen = adapter === ALL && name !== FIRST ? cases.filter(isLight) : cases
    const options = { adapter: name, ...(store !== 'memory' && { store: store as ServerKind }) }
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
