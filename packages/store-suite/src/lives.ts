/** Store suite: what a login says of its own session, and what lasts as long as that. */
import { strictEqual } from 'node:assert'
import { assertRotation, assertRow, begin, type Cases, LENGTHS, toCall } from './fixtures.ts'

const { idle, absolute, overlap } = LENGTHS

/** A session keeps what its login has said. */
export const LIVES: Cases = {
  'ends a session unused by the time that its login said, after every rotation': async (store, t) => {
    let row = await begin(store, t, { idleFor: 200.5 })
    strictEqual(row.idleFor, 200.5)
    assertRow(await store.get(row.sid), { ...row, idleExpiresAt: t + 200.5 })
    for (let gen = 0; gen < 3; gen++) {
      const now = t + 100 * (gen + 1)
      const moved = { gen: gen + 1, rotatedAt: now, lastUsedAt: now, idleExpiresAt: now + 200.5 }
      row = await assertRotation(store, toCall(row.sid, gen, { now }), 'rotated', { ...row, ...moved })
    }
    const call = toCall(row.sid, 3, { now: t + 300 + 200.5 })
    strictEqual((await store.rotate(call)).word, 'expired')
  },

  'counts that time also where nothing rotates, and where the row was behind': async (store, t) => {
    const plain = await begin(store, t, { idleFor: 200 })
    const moved = { lastUsedAt: t + 90, idleExpiresAt: t + 290 }
    const call = toCall(plain.sid, 0, { now: t + 90, rotation: false })
    await assertRotation(store, call, 'kept', { ...plain, ...moved })
    const behind = await begin(store, t, { idleFor: 200 })
    const healed = { gen: 4, rotatedAt: t + 90, ...moved }
    await assertRotation(store, toCall(behind.sid, 3, { now: t + 90 }), 'healed', { ...behind, ...healed })
  },

  'lets no time of a login pass the absolute end': async (store, t) => {
    const row = await begin(store, t, { idleFor: 200, absolute: 250 })
    const now = t + 2 * overlap
    const moved = { gen: 1, rotatedAt: now, lastUsedAt: now, idleExpiresAt: t + 250 }
    await assertRotation(store, toCall(row.sid, 0, { now }), 'rotated', { ...row, ...moved })
    strictEqual((await begin(store, t, { idleFor: 300, absolute: 250 })).idleExpiresAt, row.createdAt + 250)
  },

  'goes by the rules of each refresh where the login said none': async (store, t) => {
    const row = await begin(store, t)
    strictEqual(row.idleFor, null)
    const moved = { gen: 1, rotatedAt: t, lastUsedAt: t, idleExpiresAt: t + idle / 2 }
    await assertRotation(store, toCall(row.sid, 0, { now: t, idle: idle / 2 }), 'rotated', {
      ...row,
      ...moved,
    })
  },

  'keeps whether a session is brief, through rotations and step-ups': async (store, t) => {
    for (const brief of [true, false]) {
      const row = await begin(store, t, { brief, idleFor: brief ? 500 : null, absolute })
      const proof = { sid: row.sid, authTime: t, acr: null, amr: null, notAfter: null, now: t + 1 }
      const rows = [
        row,
        (await store.rotate(toCall(row.sid, 0, { now: t + 1 }))).row,
        (await store.rotate(toCall(row.sid, 0, { now: t + 1 }))).row,
        (await store.stepUp(proof)).row,
        (await store.rotate(toCall(row.sid, 1, { now: t + 400 }))).row,
        await store.get(row.sid),
        (await store.list(row, t + 400))[0],
      ]
      for (const each of rows) strictEqual(each?.brief, brief)
    }
  },
}
