/**
 * `npm run attack -- [FILE] [--verbose] [--adapter NAME] [--store NAME]`: runs attack cases against
 * the library, over HTTP. FILE is a file of cases or a folder of such files, by default
 * `attack/cases`. `--adapter all` runs all cases on the first adapter and the quick ones on the
 * others. The exit code is 1 if a case fails, and 2 if the arguments are wrong, there are no cases
 * or they cannot be read.
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

const NAMES = Object.keys(ADAPTERS)

const HELP = `Usage: npm run attack -- [FILE] [options]

Runs attack cases over HTTP. FILE is a file of cases or a folder of such files, by default
attack/cases; attack/cases/README.md describes their form.

  --adapter NAME  ${NAMES.join(', ')}, or ${ALL}: all cases on
                  ${FIRST} and the quick ones on the others; by default ${FIRST}
  --store NAME    the store of cases that name none: ${STORES.join(', ')};
                  by default memory
  -v, --verbose   also prints each combination, and the sentences that were not checked
  -h, --help      prints this text

ATTACK_LONG=1 runs the long forms of trials. The exit code is 1 if a case fails, and 2 if the
arguments are wrong, there are no cases or they cannot be read.`

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
      help: { type: 'boolean', short: 'h' },
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
  if (values.help) return say(HELP)
  const { verbose = false, adapter = FIRST, store = 'memory' } = values
  if (positionals.length > 1) fail('expected one FILE')
  if (adapter !== ALL && !Object.hasOwn(ADAPTERS, adapter))
    fail(`unknown adapter '${adapter}': expected ${NAMES.join(', ')} or ${ALL}`)
  if (!STORES.includes(store)) fail(`unknown store '${store}': expected one of ${STORES.join(', ')}`)
  // The applications under attack have their own secrets.
  delete process.env['TOKENWRIGHT_SECRET']

  const cases = load(positionals[0] ?? join(HOME, CASES))
  const results: CaseResult[] = []
  for (const name of adapter === ALL ? NAMES : [adapter]) {
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
