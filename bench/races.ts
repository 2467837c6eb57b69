/** The races of `npm run bench` that sign, verify and refuse tokens. */
import { createAttacks } from './hostile.ts'
import type { Contestant, Race } from './measure.ts'
import { createApplication, createGuard, createPublicSigner } from './ours.ts'
import { createFastVerifier, createPeerSigners, createPeerVerifiers } from './peers.ts'
import {
  createBareMap,
  createPairSigner,
  createPairVerifier,
  signHmac,
  verifyHmac,
  verifyHmacOfOneHeader,
} from './raw.ts'
import { createPool, draw, type PairName } from './token.ts'

/** The names of the contestants that every race has. */
export const OURS = 'tokenwright'
export const LIMIT = 'plain node:crypto'
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
        { name: `${LIMIT}, awaited`, run: async (token) => verifyHmac(token) },
        { name: OURS, run: (token) => auth.verifyToken(token) },
        ...createPeerVerifiers('HS256'),
      ],
    },
    {
      title: 'HS256 sign',
      draw: () => '',
      contestants: [
        { name: LIMIT, run: signHmac },
        { name: `${LIMIT}, awaited`, run: async () => signHmac() },
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
      { name: 'bare Map, awaited', run: async (token) => find(token) },
      { name: `${OURS}, in a guard`, run: createGuard() },
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

/** Fills the caches of the contestants. */
async function warm({ contestants }: Race): Promise<void> {
  for (const { run } of contestants) for (const bytes of pool) await run(bytes.toString('latin1'))
}

/** Verifying and signing with each kind of key, and finding a token that was verified before. */
export async function createTokenRaces(): Promise<readonly Race[]> {
  const cacheRace = createCacheRace()
  await warm(cacheRace)
  return [...createHmacRaces(), cacheRace, ...PAIR_NAMES.flatMap(createPairRaces)]
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

/** Refusing tokens that are made to cost. */
export function createRefusalRaces(): readonly Race[] {
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
