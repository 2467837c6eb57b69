/** Pruning by itself: one of many processes, in pauses, and never a reason to refuse anything. */
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Pruner } from '../../src/session/pruner.ts'
import type { Store } from '../../src/session/store.ts'
import { StoreClient } from '../../src/session/store-client.ts'
import { memoryStore } from '../../src/stores/memory.ts'

const BOUNDS = { deadline: 1, inFlight: 4 }
const pruners: Pruner[] = []
afterEach(() => {
  for (const pruner of pruners.splice(0)) pruner.close()
})

function start(store: Store, interval: number): Pruner {
  const pruner = new Pruner(new StoreClient(store, BOUNDS, null), interval)
  pruners.push(pruner)
  pruner.start()
  return pruner
}

/** A store that notes its prunings; `results` are what they return, then 0. */
function toNoting(results: number[] = []): { store: Store; times: number[] } {
  const times: number[] = []
  const store: Store = {
    ...memoryStore(),
    async prune() {
      times.push(performance.now())
      return results.shift() ?? 0
    },
  }
  return { store, times }
}

describe('pruning by itself', () => {
  it('is done once per interval by all processes of a store', async () => {
    const { store, times } = toNoting()
    for (let i = 0; i < 8; i++) start(store, 0.4)
    await pause(1500)
    expect(times.length).toBeGreaterThanOrEqual(1)
    expect(times.length).toBeLessThanOrEqual(4)
    for (let i = 1; i < times.length; i++) expect((times[i] ?? 0) - (times[i - 1] ?? 0)).toBeGreaterThan(395)
  })

  it('goes on until little is left', async () => {
    const { store, times } = toNoting([500, 500, 500, 20])
    start(store, 3)
    await vi.waitFor(() => expect(times.length).toBe(4), { timeout: 10_000 })
    await pause(300)
    expect(times.length).toBe(4)
  })

  it('stops when it is closed, and never begins with an interval of 0', async () => {
    const { store, times } = toNoting()
    start(store, 0.1).close()
    start(store, 0)
    await pause(300)
    expect(times).toEqual([])
  })

  it('warns once of a store that cannot be pruned, and tries again', async () => {
    const warnings: Error[] = []
    const note = (warning: Error): unknown => warnings.push(warning)
    process.on('warning', note)
    let tries = 0
    const store: Store = {
      ...memoryStore(),
      async prune() {
        tries += 1
        throw new Error('permission denied for table tokenwright_log')
      },
    }
    start(store, 0.1)
    await vi.waitFor(() => expect(tries).toBeGreaterThan(1), { timeout: 10_000 })
    await pause(50)
    process.off('warning', note)
    const ours = warnings.filter(({ message }) => /pruned/.test(message))
    expect(ours.map(({ message }) => message)).toEqual([expect.stringContaining('permission denied')])
  })
})
