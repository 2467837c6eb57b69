/**
 * `npm run bench [-- <filter>]`: runs the races whose title contains the filter, such as `HS256`,
 * `cached`, `refuse` or `grows`; `memory`, `revocation`, `rotation`, `logins`, `followers`,
 * `cores`, `start-up`, `runtimes [race]` and `growth [rows] [store]` run the other measurements.
 * Before a race, each contestant must accept what it verifies and refuse what it refuses. What one
 * measurement needs, such as better-auth, is imported for that one only.
 */
import { type Race, runRace } from './measure.ts'
import { createProgress } from './progress.ts'
import * as report from './report.ts'

const filter = (process.argv[2] ?? '').toLowerCase()
const wanted = (title: string): boolean => title.toLowerCase().includes(filter)
const progress = createProgress()

/** Lets each contestant do the work once, so that none is timed while it fails. */
async function check({ contestants, draw }: Race): Promise<void> {
  for (const { run } of contestants) await run(draw())
}

/** Runs a race, and says how far it is. */
async function race(one: Race): Promise<void> {
  const results = await runRace(one, (round, rounds) =>
    progress.show(`${one.title}, round ${round} of ${rounds}`),
  )
  progress.clear()
  report.printRace(one.title, results)
}

/** Measures what is no race, if it is wanted. */
async function measure<T>(
  title: string,
  work: () => Promise<T>,
  print: (results: T) => unknown,
): Promise<void> {
  if (!wanted(title)) return
  progress.show(title)
  const results = await work()
  progress.clear()
  await print(results)
}

/** The races that are wanted. Those with other issuers load libraries that no other one needs. */
async function createRaces(): Promise<readonly Race[]> {
  const { createRefusalRaces, createTokenRaces } = await import('./races.ts')
  const { createGrowthRaces } = await import('./dimensions.ts')
  const races = [...(await createTokenRaces()), ...createRefusalRaces(), ...(await createGrowthRaces())]
  if (wanted('issuer RS256 verify') || wanted('issuer RS256 seen before'))
    races.push(...(await (await import('./issuers.ts')).createIssuerRaces()))
  return races.filter(({ title }) => wanted(title))
}

report.printMachine()
for (const one of await createRaces()) {
  await check(one)
  await race(one)
}
await measure('memory', async () => (await import('./memory.ts')).measureEntry(), report.printEntry)
await measure(
  'revocation',
  async () => (await import('./revocation.ts')).createRevocationRace(),
  async ({ race: one, bytes, close }) => {
    await race(one)
    report.printRevocation(bytes)
    await close()
  },
)
await measure('rotation', async () => (await import('./rotation.ts')).measureRotation(), report.printRotation)
await measure('logins', async () => (await import('./logins/run.ts')).measureLogins(), report.printLogins)
await measure(
  'followers',
  async () => (await import('./followers/run.ts')).measureFollowers(),
  report.printFollowers,
)
await measure('cores', async () => (await import('./cores.ts')).measureCores(), report.printCores)
await measure('start-up', async () => (await import('./start-up.ts')).measureStartUp(), report.printStartUp)
await measure(
  'runtimes',
  async () => (await import('./runtimes.ts')).measureRuntimes(process.argv[3]),
  report.printRuntimes,
)
await measure(
  'growth',
  async () =>
    (await import('./growth/run.ts')).measureGrowth(Number(process.argv[3] ?? 100_000), process.argv[4]),
  report.printGrowth,
)
