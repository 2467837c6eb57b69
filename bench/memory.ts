/**
 * The memory of an entry in the verified-token cache: how far the heap grows when a verifier caches
 * many tokens, without the characters of the tokens. `ENTRY_OVERHEAD` in src/token/token-cache.ts
 * is larger, to allow for custom claims.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createApplication } from './ours.ts'
import { signHmac } from './raw.ts'

/** The number of cached tokens. */
const ENTRIES = 20_000

/** The size of one entry, in bytes. */
export interface EntrySize {
  /** All memory for one token. */
  readonly total: number
  /** The part that is not the token's characters. */
  readonly overhead: number
}

/** Measures the cache's memory. It collects garbage, so nothing may be timed meanwhile. */
export async function measureEntry(): Promise<EntrySize> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const measureHeap = (): number => {
    for (let i = 0; i < 4; i++) collect()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const auth = createApplication('HS256', { entries: 4 * ENTRIES, bytes: 1e9 })
  const tokens = Buffer.from(Array.from({ length: ENTRIES }, signHmac).join('\n'), 'latin1')
  const length = Math.floor(tokens.length / ENTRIES)
  const before = measureHeap()
  for (let i = 0; i < ENTRIES; i++)
    await auth.verifyToken(tokens.toString('latin1', i * (length + 1), (i + 1) * (length + 1) - 1))
  const total = (measureHeap() - before) / ENTRIES
  // Keeps the cache alive until here.
  await auth.verifyToken(tokens.toString('latin1', 0, length))
  return { total, overhead: total - length }
}
