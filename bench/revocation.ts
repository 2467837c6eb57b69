/**
 * The cost of a revocation check: a cached token without a store, with an empty revocation list,
 * and with a list of a million entries. It also measures the memory of an entry.
 */
import { randomBytes } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Auth, createAuth } from 'tokenwright'
import { memoryStore } from 'tokenwright/stores/memory'
import type { Race } from './measure.ts'
import { createRing } from './ours.ts'
import { AUDIENCE, createClaims, createPool, draw, ISSUER, signByHand, toHeader } from './token.ts'

/** The number of revoked tokens. */
const ENTRIES = 1_000_000

/** An application with that many revoked tokens, and the size of an entry in its list, in bytes. */
async function open(entries: number): Promise<{ readonly auth: Auth; readonly bytes: number }> {
  const store = memoryStore()
  const until = Date.now() / 1000 + 86_400
  for (let i = 0; i < entries; i++)
    await store.revokeToken(randomBytes(16).toString('base64url'), until, null)
  const auth = createAuth({
    keys: createRing('HS256'),
    issuer: ISSUER,
    audience: AUDIENCE,
    sessions: { store },
  })
  const before = measureHeap()
  await auth.ready()
  return { auth, bytes: entries === 0 ? 0 : (measureHeap() - before) / entries }
}

function measureHeap(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  return process.memoryUsage().heapUsed
}

/** The race, the size of an entry in bytes, and a function that closes the applications. */
export async function createRevocationRace(): Promise<{
  readonly race: Race
  readonly bytes: number
  readonly close: () => Promise<void>
}> {
  const plain = createAuth({ keys: createRing('HS256'), issuer: ISSUER, audience: AUDIENCE })
  const [empty, full] = [await open(0), await open(ENTRIES)]
  const pool = createPool(() => signByHand(toHeader('HS256'), JSON.stringify(createClaims())))
  const contestants = [
    { name: 'without a store', run: (token: string) => plain.verifyToken(token) },
    { name: 'nothing revoked', run: (token: string) => empty.auth.verifyToken(token) },
    { name: 'a million revoked', run: (token: string) => full.auth.verifyToken(token) },
  ]
  // With warm caches the race measures the check, not the signature.
  for (const bytes of pool) for (const { run } of contestants) await run(bytes.toString('latin1'))
  const close = async (): Promise<void> => void (await Promise.all([empty.auth.close(), full.auth.close()]))
  return {
    race: { title: 'revocation: a cached token', draw: () => draw(pool), contestants },
    bytes: full.bytes,
    close,
  }
}
