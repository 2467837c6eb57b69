/**
 * `npm run attack -- [FILE] [--verbose] [--adapter NAME] [--store NAME]`: runs attack cases against
 * the library, over HTTP. FILE is a file of cases or a folder of such files, by default
 * `attack/cases`. `--adapter all` runs the quick cases on every adapter, each in a process of its
 * own, and after them the others on the first one, the measurements alone and last. The exit code
 * is 1 if a case fails, and 2 if the arguments are wrong or there are no cases that can be read.
 */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type AttackCase, isLast, isLight, isMeasured, isOutside, readCases } from './cases.ts'
import { runInProcesses } from './lanes.ts'
import { Progress } from './progress.ts'
import { addCounts, type Counts, countResults, toLines, toSummary } from './report.ts'
import { HOME } from './root.ts'
import { runCases } from './runner.ts'
import type { ServerKind } from './servers.ts'
import { ADAPTERS } from './target.ts'

/** The default folder of cases, in this package. */
const CASES = 'cases'

/** The adapter that runs all cases, and the word for all adapters. */
const FIRST = 'fetch'
const ALL = 'all'

/** The cases of a run. */
const KINDS = ['quick', 'outside', 'slow', 'measured', 'all'] as const
type Kind = (typeof KINDS)[number]

/** The stores for cases that name none. */
const STORES: readonly string[] = ['memory', 'redis', 'postgres', 'mysql', 'sqlite']

const NAMES = Object.keys(ADAPTERS)

const HELP = `Usage: npm run attack -- [FILE] [options]

Runs attack cases over HTTP. FILE is a file of cases or a folder of such files, by default
attack/cases; attack/cases/README.md describes their form.

  --adapter NAME  ${NAMES.join(', ')}, or ${ALL}: the quick
                  cases on each, and the others on ${FIRST}; by default ${FIRST}
  --cases KIND    ${KINDS.join(', ')}: quick ones depend on the
                  adapter, outside ones wait for issuers and feeds; by default all
  --store NAME    the store of cases that name none: ${STORES.join(', ')};
                  by default memory
  -v, --verbose   also prints each combination, and the sentences that were not checked
  -h, --help      prints this text

ATTACK_LONG=1 runs the long forms of trials. The exit code is 1 if a case fails, 2 if the arguments
are wrong, there are no cases or they cannot be read, and 130 or 143 after SIGINT or SIGTERM.`

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
      cases: { type: 'string' },
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

/** The cases of a kind. */
const CHOOSE: Readonly<Record<Kind, (attack: AttackCase) => boolean>> = {
  quick: isLight,
  outside: isOutside,
  slow: (attack) => !isLight(attack) && !isOutside(attack) && !isMeasured(attack),
  measured: (attack) => isMeasured(attack) || isLast(attack),
  all: () => true,
}

/** What to attack, how, and with which cases. */
interface Plan {
  readonly cases: readonly AttackCase[]
  readonly adapter: string
  readonly store: string
  readonly verbose: boolean
}

/** The cases of this process; null where others run them. */
let progress: Progress | null = null

async function runHere({ cases, adapter, store, verbose }: Plan): Promise<Counts> {
  const counted = new Progress(cases.length)
  progress = counted
  const results = await runCases(cases, {
    adapter,
    ...(store !== 'memory' && { store: store as ServerKind }),
    onResult(result) {
      counted.note(() => {
        for (const line of toLines(result, verbose)) say(line)
      })
    },
  })
  return countResults(results)
}

/**
 * The quick cases on each adapter, as many at once as there are cores; then those that wait, beside
 * each other; then, alone, the measurements.
 */
async function runOnAll(plan: Plan, file: string): Promise<Counts> {
  const { verbose, store } = plan
  const more = verbose ? ['--verbose'] : []
  const toLane = (kind: Kind, adapter: string) => ({
    title: `adapter ${adapter}: ${kind}`,
    args: [file, '--cases', kind, '--adapter', adapter, '--store', store, ...more],
  })
  const quick = NAMES.map((name) => toLane('quick', name))
  const counts = await runInProcesses(quick, availableParallelism(), say)
  const waiting = [toLane('slow', FIRST), toLane('outside', FIRST)]
  const others = await runInProcesses(waiting, waiting.length, say)
  say(`\n== adapter ${FIRST}: measured`)
  return addCounts([...counts, ...others, await runHere({ ...plan, adapter: FIRST })])
}

async function main(): Promise<void> {
  const { values, positionals } = readArguments()
  if (values.help) return say(HELP)
  const { verbose = false, adapter = FIRST, store = 'memory', cases: kind = 'all' } = values
  if (positionals.length > 1) fail('expected one FILE')
  if (adapter !== ALL && !Object.hasOwn(ADAPTERS, adapter))
    fail(`unknown adapter '${adapter}': expected ${NAMES.join(', ')} or ${ALL}`)
  if (!STORES.includes(store)) fail(`unknown store '${store}': expected one of ${STORES.join(', ')}`)
  if (!Object.hasOwn(CHOOSE, kind)) fail(`unknown cases '${kind}': expected one of ${KINDS.join(', ')}`)
  // The applications under attack have their own secrets.
  delete process.env['TOKENWRIGHT_SECRET']

  const file = positionals[0] ?? join(HOME, CASES)
  const all = load(file)
  const isAll = adapter === ALL
  const cases = all.filter(CHOOSE[isAll ? 'measured' : (kind as Kind)])
  const plan = { cases, adapter, store, verbose }
  const counts = await (isAll ? runOnAll(plan, file) : runHere(plan))
  say('')
  say(toSummary(counts))
  if (counts.failed > 0) process.exitCode = 1
}

/** Ends after a signal. What was found until then is printed. */
function breakOff(code: number): never {
  progress?.breakOff()
  process.exit(code)
}

// Without a listener a signal ends the process before it can stop the servers that it started.
process.once('SIGINT', () => breakOff(130))
process.once('SIGTERM', () => breakOff(143))
await main()
