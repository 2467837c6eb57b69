/**
 * Verifications per second of several processes at once, from one to as many as there are
 * processors: `npm run bench -- cores`. They share nothing, so the share of a processor tells what
 * the machine gives. This file is also what each process runs.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { createApplication } from './ours.ts'
import { signHmac } from './raw.ts'
import { createPool, draw } from './token.ts'

/** The results of so many processes. */
export interface CoresResult {
  /** How many there were. */
  readonly processes: number
  /** Tokens verified per second, by all of them. */
  readonly rate: number
}

/** How long each process works, in milliseconds, and before that to warm up. */
const LENGTH = 3000
const WARM_UP = 1000

const FILE = fileURLToPath(import.meta.url)

/** Verifies without the cache, and tells its parent how many per second. */
async function work(): Promise<void> {
  const auth = createApplication('HS256', false)
  const pool = createPool(signHmac)
  const verifyFor = async (length: number): Promise<number> => {
    const begun = performance.now()
    let count = 0
    while (performance.now() - begun < length) {
      for (let i = 0; i < 100; i++) await auth.verifyToken(draw(pool))
      count += 100
    }
    return (count / (performance.now() - begun)) * 1000
  }
  await verifyFor(WARM_UP)
  process.send?.(await verifyFor(LENGTH))
}

/** Measures one process, two, four and so on. */
export async function measureCores(): Promise<readonly CoresResult[]> {
  const most = availableParallelism()
  const results: CoresResult[] = []
  for (let processes = 1; processes <= most; processes = Math.min(processes * 2, most + 1)) {
    const rates = await Promise.all(
      Array.from({ length: processes }, async () => {
        const child = fork(FILE, { execArgv: [] })
        const [rate] = (await once(child, 'message')) as [number]
        return rate
      }),
    )
    results.push({ processes, rate: rates.reduce((sum, rate) => sum + rate, 0) })
    if (processes === most) break
  }
  return results
}

if (process.argv[1] === FILE && process.send !== undefined) {
  await work()
  process.disconnect()
}
