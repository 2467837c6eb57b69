/** Store suite: counting attempts. */
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import type { Attempt } from 'tokenwright/stores/contract'
import { type Cases, randomId, together } from './fixtures.ts'

/** Asserts that an attempt is refused, and when it may be repeated. */
function assertRefused({ allowed, retryAfter }: Attempt, wanted: number): void {
  deepStrictEqual({ allowed, retryAfter }, { allowed: false, retryAfter: wanted })
}

/** What `countAttempt` allows. */
export const ATTEMPTS: Cases = {
  'allows the limit, then returns the whole seconds until the window ends': async (store, t) => {
    const key = randomId()
    for (let i = 0; i < 3; i++) strictEqual((await store.countAttempt(key, 3, 900, t + i)).allowed, true)
    assertRefused(await store.countAttempt(key, 3, 900, t + 3), 897)
    assertRefused(await store.countAttempt(key, 3, 900, t + 3.5), 897)
    assertRefused(await store.countAttempt(key, 3, 900, t + 899.999), 1)
  },

  'starts the window at the first attempt, and does not extend it for refused ones': async (store, t) => {
    const key = randomId()
    for (let i = 0; i < 5; i++) await store.countAttempt(key, 2, 100, t + 20 * i)
    assertRefused(await store.countAttempt(key, 2, 100, t + 99), 1)
    for (const allowed of [true, true, false]) {
      strictEqual((await store.countAttempt(key, 2, 100, t + 100)).allowed, allowed)
    }
    assertRefused(await store.countAttempt(key, 2, 100, t + 150), 50)
  },

  'distinguishes keys that differ in one character, its case or a space': async (store, t) => {
    const key = randomId()
    for (const other of [key, `${key} `, `${key}a`, `${key}A`, `${key}\u00e1`, `${key}\u0000`, ` ${key}`]) {
      strictEqual((await store.countAttempt(other, 1, 100, t)).allowed, true, JSON.stringify(other))
      strictEqual((await store.countAttempt(other, 1, 100, t)).allowed, false, JSON.stringify(other))
    }
  },

  'returns how many attempts count, and until when': async (store, t) => {
    const key = randomId()
    deepStrictEqual(await store.readAttempts(key, t), { count: 0, endsIn: 0 })
    for (let i = 1; i <= 3; i++) strictEqual((await store.countAttempt(key, 3, 900, t + i)).count, i)
    deepStrictEqual(await store.readAttempts(key, t + 4.5), { count: 3, endsIn: 897 })
    deepStrictEqual(await store.readAttempts(key, t + 900.999), { count: 3, endsIn: 1 })
    deepStrictEqual(await store.readAttempts(key, t + 901), { count: 0, endsIn: 0 })
    strictEqual((await store.countAttempt(key, 3, 900, t + 901)).count, 1)
    for (let i = 2; i <= 4; i++) {
      strictEqual((await store.countAttempt(key, 3, 900, t + 902)).count, Math.min(i, 3))
    }
  },

  'removes the given number of attempts or all, and the window with the last': async (store, t) => {
    const key = randomId()
    const count = async (at: number): Promise<number> =>
      (await store.countAttempt(key, 1_000_000_000, 900, t + at)).count
    await store.forgetAttempts(key, 1, t)
    for (const wanted of [1, 2, 3, 4]) strictEqual(await count(0), wanted)
    await store.forgetAttempts(key, 1, t + 10)
    deepStrictEqual(await store.readAttempts(key, t + 10), { count: 3, endsIn: 890 })
    await store.forgetAttempts(key, 3, t + 20)
    deepStrictEqual(await store.readAttempts(key, t + 20), { count: 0, endsIn: 0 })
    for (const wanted of [1, 2]) strictEqual(await count(30), wanted)
    deepStrictEqual(await store.readAttempts(key, t + 30), { count: 2, endsIn: 900 })
    await store.forgetAttempts(key, null, t + 40)
    strictEqual(await count(50), 1)
    await store.forgetAttempts(key, 5, t + 60)
    strictEqual((await store.readAttempts(key, t + 60)).count, 0)
  },

  'loses no attempt while others are removed': async (store, t) => {
    for (const now of [t, null]) {
      const key = randomId()
      await store.countAttempt(key, 1_000, 600, now)
      await together(40, async () => {
        await store.countAttempt(key, 1_000, 600, now)
        await store.forgetAttempts(key, 1, now)
      })
      strictEqual((await store.readAttempts(key, now)).count, 1)
    }
  },

  'never allows more parallel attempts than the limit, with either clock': async (store, t) => {
    for (const now of [t, null]) {
      const key = randomId()
      const attempts = await together(60, () => store.countAttempt(key, 7, 600, now))
      strictEqual(attempts.filter(({ allowed }) => allowed).length, 7)
      for (const { allowed, retryAfter } of attempts) {
        ok(allowed || (Number.isInteger(retryAfter) && retryAfter >= 1 && retryAfter <= 600))
      }
    }
  },
}
