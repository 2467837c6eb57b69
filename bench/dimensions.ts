/**
 * How the cost of a token grows with what an application has: keys in its ring, scopes and custom
 * claims of a token, tokens in the cache, sessions of a subject. `npm run bench -- grows`.
 */
import { createSecretKey, randomBytes } from 'node:crypto'
import { type Auth, createAuth, createKeyRing } from 'tokenwright'
import { memoryStore } from 'tokenwright/stores/memory'
import type { Contestant, Race } from './measure.ts'
import { AUDIENCE, draw, ISSUER, SECRET, SUBJECT } from './token.ts'

/** The number of different tokens of a contestant. */
const TOKENS = 200

/** Fewer repetitions between two looks at the clock, where one is long. */
const BATCH = 50

/** Verifies tokens of its own, without the cache. */
async function createVerification(
  name: string,
  auth: Auth,
  options: { readonly scopes?: readonly string[]; readonly data?: Readonly<Record<string, string>> },
): Promise<Contestant> {
  const tokens = await Promise.all(
    Array.from({ length: TOKENS }, () => auth.createAccessToken(SUBJECT, options)),
  )
  const pool = tokens.map((token) => Buffer.from(token, 'latin1'))
  return { name, run: () => auth.verifyToken(draw(pool)) }
}

/** An application whose signing key is the last of so many. */
function createWithKeys(count: number): Auth {
  const verifying = Array.from({ length: count - 1 }, (_, i) => ({
    alg: 'HS256' as const,
    key: createSecretKey(randomBytes(32)),
    kid: `old-${i}`,
  }))
  const signing = { alg: 'HS256' as const, key: createSecretKey(SECRET), kid: 'newest' }
  return createAuth({
    keys: createKeyRing({ signing, verifying }),
    issuer: ISSUER,
    audience: AUDIENCE,
    cache: false,
  })
}

/** An application whose tokens may be long. */
function createForLong(): Auth {
  return createAuth({ secret: SECRET, cache: false, limits: { tokenLength: 65_536 } })
}

/** Lists the sessions of a subject who has so many, in memory. */
async function createList(count: number): Promise<Contestant> {
  const auth = createAuth({ secret: SECRET, sessions: { store: memoryStore(), prune: false } })
  await Promise.all(Array.from({ length: count }, () => auth.sessions.start(SUBJECT)))
  return { name: `${count} sessions`, run: () => auth.sessions.list(SUBJECT) }
}

/** What a race is about, and one contestant for each size. */
async function createRace(
  title: string,
  sizes: readonly number[],
  create: (size: number) => Promise<Contestant>,
): Promise<Race> {
  return {
    title: `grows: ${title}`,
    draw: () => '',
    batch: BATCH,
    contestants: await Promise.all(sizes.map(create)),
  }
}

/** Creates all races. In each the first size is the one that ratios are to. */
export async function createGrowthRaces(): Promise<readonly Race[]> {
  return Promise.all([
    createRace('keys in the ring', [1, 10, 100], (count) =>
      createVerification(`${count} keys`, createWithKeys(count), {}),
    ),
    createRace('scopes', [0, 10, 100], (count) =>
      createVerification(`${count} scopes`, createForLong(), {
        scopes: Array.from({ length: count }, (_, i) => `resource-${i}:read`),
      }),
    ),
    createRace('custom claims', [0, 500, 2000, 8000], (bytes) =>
      createVerification(`${bytes} bytes`, createForLong(), { data: { text: 'x'.repeat(bytes) } }),
    ),
    createRace('a list of sessions', [1, 10, 100, 1000], createList),
  ])
}
