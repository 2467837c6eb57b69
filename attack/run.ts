/**
 * `npm run attack -- [FILE] [--verbose] [--adapter NAME] [--store NAME]`: runs attack cases against
 * the library, over HTTP. FILE is a file of cases or a folder of such files, by default
 * `attack/cases`. `--adapter all` runs all cases on the first adapter and the quick ones on the
 * others. The exit code is 1 if a case fails, and 2 if there are no cases or they cannot be read.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type AttackCase, isLight, readCases } from './cases.ts'
import { type CaseResult, toLines, toSummary } from './report.ts'
import { HOME } from './root.ts'
import { runCases } from './runner.ts'
import type { ServerKind } from './servers.ts'
import { ADAPTERS } from './target.ts'

/** The default folder of cases, in this package. */
const CASES = 'cases'

/** The adapter that runs all cases, and the word for all adapters. */
const FIRST = 'fetch'
const ALL = 'all'

/** The stores for cases that name none. */
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
  // The applications under attack have their own secrets.
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

// Without a listener a signal ends the process before it can stop the servers that it started.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(2))
await main()
