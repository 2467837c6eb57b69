/**
 * Memory per entry of the verified-token cache: what the heap grows by when a verifier remembers
 * many tokens, less the token's own characters. `ENTRY_OVERHEAD` in src/token/token-cache.ts is set
 * from it, with room for custom claims.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createApplication } from './ours.ts'
import { signHmac } from './raw.ts'

/** How many tokens are remembered. */
const ENTRIES = 20_000

/** What one entry takes, in bytes. */
export interface EntrySize {
  /** Everything that the heap keeps for one token. */
  readonly total: number
  /** What is left of it beside the token's characters. */
  readonly overhead: number
}

/** Measures the cache's memory. Collects garbage, so it runs when nothing is timed. */
export async function measureEntry(): Promise<EntrySize> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const settle = (): number => {
    for (let i = 0; i < 4; i++) collect()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const auth = createApplication('HS256', { entries: 4 * ENTRIES, bytes: 1e9 })
  const tokens = Buffer.from(Array.from({ length: ENTRIES }, signHmac).join('\n'), 'latin1')
  const length = Math.floor(tokens.length / ENTRIES)
  const before = settle()
  for (let i = 0; i < ENTRIES; i++)
    await auth.verifyToken(tokens.toString('latin1', i * (length + 1), (i + 1) * (length + 1) - 1))
  const total = (settle() - before) / ENTRIES
  await auth.verifyToken(tokens.toString('latin1', 0, length)) // the cache is alive until here
  return { total, overhead: total - length }
}
