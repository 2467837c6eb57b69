/** Store suite: pruning. It prunes only what is very old, because suites may share a server. */
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import {
  assertRow,
  begin,
  type Cases,
  end,
  entriesOf,
  LENGTHS,
  randomId,
  toCall,
  toNewSession,
  toRevoked,
  toTail,
} from './fixtures.ts'

const DAY = 86_400
/** A moment in 1973. Nothing else is that old. */
const THEN = 100_000_000

/** What `prune` deletes and what it keeps. */
export const PRUNING: Cases = {
  'deletes a row a day after its absolute end': async (store) => {
    const { sid, sub } = await begin(store, THEN, { absolute: 100 })
    const count = await store.prune(THEN + 100 + DAY + 1)
    ok(Number.isInteger(count) && count >= 0, 'it returns the number of deleted records')
    strictEqual(await store.get(sid), null)
    strictEqual((await store.rotate(toCall(sid, 0, { now: THEN + 50 }))).word, 'unknown')
    strictEqual((await store.list({ sub, realm: null }, THEN + 50)).length, 0)
  },

  'lets the session of a deleted row be ended, with an entry: its access tokens may be valid': async (
    store,
  ) => {
    const { sid, sub } = await begin(store, THEN, { absolute: 100 })
    await store.prune(THEN + 100 + DAY + 1)
    const since = await toTail(store)
    const now = await store.now()
    strictEqual(await end(store, sid, now), false)
    const entries = await entriesOf(store, since, [sid])
    deepStrictEqual(
      entries.map(({ kind, key }) => [kind, key]),
      [['sid', sid]],
    )
    strictEqual(await store.get(sid), null)
    strictEqual(
      await store.isRevoked({ sid, jti: null, sub, realm: null, iat: now, now }),
      true,
      'a strict check refuses them in any case',
    )
  },

  'keeps expired and revoked rows until a day after their end, by its own clock': async (store) => {
    const now = await store.now()
    const absolute = 1000
    const expired = await begin(store, now - DAY - absolute + 600, { absolute })
    const revoked = await begin(store, now - DAY - absolute, { absolute: 90 * DAY, idle: 20 * DAY })
    const gone = await begin(store, now - DAY - absolute - 600, { absolute })
    await end(store, revoked.sid, now - DAY + 600)
    await store.prune(null)
    assertRow(await store.get(expired.sid), expired)
    assertRow(await store.get(revoked.sid), toRevoked(revoked, 'ended', now - DAY + 600))
    strictEqual(await store.get(gone.sid), null)
  },

  'deletes rows a day after they were revoked or not used any more': async (store) => {
    const long = { idle: 20 * DAY, absolute: 90 * DAY }
    const [ended, first, second] = [
      await begin(store, THEN, long),
      await begin(store, THEN, { ...long, sub: 'pruned' }),
      await begin(store, THEN, { ...long, sub: 'pruned' }),
    ]
    const reused = await begin(store, THEN, long)
    const unused = await begin(store, THEN, { idle: 100, absolute: 90 * DAY })
    const used = await begin(store, THEN, { idle: 100, absolute: 90 * DAY })
    const logTtl = 900
    await store.end(ended.sid, 'ended', { logTtl, now: THEN + 10 })
    await store.endAll({ sub: 'pruned', realm: null }, 'ended', {
      logTtl,
      now: THEN + 10,
      except: null,
      cutOff: null,
    })
    const strict = { overlap: 0, logTtl }
    await store.rotate(toCall(reused.sid, 0, { ...strict, now: THEN + 5 }))
    await store.rotate(toCall(reused.sid, 0, { ...strict, now: THEN + 10 }))
    await store.rotate(toCall(used.sid, 0, { idle: 5000, now: THEN + 90 }))
    await store.prune(THEN + DAY + 300)
    for (const { sid } of [ended, first, second, reused, unused]) strictEqual(await store.get(sid), null)
    strictEqual((await store.get(used.sid))?.gen, 1)
    await store.prune(THEN + DAY + 6000)
    strictEqual(await store.get(used.sid), null)
  },

  'keeps sessions, cut-offs, entries and revoked tokens that are still needed': async (store) => {
    const since = await toTail(store)
    const row = await begin(store, null)
    const ended = await begin(store, null)
    await end(store, ended.sid, null)
    const jti = randomId()
    const sub = randomId()
    const now = await store.now()
    await store.revokeToken(jti, now + 600, null)
    await store.endAll({ sub, realm: null }, 'subject_revoked', {
      logTtl: 600,
      now: null,
      except: null,
      cutOff: 600,
    })
    await store.countAttempt(sub, 1, 600, null)
    await store.prune(null)
    assertRow(await store.get(row.sid), row)
    strictEqual((await entriesOf(store, since, [ended.sid, jti, sub])).length, 3)
    strictEqual(
      await store.isRevoked({ realm: null, sid: null, jti, sub: row.sub, iat: null, now: null }),
      true,
    )
    strictEqual(await store.start(toNewSession({ sub, provedAt: now - 1 }), null), null)
    strictEqual((await store.countAttempt(sub, 1, 600, null)).allowed, false)
  },

  'keeps the log readable from an earlier cursor': async (store) => {
    const since = await toTail(store)
    const first = randomId()
    await store.revokeToken(randomId(), THEN + 10, THEN)
    await store.revokeToken(first, (await store.now()) + LENGTHS.logTtl, null)
    await store.prune(THEN + DAY)
    const second = randomId()
    await store.revokeToken(second, (await store.now()) + LENGTHS.logTtl, null)
    const keys = (await entriesOf(store, since, [first, second])).map(({ key }) => key)
    strictEqual(keys.join(), [first, second].join())
  },
}
