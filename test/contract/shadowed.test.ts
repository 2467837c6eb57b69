/**
 * S22: the rule on late predecessors, on ten thousand honest sessions and on thieves who shadow
 * their victim. `TOKENWRIGHT_PROVE=1` runs twenty days instead of one, compares constants, and
 * writes the tables that `docs/sessions/simulator.md` shows.
 */
import { writeFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { toQuantile } from '../../packages/refresh-races/src/report.ts'
import { LATE_PARTS, SHADOWED_OVERLAPS } from '../../src/session/rotation.ts'
import { PROVE } from '../invariants/size.ts'
import { CLIENTS, POLICY, type Reaction, simulateClient, simulateThief } from './clients.ts'

/** 22 kinds: 10,010 sessions. */
const EACH_KIND = 455
const THIEVES = 200
const DAYS = PROVE ? 20 : 1
const LIMIT = PROVE ? 3_600_000 : 60_000

/** A day of generations. */
const MOST_GENERATIONS = 96

/** How many overlaps are late after which part of one, and how many end a session. */
type Constants = readonly [parts: number, overlaps: number]

/** The constants that are compared. */
const COMPARED: readonly Constants[] = [
  [12, 3],
  [12, 6],
  [12, 12],
  [8, 12],
  [6, 3],
  [6, 6],
  [6, 8],
  [6, 10],
  [6, 12],
  [6, 15],
  [4, 12],
]

/** In which generation other constants would have ended the session; Infinity for never. */
function toEnd(ages: readonly number[], [parts, overlaps]: Constants): number {
  const { overlap } = POLICY
  let before = 0
  for (const [generation, age] of ages.entries()) {
    const late = age * parts > overlap ? Math.min(age, overlap) : 0
    if (late > 0 && before + late >= overlaps * overlap) return generation
    before = late > 0 ? before + late : Math.max(0, before - overlap)
  }
  return Number.POSITIVE_INFINITY
}

const SHADOWS: Readonly<Record<string, { readonly victim: string; readonly reaction: Reaction }>> = {
  'anywhere inside the overlap': { victim: 'one tab', reaction: (random) => 30 * random() },
  'the same, victim with five tabs on a slow network': {
    victim: 'five tabs, slow network',
    reaction: (random) => 30 * random(),
  },
  'within 20 s': { victim: 'one tab', reaction: (random) => 20 * random() },
  'within 10 s': { victim: 'one tab', reaction: (random) => 10 * random() },
  'without a signal': { victim: 'one tab', reaction: 'blind' },
}

const hits = new Map<string, number[]>()
const told = new Map<string, number[][]>()

describe('the rule on late predecessors', () => {
  it(
    'S22: ends none of 10,010 honest sessions',
    () => {
      const lost: Record<string, string> = {}
      for (const [index, [kind, conditions]] of Object.entries(CLIENTS).entries()) {
        const ends = COMPARED.map(() => 0)
        for (let i = 0; i < EACH_KIND; i++) {
          const { ages, shadowedAt, refused } = simulateClient(conditions, 1000 * index + i, DAYS)
          if (shadowedAt !== null || refused > 0) lost[kind] = `shadowed ${shadowedAt}, refused ${refused}`
          for (const [place, constants] of COMPARED.entries())
            if (toEnd(ages, constants) < ages.length) ends[place] = (ends[place] ?? 0) + 1
        }
        hits.set(kind, ends)
      }
      expect(lost).toEqual({})
      // The clients have teeth: smaller constants end some of them.
      expect(sumOf(0)).toBeGreaterThan(PROVE ? 2000 : 200)
    },
    LIMIT,
  )

  // Who is quicker than the rule is only compared.
  it.each(Object.entries(SHADOWS).filter(([name]) => PROVE || !name.startsWith('within')))(
    'S22: tells thieves who shadow their victim %s',
    (name, { victim, reaction }) => {
      const conditions = CLIENTS[victim]!
      const ends: number[][] = COMPARED.map(() => [])
      const lasted: number[] = []
      for (let i = 0; i < THIEVES; i++) {
        const theft = { conditions, reaction, seed: 50_000 + i, days: 20, stops: !PROVE }
        const { ages, shadowedAt } = simulateThief(theft)
        if (shadowedAt === null) lasted.push(Number.POSITIVE_INFINITY)
        else lasted.push(shadowedAt)
        for (const [place, constants] of COMPARED.entries()) ends[place]?.push(toEnd(ages, constants))
        if (PROVE) expect(toEnd(ages, [LATE_PARTS, SHADOWED_OVERLAPS])).toBe(lasted.at(-1))
      }
      told.set(name, ends)
      console.log(`S22 ${name}: ${toCell(lasted)}`)
      if (name.startsWith('within')) return
      expect(Math.max(...lasted)).toBeLessThanOrEqual(MOST_GENERATIONS)
    },
    LIMIT,
  )

  afterAll(() => {
    if (PROVE) writeFileSync(new URL('../../dist/shadowed.md', import.meta.url), toTables())
  })
})

function sumOf(place: number): number {
  return [...hits.values()].reduce((sum, ends) => sum + (ends[place] ?? 0), 0)
}

/** Half of the thieves, 98 of 100, and the last one, in generations. */
function toCell(generations: readonly number[]): string {
  const say = (share: number): string => {
    const value = toQuantile(generations, share)
    return Number.isFinite(value) ? String(value) : 'never'
  }
  return [0.5, 0.98, 1].map(say).join(' / ')
}

function toTables(): string {
  const rows = COMPARED.map(([parts, overlaps], place) => {
    const cells = [...told.values()].map((ends) => toCell(ends[place] ?? []))
    return `| 1/${parts}, ${overlaps} | ${[sumOf(place), ...cells].join(' | ')} |`
  })
  const kinds = [...hits].map(([kind, ends]) => `| ${kind} | ${ends.join(' | ')} |`)
  return [
    `| constants | honest sessions | ${[...told.keys()].join(' | ')} |`,
    `|---|---|${'---|'.repeat(told.size)}`,
    ...rows,
    '',
    `| client | ${COMPARED.map(([parts, overlaps]) => `1/${parts}, ${overlaps}`).join(' | ')} |`,
    `|---|${'---|'.repeat(COMPARED.length)}`,
    ...kinds,
    '',
  ].join('\n')
}
