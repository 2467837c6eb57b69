/**
 * The arithmetic of `docs/operations/sizing.md`, held against the library: many nodes on one store
 * in simulated time. What a node costs does not depend on how many there are, so a few show it.
 */
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Auth, createAuth, type TokenPair } from '../../src/index.ts'
import type { Store } from '../../src/session/store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { SECRET } from '../token/forge.ts'

const NODES = 20
const SECONDS = 30
const LOGOUTS_PER_SECOND = 4

/** What the page says. */
const page = readFileSync(new URL('../../docs/operations/sizing.md', import.meta.url), 'utf8')
function figure(pattern: RegExp): number {
  const [, digits] = pattern.exec(page) ?? []
  if (digits === undefined) throw new Error(`The page does not say ${pattern}`)
  return Number(digits.replaceAll(',', ''))
}

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'],
  })
})
afterEach(() => vi.useRealTimers())

/** Counts what is read of the log. */
function countReadings(store: Store): { store: Store; readings: number; entries: number } {
  const counted = { store, readings: 0, entries: 0 }
  counted.store = new Proxy(store, {
    get(target, name) {
      if (name !== 'readLog') return Reflect.get(target, name)
      return async (...args: Parameters<Store['readLog']>) => {
        const page = await target.readLog(...args)
        counted.readings += 1
        counted.entries += page.entries.length
        return page
      }
    },
  })
  return counted
}

/** How long after a logout the last node lets its token pass, in seconds. */
async function measureStaleness(nodes: readonly Auth[], { access_token }: TokenPair): Promise<number> {
  const begun = performance.now()
  for (;;) {
    const verdicts = await Promise.allSettled(nodes.map((node) => node.verifyToken(access_token)))
    if (verdicts.every(({ status }) => status === 'rejected')) return (performance.now() - begun) / 1000
    await vi.advanceTimersByTimeAsync(50)
  }
}

describe('a fleet', () => {
  it('reads, keeps and learns what the page says', { timeout: 60_000 }, async () => {
    const counted = countReadings(memoryStore())
    const nodes = Array.from({ length: NODES }, () =>
      createAuth({ secret: SECRET, sessions: { store: counted.store, prune: false } }),
    )
    await Promise.all(nodes.map((node) => node.ready()))
    const [first] = nodes as [Auth]
    const sessions = await Promise.all(
      Array.from({ length: LOGOUTS_PER_SECOND * SECONDS + 1 }, (_, i) => first.sessions.start(`user-${i}`)),
    )
    const sids = await Promise.all(
      sessions.map(async ({ access_token }) => (await first.verifyToken(access_token)).sid ?? ''),
    )
    Object.assign(counted, { readings: 0, entries: 0 })
    for (let logout = 0; logout < LOGOUTS_PER_SECOND * SECONDS; logout++) {
      await nodes[logout % NODES]?.sessions.end(sids[logout] ?? '')
      await vi.advanceTimersByTimeAsync(1000 / LOGOUTS_PER_SECOND)
    }
    const readings = counted.readings / NODES / SECONDS
    expect(readings).toBeLessThanOrEqual(figure(/reads the log at most ([\d.]+) times a second/) * 1.05)
    expect(readings).toBeGreaterThan(figure(/reads the log at most ([\d.]+) times a second/) / 2)
    // Each node reads each entry, and none twice.
    expect(counted.entries).toBe(LOGOUTS_PER_SECOND * SECONDS * NODES)
    for (const node of nodes) expect(node.state()?.entries).toBe(LOGOUTS_PER_SECOND * SECONDS)
    await first.sessions.end(sids.at(-1) ?? '')
    expect(await measureStaleness(nodes, sessions.at(-1) as TokenPair)).toBeLessThanOrEqual(1)
    // What has ended is forgotten when no access token of it can live any more.
    await vi.advanceTimersByTimeAsync(figure(/stays in memory for ([\d,]+) seconds/) * 1000 + 2000)
    for (const node of nodes) expect(node.state()?.entries).toBe(0)
    await Promise.all(nodes.map((node) => node.close()))
  })
})

describe('the arithmetic', () => {
  it('adds up', () => {
    const users = figure(/([\d,]+) users/)
    const online = figure(/([\d,]+) of them use\s+it at once/)
    const refreshes = figure(/([\d,]+) refreshes a second/)
    const logouts = figure(/([\d,]+) logouts a second/)
    const nodes = figure(/and ([\d,]+) nodes/)
    expect(online).toBe(users / 10)
    expect(refreshes).toBe(Math.ceil(online / 900))
    expect(figure(/read the log ([\d,]+) times a second/)).toBe(nodes * 2.5)
    expect(figure(/([\d,]+) entries in\s+each node/)).toBe(
      logouts * figure(/stays in memory for ([\d,]+) seconds/),
    )
    expect(figure(/([\d,]+) sessions, which take/)).toBe(users * 1.5)
    expect(figure(/take ([\d.]+) GB in PostgreSQL/)).toBeCloseTo((users * 1.5 * 549) / 1e9, 0)
    expect(figure(/and ([\d.]+) GB in Redis/)).toBeCloseTo((users * 1.5 * 1451) / 1e9, 0)
  })
})
