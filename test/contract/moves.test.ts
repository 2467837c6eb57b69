/**
 * The store suite on a store over two, in both phases; and where every session lies on the other side from where most are, as in a
 * process of one phase beside those of the other.
 */
import { type OpenStore, storeSuite } from 'tokenwright-store-suite'
import { afterAll, beforeAll, describe, it } from 'vitest'
import type { Store } from '../../src/session/store.ts'
import { moveStore } from '../../src/stores/move.ts'
import { size } from '../invariants/size.ts'
import { STORES } from './opened.ts'

/** A store whose sessions start in one phase, while another phase does everything else. */
function crossed(from: Store, to: Store, starts: 'prepare' | 'move'): Store {
  const [starter, rest] = [
    moveStore({ from, to, phase: starts }),
    moveStore({ from, to, phase: starts === 'move' ? 'prepare' : 'move' }),
  ]
  return { ...rest, start: starter.start }
}

const WAYS = {
  prepare: (from, to) => moveStore({ from, to }),
  move: (from, to) => moveStore({ from, to, phase: 'move' }),
  'started before, moved when used': (from, to) => crossed(from, to, 'prepare'),
  'started after, used before': (from, to) => crossed(from, to, 'move'),
} satisfies Record<string, (from: Store, to: Store) => Store>

/**
 * What does not hold where a process starts sessions in the old store and others do not: each store counts its own, and a page has
 * the entries of both logs, each in its order.
 */
const NOT_CROSSED = [
  'ends the session with the oldest login, with its entry in the log',
  'ends as many as are too many, where the limit was higher before',
  'refuses one more, and writes nothing',
  'counts no session that has ended or expired, no other subject and no other realm',
  'never has more live sessions than the limit, however many start at once',
  'returns the entries of all kinds after the cursor, oldest first',
  'returns the same entries in small pages, none twice',
  'starts at the beginning without a cursor',
  'starts at the beginning with the cursor of another log, and says so',
]

/** In the whole form each kind of store is the old one once, and the new one once. */
const PAIRS = [
  ['memory', 'memory', Object.keys(WAYS)],
  ['postgres', 'redis', ['started before, moved when used']],
  ['sqlite', 'postgres', ['move']],
  ['redis', 'mysql', ['started after, used before']],
  ['mysql', 'sqlite', ['move']],
] as const

for (const [one, other, ways] of PAIRS.slice(0, size(2, PAIRS.length))) {
  const [from, to] = [one, other].map((name) => STORES.find((store) => store.name === name))
  const reason = from?.reason ?? to?.reason ?? null
  describe.skipIf(reason !== null)(`${one} to ${other}${reason === null ? '' : `: ${reason}`}`, () => {
    let opened: (OpenStore | undefined)[]
    beforeAll(async () => {
      opened = await Promise.all([from?.open(), to?.open()])
    }, 60_000)
    afterAll(() => Promise.all(opened.map((each) => each?.close?.())))
    for (const way of ways)
      describe(way, () => {
        const toStore = WAYS[way as keyof typeof WAYS]
        const [first, second] = [() => opened[0]?.store as Store, () => opened[1]?.store as Store]
        const isCrossed = way === 'started after, used before'
        storeSuite(async () => ({ store: toStore(first(), second()) }), {
          describe,
          it: (name, body, limit) =>
            isCrossed && NOT_CROSSED.includes(name) ? undefined : it(name, body, limit),
        })
      })
  })
}
