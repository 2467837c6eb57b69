/**
 * `npm run bench [-- <filter>]`: runs the races whose title contains the filter, such as `HS256`,
 * `cached`, `refuse` or `grows`; `memory`, `revocation`, `rotation`, `logins`, `followers`,
 * `cores`, `start-up`, `runtimes` and `growth [rows] [store]` run the other measurements.
 * Before a race, each contestant must accept what it verifies and refuse what it refuses.
 */
import { measureCores } from './cores.ts'
import { createGrowthRaces } from './dimensions.ts'
import { measureFollowers } from './followers/run.ts'
import { measureGrowth } from './growth/run.ts'
import { createIssuerRaces } from './issuers.ts'
import { measureLogins } from './logins/run.ts'
import { type Race, runRace } from './measure.ts'
import { measureEntry } from './memory.ts'
import { createRefusalRaces, createTokenRaces } from './races.ts'
import {
  printCores,
  printEntry,
  printFollowers,
  printGrowth,
  printLogins,
  printMachine,
  printRace,
  printRevocation,
  printRotation,
  printRuntimes,
  printStartUp,
} from './report.ts'
import { createRevocationRace } from './revocation.ts'
import { measureRotation } from './rotation.ts'
import { measureRuntimes } from './runtimes.ts'
import { measureStartUp } from './start-up.ts'

/** Lets each contestant do the work once, so that none is timed while it fails. */
async function check({ contestants, draw }: Race): Promise<void> {
  for (const { run } of contestants) await run(draw())
}

const filter = (process.argv[2] ?? '').toLowerCase()
const wanted = (title: string): boolean => title.toLowerCase().includes(filter)
const races = [
  ...(await createTokenRaces()),
  ...createRefusalRaces(),
  ...(await createIssuerRaces()),
  ...(await createGrowthRaces()),
].filter((race) => wanted(race.title))

printMachine()
for (const race of races) {
  await check(race)
  printRace(race.title, await runRace(race))
}
if (wanted('memory')) printEntry(await measureEntry())
if (wanted('revocation')) {
  const { race, bytes, close } = await createRevocationRace()
  printRace(race.title, await runRace(race))
  printRevocation(bytes)
  await close()
}
if (wanted('rotation')) printRotation(await measureRotation())
if (wanted('logins')) printLogins(await measureLogins())
if (wanted('followers')) printFollowers(await measureFollowers())
if (wanted('cores')) printCores(await measureCores())
if (wanted('start-up')) printStartUp(await measureStartUp())
if (wanted('runtimes')) printRuntimes(await measureRuntimes(process.argv[3]))
if (wanted('growth')) printGrowth(await measureGrowth(Number(process.argv[3] ?? 100_000), process.argv[4]))
