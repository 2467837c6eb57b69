/**
 * What a revocation check costs: a remembered token without a store, with an empty revocation list,
 * and with a list of a million. And how much memory an entry of the list takes.
 */
import { randomBytes } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Auth, createAuth } from 'tokenwright'
import { memoryStore } from 'tokenwright/stores/memory'
import type { Race } from './measure.ts'
import { createRing } from './ours.ts'
import { AUDIENCE, createClaims, createPool, draw, ISSUER, signByHand, toHeader } from './token.ts'

/** How many tokens are revoked. */
const ENTRIES = 1_000_000

/**
 * An application whose store knows of as many revoked tokens, and what each takes in its list in
 * bytes.
 */
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

/** The race, the size of an entry, and how to end what was opened. */
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
  // The caches are warm: what is measured is the check, not the signature.
  for (const bytes of pool) for (const { run } of contestants) await run(bytes.toString('latin1'))
  const close = async (): Promise<void> => void (await Promise.all([empty.auth.close(), full.auth.close()]))
  return {
    race: { title: 'a remembered token', draw: () => draw(pool), contestants },
    bytes: full.bytes,
    close,
  }
}
