/**
 * Store suite: counting attempts.
 */
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { randomId } from '../internal/bytes.ts'
import type { Attempt } from '../session/store.ts'
import { type Cases, together } from './fixtures.ts'

/** A refusal that says when to come again. */
function assertRefused({ allowed, retryAfter }: Attempt, wanted: number): void {
  deepStrictEqual({ allowed, retryAfter }, { allowed: false, retryAfter: wanted })
}

/** What `countAttempt` allows. */
export const ATTEMPTS: Cases = {
  'allows as many as the limit, then says in whole seconds when the window ends': async (store, t) => {
    const key = randomId()
    for (let i = 0; i < 3; i++) strictEqual((await store.countAttempt(key, 3, 900, t + i)).allowed, true)
    assertRefused(await store.countAttempt(key, 3, 900, t + 3), 897)
    assertRefused(await store.countAttempt(key, 3, 900, t + 3.5), 897)
    assertRefused(await store.countAttempt(key, 3, 900, t + 899.999), 1)
  },

  'starts the window with the first attempt; refused ones do not prolong it': async (store, t) => {
    const key = randomId()
    for (let i = 0; i < 5; i++) await store.countAttempt(key, 2, 100, t + 20 * i)
    assertRefused(await store.countAttempt(key, 2, 100, t + 99), 1)
    for (const allowed of [true, true, false]) {
      strictEqual((await store.countAttempt(key, 2, 100, t + 100)).allowed, allowed)
    }
    assertRefused(await store.countAttempt(key, 2, 100, t + 150), 50)
  },

  'counts keys apart that differ in one character, its case or a blank': async (store, t) => {
    const key = randomId()
    for (const other of [key, `${key} `, `${key}a`, `${key}A`, `${key}\u00e1`, `${key}\u0000`, ` ${key}`]) {
      strictEqual((await store.countAttempt(other, 1, 100, t)).allowed, true, JSON.stringify(other))
      strictEqual((await store.countAttempt(other, 1, 100, t)).allowed, false, JSON.stringify(other))
    }
  },

  'never allows more than the limit to parallel attempts, with either clock': async (store, t) => {
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
