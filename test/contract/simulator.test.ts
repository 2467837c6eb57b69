/**
 * The race simulator on four designs over real HTTP, in virtual time. It must find fault with the three that are not ours, or it
 * tests nothing. `TOKENWRIGHT_PROVE=1` runs the whole and writes the table that `docs/sessions/simulator.md` shows.
 */
import { writeFileSync } from 'node:fs'
import { formatRaces, type RaceReport, type RefreshEndpoint, simulateRaces } from 'refresh-races'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { createRandom } from '../../packages/refresh-races/src/random.ts'
import { DESIGNS, serveDesign } from './designs.ts'
import { type Closable, serveOurs } from './ours.ts'

const PROVE = process.env['TOKENWRIGHT_PROVE'] === '1'
const SIZE = PROVE
  ? { cycles: 10_000, thieves: 200, watched: 100 }
  : { cycles: 240, thieves: 20, watched: 60 }
const LIMIT = PROVE ? 3_600_000 : 60_000

const reports: Record<string, RaceReport> = {}

/** Runs the simulator on what `open` serves, and keeps the report for the table. */
async function run(name: string, open: (clock: () => number) => Promise<Closable>): Promise<RaceReport> {
  let opened: Closable | undefined
  const random = createRandom(7)
  vi.spyOn(Math, 'random').mockImplementation(random)
  const connect = async (clock: () => number): Promise<RefreshEndpoint> => {
    opened = await open(clock)
    return opened.endpoint
  }
  try {
    const report = await simulateRaces({ connect, seed: 1, network: { stepUps: 0.5 }, ...SIZE })
    reports[name] = report
    return report
  } finally {
    opened?.close()
  }
}

const design = (name: string): Promise<RaceReport> => run(name, (clock) => serveDesign(DESIGNS[name]!, clock))

describe('the simulator', () => {
  it(
    'finds that strict single use loses sessions',
    async () => {
      const { lost, cycles, outages } = await design('strict single use')
      expect(lost).toBeGreaterThan(cycles / 4)
      expect(outages).toBe(0)
    },
    LIMIT,
  )

  it(
    'finds that a new token in the window loses sessions',
    async () => {
      const { lost, cycles } = await design('new token in the window')
      expect(lost).toBeGreaterThan(cycles / 50)
    },
    LIMIT,
  )

  it(
    'finds that forgiving the previous token only loses sessions, and that a thief rises with the row',
    async () => {
      const { lost, elevated } = await design('previous token only')
      expect(lost).toBeGreaterThan(0)
      expect(elevated).toBeGreaterThan(0)
    },
    LIMIT,
  )

  it(
    'finds that ours loses none, catches thieves and lifts none',
    async () => {
      const report = await run('Tokenwright', (clock) => serveOurs(clock, 'cookie'))
      expect(report).toMatchObject({ lost: 0, elevated: 0, outages: 0 })
      expect(report.random.caught).toBe(report.random.thieves)
      expect(report.random.median).toBeLessThanOrEqual(3)
      expect(report.shadow.caught).toBeGreaterThan(0.8 * report.shadow.thieves)
      // S22: he sees each refresh of the victim, and sends his token anywhere inside the overlap.
      expect(report.follow.caught).toBeGreaterThan(0.8 * report.follow.thieves)
    },
    LIMIT,
  )

  // Without the jitter nothing but chance finds such a thief: the longest of the runs.
  if (PROVE)
    it(
      'finds that without jitter a thief who shadows is hard to find',
      async () => {
        const report = await run('Tokenwright, jitter 0', (clock) => serveOurs(clock, 'cookie', 0))
        expect(report).toMatchObject({ lost: 0, elevated: 0 })
        expect(report.random.caught).toBe(report.random.thieves)
        expect(report.shadow.median).toBeGreaterThan(reports['Tokenwright']?.shadow.median ?? 0)
      },
      LIMIT,
    )

  it('runs in real time where the target has a clock of its own', async () => {
    // 200 times as fast: an access token of a second, an overlap of 0.15 s.
    const open = async (name: string): Promise<RaceReport> => {
      const rules = { overlap: 0.15, life: 1 }
      const { endpoint, close } = await serveDesign(DESIGNS[name]!, () => Date.now() / 1000, rules)
      const size = { cycles: 20, thieves: 3, watched: 2, speed: 200 }
      const weather = { atOnce: 0.5, accessLife: 200 }
      return simulateRaces({ connect: () => endpoint, network: weather, ...size }).finally(close)
    }
    const [strict, forgiving] = await Promise.all(['strict single use', 'previous token only'].map(open))
    expect(strict?.lost).toBeGreaterThan(0)
    expect(forgiving).toMatchObject({ cycles: 20, outages: 0 })
    expect(forgiving?.refreshes).toBeGreaterThan(20)
    expect(forgiving?.random.thieves).toBe(3)
  }, 60_000)

  it('gives the same report for the same seed, and another for another', async () => {
    const once = (seed: number): Promise<RaceReport> => {
      const row = { current: '0', previous: '', rotatedAt: 0, revoked: false, elevated: false }
      const names = createRandom(seed)
      const tokens = (refresh: string) => ({ access: '', refresh, expiresIn: 900 })
      const connect = (clock: () => number): RefreshEndpoint => ({
        login: async () => tokens(row.current),
        async refresh(token) {
          if (token !== row.current && (token !== row.previous || clock() > row.rotatedAt + 30)) return null
          if (token === row.current)
            Object.assign(row, { previous: token, current: String(names()), rotatedAt: clock() })
          return tokens(row.current)
        },
      })
      return simulateRaces({ connect, cycles: 300, thieves: 0, seed })
    }
    const [first, again, other] = [await once(3), await once(3), await once(4)]
    expect(again).toEqual(first)
    expect({ ...other, seed: 3 }).not.toEqual(first)
    expect(first).toMatchObject({ cycles: 300, elevated: null, seed: 3 })
  })

  it('tries again what was an outage, and counts it', async () => {
    let calls = 0
    const tokens = { access: '', refresh: undefined, expiresIn: undefined }
    const endpoint: RefreshEndpoint = {
      login: async () => ({ ...tokens, refresh: 'a' }),
      refresh: async () => {
        if (++calls % 4 === 0) throw new Error('503')
        return tokens
      },
    }
    const report = await simulateRaces({ connect: () => endpoint, cycles: 100, thieves: 0 })
    expect(report.lost).toBe(0)
    expect(report.outages).toBe(Math.floor(report.refreshes / 4))
  })

  it('refuses unfit options', async () => {
    const connect = () => ({}) as RefreshEndpoint
    await expect(simulateRaces({ connect, cycles: -1 })).rejects.toThrow(/cycles/)
    await expect(simulateRaces({ connect, speed: 0 })).rejects.toThrow(/speed/)
    await expect(simulateRaces({ connect, cycle: 1 } as never)).rejects.toThrow(/cycles/)
  })

  afterAll(() => {
    const table = formatRaces(reports)
    console.log(table)
    if (PROVE) writeFileSync(new URL('../../dist/simulator.md', import.meta.url), `${table}\n`)
  })
})
