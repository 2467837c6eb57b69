/**
 * Store suite: rotation, with the time passed by the call. It tests every word, what each word
 * writes, and the limits to the millisecond.
 */
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { decideRotation, toLate, toReuseReason } from 'tokenwright/stores/contract'
import {
  assertRotation,
  assertTime,
  begin,
  type Cases,
  end,
  entriesOf,
  LENGTHS,
  randomId,
  toCall,
  toReplayed,
  toRevoked,
  toRotated,
  toTail,
} from './fixtures.ts'
import { createRandom } from './random.ts'

const { overlap, idle, absolute, logTtl } = LENGTHS
const MOMENT = 0.001

/** What `rotate` does with a generation. */
export const ROTATIONS: Cases = {
  'rotates generation 0 at once': async (store, t) => {
    const row = await begin(store, t)
    await assertRotation(store, toCall(row.sid, 0, { now: t }), 'rotated', toRotated(row, 1, t))
  },

  'keeps a generation younger than two overlaps, and writes nothing': async (store, t) => {
    const row = toRotated(await begin(store, t), 1, t)
    await store.rotate(toCall(row.sid, 0, { now: t }))
    for (const age of [0, overlap, 2 * overlap - MOMENT]) {
      await assertRotation(store, toCall(row.sid, 1, { now: t + age }), 'kept', row)
    }
  },

  'rotates a generation that is exactly two overlaps old': async (store, t) => {
    const row = await begin(store, t)
    await store.rotate(toCall(row.sid, 0, { now: t }))
    const now = t + 2 * overlap
    await assertRotation(store, toCall(row.sid, 1, { now }), 'rotated', toRotated(row, 2, now))
  },

  'replays the previous generation, and writes nothing while tabs may race': async (store, t) => {
    const row = toRotated(await begin(store, t), 1, t)
    await store.rotate(toCall(row.sid, 0, { now: t }))
    for (const age of [0, 1, overlap / 6]) {
      await assertRotation(store, toCall(row.sid, 0, { now: t + age }), 'replayed', row)
    }
  },

  'remembers how late the previous generation came, up to one overlap': async (store, t) => {
    const row = toRotated(await begin(store, t), 1, t)
    await store.rotate(toCall(row.sid, 0, { now: t }))
    for (const [age, late] of [
      [6, 6],
      [overlap, overlap],
      [5, overlap],
      [20 * overlap, overlap],
    ] as const) {
      await assertRotation(store, toCall(row.sid, 0, { now: t + age }), 'replayed', toReplayed(row, late))
    }
    const now = t + 21 * overlap
    const next = toRotated(toReplayed(row, overlap), 2, now)
    await assertRotation(store, toCall(row.sid, 1, { now }), 'rotated', next)
  },

  'forgives the previous generation while its successor does not advance': async (store, t) => {
    const row = toRotated(await begin(store, t), 1, t)
    await store.rotate(toCall(row.sid, 0, { now: t }))
    for (const age of [overlap + MOMENT, 10 * overlap, idle - 1]) {
      const late = toReplayed(row, overlap)
      await assertRotation(store, toCall(row.sid, 0, { now: t + age }), 'replayed', late)
    }
  },

  'revokes the session for an older generation, and reports it once': async (store, t) => {
    const first = toRotated(await begin(store, t), 1, t)
    await store.rotate(toCall(first.sid, 0, { now: t }))
    const later = t + 2 * overlap
    const row = await assertRotation(
      store,
      toCall(first.sid, 1, { now: later }),
      'rotated',
      toRotated(first, 2, later),
    )
    const since = await toTail(store)
    const now = later + MOMENT
    const revoked = toRevoked(row, 'refresh_reused', now)
    await assertRotation(store, toCall(row.sid, 0, { now }), 'reused', revoked)
    for (const gen of [0, 1, 2, 3])
      await assertRotation(store, toCall(row.sid, gen, { now }), 'revoked', revoked)
    const entries = await entriesOf(store, since, [row.sid])
    strictEqual(entries.length, 1, 'one reuse leaves exactly one entry in the log')
    strictEqual(entries[0]?.kind, 'sid')
    assertTime(entries[0]?.at ?? null, now, 'the entry has the moment')
    assertTime(entries[0]?.until ?? null, now + logTtl, 'the entry has its end')
  },

  'revokes the session when the previous generation is late again and again': async (store, t) => {
    let row = await begin(store, t)
    let now = t
    const since = await toTail(store)
    for (const lateness of [...Array.from({ length: 11 }, () => overlap), 20]) {
      now += 5 * overlap
      row = toRotated(row, row.gen + 1, now)
      await assertRotation(store, toCall(row.sid, row.gen - 1, { now }), 'rotated', row)
      now += lateness
      row = toReplayed(row, lateness)
      await assertRotation(store, toCall(row.sid, row.gen - 1, { now }), 'replayed', row)
    }
    strictEqual(row.lateBefore + row.late, 350)
    now += 5 * overlap
    row = toRotated(row, row.gen + 1, now)
    await assertRotation(store, toCall(row.sid, row.gen - 1, { now }), 'rotated', row)
    await assertRotation(
      store,
      toCall(row.sid, row.gen - 1, { now: now + 10 - MOMENT }),
      'replayed',
      toReplayed(row, 10 - MOMENT),
    )
    row = toRevoked(toReplayed(row, 10 - MOMENT), 'shadowed', now + 10)
    await assertRotation(store, toCall(row.sid, row.gen - 1, { now: now + 10 }), 'reused', row)
    strictEqual((await entriesOf(store, since, [row.sid])).length, 1)
  },

  'subtracts one overlap for each generation that was not late': async (store, t) => {
    let row = await begin(store, t)
    let now = t
    for (const [late, before] of [
      [20, 0],
      [20, 20],
      [0, 40],
      [0, 10],
      [overlap, 0],
      [overlap, overlap],
      [0, 2 * overlap],
      [overlap, overlap],
      [0, 2 * overlap],
    ] as const) {
      now += 3 * overlap
      row = toRotated(row, row.gen + 1, now)
      await assertRotation(store, toCall(row.sid, row.gen - 1, { now }), 'rotated', row)
      strictEqual(row.lateBefore, before)
      if (late === 0) continue
      now += late
      row = toReplayed(row, late)
      await assertRotation(store, toCall(row.sid, row.gen - 1, { now }), 'replayed', row)
    }
  },

  'forgives only one generation, even within the overlap': async (store, t) => {
    const row = await begin(store, t)
    await store.rotate(toCall(row.sid, 0, { now: t }))
    const now = t + 2 * overlap
    const second = toRotated(row, 2, now)
    await assertRotation(store, toCall(row.sid, 1, { now }), 'rotated', second)
    await assertRotation(store, toCall(row.sid, 1, { now }), 'replayed', second)
    await assertRotation(
      store,
      toCall(row.sid, 0, { now }),
      'reused',
      toRevoked(second, 'refresh_reused', now),
    )
  },

  'heals a row that lost writes: takes the generation of the token, then advances': async (store, t) => {
    const row = await begin(store, t)
    const healed = await assertRotation(store, toCall(row.sid, 4, { now: t }), 'healed', toRotated(row, 5, t))
    await assertRotation(store, toCall(row.sid, 4, { now: t }), 'replayed', healed)
    const first = toReplayed(healed, overlap)
    await assertRotation(store, toCall(row.sid, 4, { now: t + overlap }), 'replayed', first)
    await assertRotation(store, toCall(row.sid, 5, { now: t + overlap }), 'kept', first)
    const now = t + overlap + 1
    const second = await assertRotation(
      store,
      toCall(row.sid, 6, { now }),
      'healed',
      toRotated(first, 7, now),
    )
    await assertRotation(
      store,
      toCall(row.sid, 4, { now }),
      'reused',
      toRevoked(second, 'refresh_reused', now),
    )
  },

  'heals by as many generations as a token can have': async (store, t) => {
    const row = await begin(store, t)
    const last = 999_999_998
    await assertRotation(store, toCall(row.sid, last, { now: t }), 'healed', toRotated(row, last + 1, t))
  },

  'with overlap 0 accepts each generation once': async (store, t) => {
    const strict = { overlap: 0, now: t }
    const row = await begin(store, t)
    await assertRotation(store, toCall(row.sid, 0, strict), 'rotated', toRotated(row, 1, t))
    const second = await assertRotation(store, toCall(row.sid, 1, strict), 'rotated', toRotated(row, 2, t))
    await assertRotation(store, toCall(row.sid, 1, strict), 'reused', toRevoked(second, 'refresh_reused', t))
  },

  'keeps the generation that a step-up has issued for one overlap': async (store, t) => {
    const row = await begin(store, t)
    const at = t + 3 * overlap
    const proof = { sid: row.sid, authTime: at, acr: null, amr: null, notAfter: null, now: at }
    const { row: proved } = await store.stepUp(proof)
    ok(proved)
    await assertRotation(store, toCall(row.sid, 0, { now: at + overlap - MOMENT }), 'kept', proved)
    const now = at + overlap
    await assertRotation(store, toCall(row.sid, 0, { now }), 'rotated', toRotated(proved, 1, now))
  },

  'treats a clock that goes back as age 0': async (store, t) => {
    const row = toRotated(await begin(store, t), 1, t)
    await store.rotate(toCall(row.sid, 0, { now: t }))
    await assertRotation(store, toCall(row.sid, 1, { now: t - 100 }), 'kept', row)
    await assertRotation(store, toCall(row.sid, 0, { now: t - 100 }), 'replayed', row)
  },

  'without rotation never changes the generation': async (store, t) => {
    let row = await begin(store, t)
    for (const [after, gen] of [
      [1, 0],
      [900, 0],
      [1800, 3],
    ] as const) {
      const now = t + after
      row = { ...row, lastUsedAt: now, idleExpiresAt: now + idle }
      await assertRotation(store, toCall(row.sid, gen, { now, rotation: false }), 'kept', row)
    }
  },

  'without rotation never moves the idle end beyond the absolute end': async (store, t) => {
    const row = await begin(store, t, { idle: absolute })
    const now = t + absolute - 1
    const used = { ...row, lastUsedAt: now, idleExpiresAt: row.absoluteExpiresAt }
    await assertRotation(store, toCall(row.sid, 0, { now, rotation: false }), 'kept', used)
    await assertRotation(store, toCall(row.sid, 0, { now: t + absolute, rotation: false }), 'expired', used)
  },

  'agrees with `decideRotation` over a long random walk': async (store, t) => {
    const random = createRandom(20)
    let now = t
    for (let round = 0; round < 12; round++) {
      let row = await begin(store, now)
      for (let step = 0; step < 25; step++) {
        now = Math.round((now + random() * random() * 3 * overlap) * 1000) / 1000
        const gen = Math.max(0, row.gen + Math.floor(random() * 2.1 - 0.95))
        const call = toCall(row.sid, gen, { now })
        const word = decideRotation(row, gen, now, call)
        const moves = word === 'rotated' || word === 'healed'
        if (word === 'reused') row = toRevoked(row, toReuseReason(row, call), now)
        if (word === 'replayed') row = toReplayed(row, toLate(row, now, call))
        if (moves) row = toRotated(row, Math.max(gen, row.gen) + 1, now)
        await assertRotation(store, call, word, row)
        if (word === 'reused' || word === 'expired') break
      }
    }
  },
}

/** When a session ends, and what happens after the deadline of a call. */
export const ENDINGS: Cases = {
  'expires exactly at its idle end': async (store, t) => {
    const row = await begin(store, t)
    await assertRotation(store, toCall(row.sid, 0, { now: t + idle }), 'expired', row)
    const now = t + idle - MOMENT
    await assertRotation(store, toCall(row.sid, 0, { now }), 'rotated', toRotated(row, 1, now))
  },

  'expires exactly at its absolute end, however often it is used': async (store, t) => {
    let row = await begin(store, t)
    ok(row.idleExpiresAt < row.absoluteExpiresAt)
    for (let now = t; now < t + absolute; now += idle - 1) {
      row = await assertRotation(
        store,
        toCall(row.sid, row.gen, { now }),
        'rotated',
        toRotated(row, row.gen + 1, now),
      )
    }
    assertTime(row.idleExpiresAt, t + absolute, 'the idle end stays within the absolute end')
    await assertRotation(store, toCall(row.sid, row.gen, { now: t + absolute }), 'expired', row)
  },

  'starts with an idle end no later than the absolute end': async (store, t) => {
    const row = await begin(store, t, { idle: 100, absolute: 50 })
    assertTime(row.idleExpiresAt, t + 50, 'idle end')
    assertTime(row.absoluteExpiresAt, t + 50, 'absolute end')
  },

  'returns `revoked` for a session that was revoked and would have expired': async (store, t) => {
    const row = await begin(store, t)
    strictEqual(await end(store, row.sid, t + 1), true)
    const revoked = toRevoked(row, 'ended', t + 1)
    await assertRotation(store, toCall(row.sid, 0, { now: t + absolute }), 'revoked', revoked)
  },

  'returns `unknown` for a session that was never started': async (store, t) => {
    const call = toCall(randomId(), 0, { now: t })
    for (const notAfter of [null, t - 1]) {
      const { word, row, now } = await store.rotate({ ...call, notAfter })
      deepStrictEqual([word, row], ['unknown', null])
      assertTime(now, t, 'the moment of the step')
    }
  },

  'returns `expired`, `revoked`, `kept` and `replayed` after the deadline too': async (store, t) => {
    const row = toRotated(await begin(store, t), 1, t)
    await store.rotate(toCall(row.sid, 0, { now: t }))
    const late = { now: t + 1, notAfter: t }
    await assertRotation(store, toCall(row.sid, 1, late), 'kept', row)
    await assertRotation(store, toCall(row.sid, 0, late), 'replayed', row)
    await assertRotation(store, toCall(row.sid, 1, { now: t + idle, notAfter: t }), 'expired', row)
    await end(store, row.sid, t)
    await assertRotation(store, toCall(row.sid, 1, late), 'revoked', toRevoked(row, 'ended', t))
  },

  'writes nothing after the deadline: no rotation, no healing, no reuse': async (store, t) => {
    const first = toRotated(await begin(store, t), 1, t)
    await store.rotate(toCall(first.sid, 0, { now: t }))
    const at = t + 2 * overlap
    const row = toRotated(first, 2, at)
    await assertRotation(store, toCall(row.sid, 1, { now: at }), 'rotated', row)
    const since = await toTail(store)
    const late = { now: at + 2 * overlap, notAfter: at + 2 * overlap - MOMENT }
    for (const gen of [0, 2, 3]) await assertRotation(store, toCall(row.sid, gen, late), 'late', row)
    await assertRotation(store, toCall(row.sid, 1, late), 'replayed', row)
    await assertRotation(store, toCall(row.sid, 2, { ...late, rotation: false }), 'late', row)
    deepStrictEqual(await entriesOf(store, since, [row.sid]), [], 'nothing in the log')
  },

  'writes at the exact moment of the deadline': async (store, t) => {
    const row = await begin(store, t)
    const call = toCall(row.sid, 0, { now: t, notAfter: t })
    await assertRotation(store, call, 'rotated', toRotated(row, 1, t))
  },
}
