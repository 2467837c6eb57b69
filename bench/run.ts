/**
 * `npm run bench [-- <filter>]`: runs the races whose title contains the filter, such as `HS256`,
 * `cached`, `refuse` or `grows`; `memory`, `revocation`, `rotation`, `followers`, `cores` and
 * `growth [rows] [store]` run the other measurements. Before a race, each contestant must accept
 * what it verifies and refuse what it refuses.
 */
import { measureCores } from './cores.ts'
import { createGrowthRaces } from './dimensions.ts'
import { measureFollowers } from './followers/run.ts'
import { measureGrowth } from './growth/run.ts'
import { createAttacks } from './hostile.ts'
import { createIssuerRaces } from './issuers.ts'
import { type Contestant, type Race, runRace } from './measure.ts'
import { measureEntry } from './memory.ts'
import { createApplication, createPublicSigner } from './ours.ts'
import { createFastVerifier, createPeerSigners, createPeerVerifiers } from './peers.ts'
import {
  createBareMap,
  createPairSigner,
  createPairVerifier,
  signHmac,
  verifyHmac,
  verifyHmacOfOneHeader,
} from './raw.ts'
import {
  printCores,
  printEntry,
  printFollowers,
  printGrowth,
  printMachine,
  printRace,
  printRevocation,
  printRotation,
} from './report.ts'
import { createRevocationRace } from './revocation.ts'
import { measureRotation } from './rotation.ts'
import { createPool, draw, type PairName } from './token.ts'

const OURS = 'tokenwright'
const LIMIT = 'plain node:crypto'
const PAIR_NAMES: readonly PairName[] = ['RS256', 'ES256', 'EdDSA']

const pool = createPool(signHmac)

function createHmacRaces(): readonly Race[] {
  const auth = createApplication('HS256', false)
  return [
    {
      title: 'HS256 verify',
      draw: () => draw(pool),
      contestants: [
        { name: LIMIT, run: verifyHmac },
        { name: `${LIMIT}, header as text`, run: verifyHmacOfOneHeader },
        { name: OURS, run: (token) => auth.verifyToken(token) },
        ...createPeerVerifiers('HS256'),
      ],
    },
    {
      title: 'HS256 sign',
      draw: () => '',
      contestants: [
        { name: LIMIT, run: signHmac },
        { name: OURS, run: createPublicSigner(auth) },
        ...createPeerSigners('HS256'),
      ],
    },
  ]
}

function createCacheRace(): Race {
  const auth = createApplication('HS256')
  const find = createBareMap(pool.map((bytes) => bytes.toString('latin1')))
  return {
    title: 'find a verified token, cached',
    draw: () => draw(pool),
    contestants: [
      { name: 'bare Map hit by the token', run: find },
      { name: OURS, run: (token) => auth.verifyToken(token) },
      createFastVerifier('HS256', true),
    ],
  }
}

function createPairRaces(alg: PairName): readonly Race[] {
  const sign = createPairSigner(alg)
  const signed = createPool(sign)
  const auth = createApplication(alg, false)
  return [
    {
      title: `${alg} verify`,
      draw: () => draw(signed),
      batch: 50,
      contestants: [
        { name: LIMIT, run: createPairVerifier(alg) },
        { name: OURS, run: (token) => auth.verifyToken(token) },
        ...createPeerVerifiers(alg),
      ],
    },
    {
      title: `${alg} sign`,
      draw: () => '',
      batch: 50,
      contestants: [
        { name: LIMIT, run: sign },
        { name: OURS, run: createPublicSigner(auth) },
        ...createPeerSigners(alg),
      ],
    },
  ]
}

/** Makes a contestant return the error of its refusal. */
function refusing({ name, run }: Contestant): Contestant {
  const accepted = (): never => {
    throw new Error(`${name} accepted a bad token`)
  }
  return {
    name,
    run: (token) => {
      let result: unknown
      try {
        result = run(token)
      } catch (error) {
        return error
      }
      return result instanceof Promise ? result.then(accepted, (error: unknown) => error) : accepted()
    },
  }
}

function createRefusalRaces(): readonly Race[] {
  const auth = createApplication('HS256')
  const contestants = [
    { name: LIMIT, run: verifyHmac },
    { name: OURS, run: (token: string) => auth.verifyToken(token) },
    ...createPeerVerifiers('HS256'),
  ]
  return createAttacks(pool).map(({ title, draw }) => ({
    title,
    draw,
    batch: title.includes('normal') ? 50 : 1,
    contestants: contestants.map(refusing),
  }))
}

/** Lets each contestant do the work once, so that none is timed while it fails. */
async function check({ contestants, draw }: Race): Promise<void> {
  for (const { run } of contestants) await run(draw())
}

/** Fills the caches of the contestants. */
async function warm({ contestants }: Race): Promise<void> {
  for (const { run } of contestants) for (const bytes of pool) await run(bytes.toString('latin1'))
}

const filter = (process.argv[2] ?? '').toLowerCase()
const wanted = (title: string): boolean => title.toLowerCase().includes(filter)
const cacheRace = createCacheRace()
await warm(cacheRace)
const races = [
  ...createHmacRaces(),
  cacheRace,
  ...PAIR_NAMES.flatMap(createPairRaces),
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
if (wanted('followers')) printFollowers(await measureFollowers())
if (wanted('cores')) printCores(await measureCores())
if (wanted('growth')) printGrowth(await measureGrowth(Number(process.argv[3] ?? 100_000), process.argv[4]))
