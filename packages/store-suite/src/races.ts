/**
 * Store suite: concurrent steps, with the store's own clock. A store that reads and then writes in
 * two steps fails here.
 */
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import type { SessionRow } from 'tokenwright/stores/contract'
import {
  begin,
  type Cases,
  end,
  entriesOf,
  LENGTHS,
  pause,
  randomId,
  tally,
  toCall,
  together,
  toNewSession,
  toTail,
} from './fixtures.ts'

const ROUNDS = 25
const { logTtl } = LENGTHS

/** Waits up to three milliseconds, so that the calls of a round overlap in any order. */
async function scatter<T>(work: () => Promise<T>): Promise<T> {
  await pause(Math.random() * 0.003)
  return work()
}

/** What a store does with concurrent calls. */
export const RACES: Cases = {
  'gives the same successor to 200 parallel refreshes of one token': async (store) => {
    const { sid } = await begin(store, null)
    const rotations = await together(200, () => store.rotate(toCall(sid, 0)))
    deepStrictEqual(tally(rotations.map(({ word }) => word)), { replayed: 199, rotated: 1 })
    deepStrictEqual(
      new Set(rotations.map(({ row }) => row?.gen)),
      new Set([1]),
      'every result has generation 1',
    )
    strictEqual((await store.get(sid))?.gen, 1)
  },

  'gives the same successor to parallel refreshes of both valid generations': async (store) => {
    const { sid } = await begin(store, null)
    await store.rotate(toCall(sid, 0))
    const rotations = await together(100, (i) => store.rotate(toCall(sid, i % 2)))
    deepStrictEqual(tally(rotations.map(({ word }) => word)), { kept: 50, replayed: 50 })
  },

  'with overlap 0 gives a successor to one of many, and revokes the session once': async (store) => {
    const since = await toTail(store)
    const { sid } = await begin(store, null)
    const rotations = await together(60, () => store.rotate(toCall(sid, 0, { overlap: 0 })))
    deepStrictEqual(tally(rotations.map(({ word }) => word)), { reused: 1, revoked: 58, rotated: 1 })
    strictEqual((await entriesOf(store, since, [sid])).length, 1)
  },

  'reports a reuse once, after its entry is in the log': async (store) => {
    const since = await toTail(store)
    const { sid } = await begin(store, null)
    await store.rotate(toCall(sid, 2))
    let seen = 0
    const words = await together(60, async () => {
      const { word } = await store.rotate(toCall(sid, 0))
      if (word === 'reused') seen = (await entriesOf(store, since, [sid])).length
      return word
    })
    deepStrictEqual(tally(words), { reused: 1, revoked: 59 })
    strictEqual(seen, 1, 'the entry is in the log when the call returns')
    strictEqual((await entriesOf(store, since, [sid])).length, 1)
  },

  'revokes a session that is ended while it is refreshed and stepped up': async (store) => {
    for (let round = 0; round < ROUNDS; round++) {
      const { sid } = await begin(store, null)
      const refreshes = together(6, () => scatter(() => store.rotate(toCall(sid, 0))))
      const proof = { sid, authTime: 1, acr: null, amr: null, notAfter: null, now: null }
      await Promise.all([refreshes, scatter(() => store.stepUp(proof)), scatter(() => end(store, sid, null))])
      const row = await store.get(sid)
      ok(row?.revokedAt, 'the session is revoked, whatever came later')
      strictEqual(row.revokeReason, 'ended')
      strictEqual((await store.rotate(toCall(sid, row.gen))).word, 'revoked')
      strictEqual(
        await store.isRevoked({ realm: null, sid, jti: null, sub: row.sub, iat: null, now: null }),
        true,
      )
    }
  },

  'ends a session once, however many calls end it': async (store) => {
    const since = await toTail(store)
    const { sid, sub } = await begin(store, null)
    const all = { logTtl, now: null, except: null, cutOff: null }
    const [one, many] = await Promise.all([
      together(20, () => end(store, sid, null)),
      together(20, () => store.endAll({ sub, realm: null }, 'subject_revoked', all)),
    ])
    strictEqual(
      [...one.map(Number), ...many].reduce((sum, count) => sum + count),
      1,
      'the session was active for exactly one call',
    )
    strictEqual((await entriesOf(store, since, [sid])).length, 1)
  },

  'lets no start escape a cut-off': async (store) => {
    const call = { logTtl, now: null, except: null, cutOff: 600 }
    for (let round = 0; round < 2 * ROUNDS; round++) {
      const sub = randomId()
      const provedAt = await store.now()
      const starts = together(4, () => scatter(() => store.start(toNewSession({ sub, provedAt }), null)))
      const [rows] = await Promise.all([
        starts,
        scatter(() => store.endAll({ sub, realm: null }, 'subject_revoked', call)),
      ])
      const started = rows.filter((row): row is SessionRow => row !== null)
      for (const { sid } of started)
        ok((await store.get(sid))?.revokedAt, 'it started before the cut-off, which ended it')
      deepStrictEqual(await store.list({ sub, realm: null }, null), [])
    }
  },

  'never has more live sessions than the limit, however many start at once': async (store) => {
    for (let round = 0; round < 5; round++) {
      const sub = randomId()
      const since = await toTail(store)
      const early = await together(3, () => begin(store, null, { sub }))
      const limit = { count: 3, refuses: false, logTtl }
      const [starts, rotations] = await Promise.all([
        together(20, () => scatter(() => store.startLimited(toNewSession({ sub }), limit, null))),
        Promise.all(early.map(({ sid }) => scatter(() => store.rotate(toCall(sid, 0))))),
      ])
      strictEqual(new Set(starts.map(({ word }) => word)).size, 1)
      strictEqual((await store.list({ sub, realm: null }, null)).length, 3)
      const ended = starts.flatMap((start) => start.ended.map(({ sid }) => sid))
      strictEqual(new Set(ended).size, 20)
      strictEqual(ended.length, 20)
      strictEqual((await entriesOf(store, since, ended)).length, 20)
      for (const { sid } of early) strictEqual((await store.get(sid))?.revokeReason, 'limit')
      for (const { word } of rotations) ok(word === 'rotated' || word === 'revoked', word)
      const refusing = { ...limit, count: 5, refuses: true }
      const more = await together(8, () =>
        scatter(() => store.startLimited(toNewSession({ sub }), refusing, null)),
      )
      strictEqual(more.filter(({ word }) => word === 'started').length, 2)
      strictEqual((await store.list({ sub, realm: null }, null)).length, 5)
    }
  },

  'ends all sessions of a subject while they are refreshed': async (store) => {
    for (let round = 0; round < 5; round++) {
      const sub = randomId()
      const rows = await together(12, () => begin(store, null, { sub }))
      const refreshes = rows.map(({ sid }) => scatter(() => store.rotate(toCall(sid, 0))))
      const call = { logTtl, now: null, except: rows[0]?.sid ?? null, cutOff: null }
      const [count] = await Promise.all([
        scatter(() => store.endAll({ sub, realm: null }, 'subject_revoked', call)),
        Promise.all(refreshes),
      ])
      strictEqual(count, 11)
      deepStrictEqual(
        (await store.list({ sub, realm: null }, null)).map(({ sid }) => sid),
        [rows[0]?.sid],
      )
    }
  },
}
