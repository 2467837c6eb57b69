/** Store suite: counting attempts of several keys together, for stores that can. */
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import type { Store } from 'tokenwright/stores/contract'
import { type Cases, randomId, together } from './fixtures.ts'

/** A store that counts keys together. */
type CountingStore = Store & Required<Pick<Store, 'countTogether' | 'forgetTogether'>>

type TogetherCase = (store: CountingStore, t: number) => Promise<void>

function toCases(cases: Readonly<Record<string, TogetherCase>>): Cases {
  const pairs = Object.entries(cases).map(([name, body]): [string, Cases[string]] => [
    name,
    async (store, t) => {
      const { countTogether, forgetTogether } = store
      strictEqual(typeof countTogether, typeof forgetTogether, 'a store has both methods or neither')
      if (countTogether !== undefined) await body(store as CountingStore, t)
    },
  ])
  return Object.fromEntries(pairs)
}

/** What `readAttempts` returns for each of some keys. */
async function readAll(store: Store, keys: readonly string[], now: number | null) {
  const found: (readonly [count: number, endsIn: number])[] = []
  for (const key of keys) {
    const { count, endsIn } = await store.readAttempts(key, now)
    found.push([count, endsIn])
  }
  return found
}

/** What `countTogether` and `forgetTogether` do. */
export const COUNTED_TOGETHER: Cases = toCases({
  'counts all keys, or none where one is at its limit': async (store, t) => {
    const keys = [randomId(), randomId()] as const
    const short = { key: keys[0], limit: 2, window: 100 }
    const long = { key: keys[1], limit: 3, window: 900 }
    for (const [place, calls] of [
      [short, long],
      [long, short],
    ].entries())
      strictEqual((await store.countTogether(calls, [], t + place)).counted, true)
    deepStrictEqual(await readAll(store, keys, t + 1), [
      [2, 99],
      [2, 899],
    ])
    for (const calls of [
      [short, long],
      [long, short],
    ])
      strictEqual((await store.countTogether(calls, [], t + 2)).counted, false)
    deepStrictEqual(await readAll(store, keys, t + 2), [
      [2, 98],
      [2, 898],
    ])
    // A window that has ended starts anew, beside one that has not.
    strictEqual((await store.countTogether([short, long], [], t + 100)).counted, true)
    deepStrictEqual(await readAll(store, keys, t + 100), [
      [1, 100],
      [3, 800],
    ])
    strictEqual((await store.countTogether([short, long], [], t + 101)).counted, false)
    strictEqual((await store.countAttempt(keys[0], 2, 100, t + 102)).count, 2)
    deepStrictEqual((await store.countAttempt(keys[1], 3, 900, t + 102)).allowed, false)
  },

  'reads other keys in their order': async (store, t) => {
    const [a = '', b = '', c = ''] = [randomId(), randomId(), randomId()]
    for (let i = 0; i < 3; i++) await store.countAttempt(a, 5, 100, t)
    await store.countAttempt(b, 5, 900, t)
    const call = { key: c, limit: 1, window: 60 }
    deepStrictEqual(await store.countTogether([call], [b, randomId(), a], t + 0.5), {
      counted: true,
      reads: [
        { count: 1, endsIn: 900 },
        { count: 0, endsIn: 0 },
        { count: 3, endsIn: 100 },
      ],
    })
    deepStrictEqual(await store.countTogether([call], [a, b], t + 100), {
      counted: true,
      reads: [
        { count: 0, endsIn: 0 },
        { count: 1, endsIn: 800 },
      ],
    })
    deepStrictEqual(await store.countTogether([call], [b], t + 101), {
      counted: false,
      reads: [{ count: 1, endsIn: 799 }],
    })
    deepStrictEqual(await store.countTogether([], [c], t + 101), {
      counted: true,
      reads: [{ count: 1, endsIn: 59 }],
    })
  },

  'takes attempts of several keys back': async (store, t) => {
    const [a = '', b = '', c = ''] = [randomId(), randomId(), randomId()]
    for (let i = 0; i < 3; i++) for (const key of [a, b]) await store.countAttempt(key, 9, 900, t)
    const some = [
      { key: a, count: 1 },
      { key: c, count: 1 },
      { key: b, count: null },
    ]
    await store.forgetTogether(some, t + 10)
    deepStrictEqual(await readAll(store, [a, b, c], t + 10), [
      [2, 890],
      [0, 0],
      [0, 0],
    ])
    strictEqual((await store.countAttempt(b, 9, 900, t + 20)).count, 1)
    const rest = [
      { key: b, count: 1 },
      { key: a, count: 5 },
    ]
    await store.forgetTogether(rest, t + 30)
    deepStrictEqual(await readAll(store, [a, b], t + 30), [
      [0, 0],
      [0, 0],
    ])
    await store.forgetTogether([], t + 30)
  },

  'never counts more parallel attempts than a limit, and loses none': async (store, t) => {
    for (const now of [t, null]) {
      const keys = [randomId(), randomId(), randomId()] as const
      const toCalls = (order: number) =>
        keys.map((_, place) => {
          const key = keys[(place + order) % 3] ?? ''
          return { key, limit: key === keys[1] ? 7 : 1000, window: 600 }
        })
      const tries = await together(40, (i) => store.countTogether(toCalls(i % 3), [], now))
      const many = tries.filter(({ counted }) => counted).length
      // Some that came at once may have kept each other from being counted.
      ok(many <= 7)
      const counts = (await readAll(store, keys, now)).map(([count]) => count)
      deepStrictEqual(counts, [many, many, many])
      const toForgets = (order: number) => toCalls(order).map(({ key }) => ({ key, count: 1 }))
      await together(many, (i) => store.forgetTogether(toForgets(i % 3), now))
      deepStrictEqual(await readAll(store, keys, now), [
        [0, 0],
        [0, 0],
        [0, 0],
      ])
      strictEqual((await store.countTogether(toCalls(1), [], now)).counted, true)
    }
  },
})
