/**
 * `npm run mutation -- [FILE...] [--sample N] [--seed N]`: breaks the sources of `src/token`, `src/session`, `src/http` and
 * `src/auth`, one place at a time, and runs the tests that should notice. Named files are tried whole, or N places of each;
 * without a file, N places of all of them, 60 by default. The same seed gives the same places. Prints the survivors and the
 * score; exit code 1 below 85 %. No file is changed: a plugin hands the broken source to the tests.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { createVitest } from 'vitest/node'
import { applyMutant, listMutants } from './mutants.mjs'

const ROOT = join(import.meta.dirname, '../..')

/** The tests that are run for a layer; the second list only for what the first one lets live. */
const TESTS = {
  token: [
    ['test/token/', 'test/vectors/'],
    ['test/auth/', 'test/regressions/', 'test/http/'],
  ],
  session: [
    ['test/session/', 'test/auth/'],
    ['test/invariants/', 'test/contract/', 'test/routes/', 'test/adapters/ws/'],
  ],
  http: [['test/http/'], ['test/auth/', 'test/regressions/', 'test/routes/', 'test/adapters/']],
  auth: [
    ['test/auth/'],
    ['test/regressions/', 'test/routes/', 'test/session/', 'test/adapters/', 'test/testing/'],
  ],
}

/** Tests that need servers or browsers, or that build. */
const LEFT_OUT = /fetch\.test|outages|differential|nest|\.gateway|generated/

/** The share of mutants that must be killed, in percent. */
const LEAST = 85

/** Longer than this a mutant is taken for one that hangs, which a test would notice; in milliseconds. */
const PATIENCE = 300_000

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { sample: { type: 'string' }, seed: { type: 'string', default: '1' } },
})

const files = (
  positionals.length > 0 ? positionals : Object.keys(TESTS).map((layer) => `src/${layer}`)
).flatMap(toFiles)
const chosen = choose()
let current
process.env.TOKENWRIGHT_TEST_FOLDER ??= '/tmp'
process.env.TOKENWRIGHT_MUTATION = '1'
const vitest = await createVitest(
  'test',
  {
    root: ROOT,
    config: join(ROOT, 'vitest.config.ts'),
    watch: false,
    run: true,
    bail: 1,
    reporters: [{}],
    globalSetup: [],
    typecheck: { enabled: false },
    maxWorkers: 2,
    // A busy machine must not be taken for a test that fails.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
  { plugins: [{ name: 'mutation', enforce: 'pre', load }] },
)
await vitest.standalone()

/** A plugin's hook: the current mutant in place of its file. */
function load(id) {
  if (current === undefined || id.split('?')[0] !== current.path) return undefined
  return applyMutant(current.source, current.mutant)
}

await checkUnchanged()
const survivors = []
let killed = 0
for (const mutant of chosen) {
  const found = await isKilled(mutant)
  if (found) killed += 1
  else survivors.push(mutant)
  console.log(`${found ? 'killed  ' : 'SURVIVED'}  ${toText(mutant)}`)
}
const score = (100 * killed) / Math.max(1, chosen.length)
console.log(`\n${killed} of ${chosen.length} killed: ${score.toFixed(1)} % (seed ${values.seed})`)
for (const mutant of survivors) console.log(`survived: ${toText(mutant)}`)
await vitest.close()
process.exit(score >= LEAST && chosen.length > 0 ? 0 : 1)

function toFiles(path) {
  if (path.endsWith('.ts')) return [path]
  return readdirSync(join(ROOT, path), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .sort()
    .map((name) => join(path, name))
}

function choose() {
  const all = files.map((file) => {
    const path = join(ROOT, file)
    const source = readFileSync(path, 'utf8')
    return listMutants(file, source).map((mutant) => ({ path, source, mutant }))
  })
  const count = Number(values.sample ?? (positionals.length > 0 ? Number.POSITIVE_INFINITY : 60))
  const random = createRandom(Number(values.seed))
  const pick = (list) =>
    list
      .map((item) => ({ item, rank: random() }))
      .sort((a, b) => a.rank - b.rank)
      .slice(0, count)
      .map(({ item }) => item)
  return positionals.length > 0 ? all.flatMap(pick) : pick(all.flat())
}

/** Numbers from 0 to 1 that come again with their seed (xorshift32). */
function createRandom(seed) {
  let state = (seed * 2_654_435_769) | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

/** The tests pass as they are; otherwise every mutant would seem to be killed. */
async function checkUnchanged() {
  for (const layer of new Set(chosen.map(({ path }) => toLayer(path)))) {
    for (const folders of TESTS[layer]) {
      const failed = await findFailure(await specsIn(folders))
      if (failed === undefined) continue
      console.error(`mutation: without a mutant these tests fail already: ${failed}`)
      process.exit(2)
    }
  }
}

function toLayer(path) {
  return relative(join(ROOT, 'src'), path).split('/')[0]
}

async function specsIn(folders) {
  const all = await vitest.globTestSpecifications(folders)
  return all.filter(({ moduleId }) => !LEFT_OUT.test(moduleId))
}

async function isKilled(mutant) {
  current = mutant
  vitest.invalidateFile(mutant.path)
  try {
    // The test beside the file first: it kills most mutants, and soon.
    const beside = relative(join(ROOT, 'src'), mutant.path).replace(/\.ts$/, '.test.ts')
    for (const folders of [[`test/${beside}`], ...TESTS[toLayer(mutant.path)]]) {
      if ((await findFailure(await specsIn(folders))) !== undefined) return true
    }
    return false
  } finally {
    current = undefined
    vitest.invalidateFile(mutant.path)
  }
}

/** The first test module that fails, or a word for what else is wrong; undefined when all is well. */
async function findFailure(specs) {
  if (specs.length === 0) return undefined
  let timer
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, PATIENCE, 'late')
  })
  const running = vitest.runTestSpecifications(specs, false)
  const result = await Promise.race([running, late])
  clearTimeout(timer)
  if (result === 'late') {
    await vitest.cancelCurrentRun('keyboard-input')
    await running.catch(() => undefined)
    return 'no end'
  }
  const { testModules, unhandledErrors } = result
  if (unhandledErrors.length > 0) return String(unhandledErrors[0])
  const failed = testModules.find((module) => !module.ok())
  if (failed === undefined) return undefined
  const [test] = [...failed.children.allTests('failed')]
  const [error] = [...failed.errors(), ...(test?.result().errors ?? [])]
  return `${failed.moduleId} ${test?.fullName ?? ''}: ${error?.message ?? failed.state()}`
}

function toText({ path, mutant: { line, what } }) {
  return `${relative(ROOT, path)}:${line}  ${what.replace(/\s+/g, ' ').slice(0, 100)}`
}
