/** Store suite: the store's own clock, which counts if a call passes no `now`. */
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import {
  begin,
  type Cases,
  end,
  entriesOf,
  LENGTHS,
  pause,
  toCall,
  toNewSession,
  toTail,
} from './fixtures.ts'

/** The largest difference between the clocks of the store and of this machine, in seconds. */
const SKEW = 30

/** Asserts that a moment is between two readings of the store's clock. */
function assertBetween(at: number | null | undefined, before: number, after: number): void {
  ok(typeof at === 'number' && at >= before && at <= after, `${before} <= ${at} <= ${after}`)
}

/** What a store does with its own clock. */
export const CLOCKS: Cases = {
  'is in epoch seconds, close to this machine’s': async (store) => {
    const now = await store.now()
    ok(Math.abs(now - Date.now() / 1000) < SKEW, `the store says ${now}, this machine ${Date.now() / 1000}`)
  },

  'never goes back, and has fractions of a second': async (store) => {
    const first = await store.now()
    let last = first
    for (let i = 0; i < 25; i++) {
      const { now } = await store.rotate(toCall('unknown', 0))
      ok(now >= last, `${now} comes after ${last}`)
      last = await store.now()
      ok(last >= now, `${last} comes after ${now}`)
      await pause(0.004)
    }
    ok(last > first && last - first < SKEW, 'it has fractions of a second')
  },

  'gives its time to what it writes': async (store) => {
    const since = await toTail(store)
    const before = await store.now()
    const row = await begin(store, null)
    const { row: rotated } = await store.rotate(toCall(row.sid, 0))
    const { row: proved } = await store.stepUp({
      sid: row.sid,
      authTime: 1,
      acr: null,
      amr: null,
      notAfter: null,
      now: null,
    })
    await end(store, row.sid, null)
    const after = await store.now()
    for (const at of [row.createdAt, row.rotatedAt, row.lastUsedAt]) assertBetween(at, before, after)
    for (const at of [rotated?.rotatedAt, rotated?.lastUsedAt, proved?.lastUsedAt])
      assertBetween(at, before, after)
    const { idle, absolute, logTtl } = LENGTHS
    assertBetween(row.idleExpiresAt, before + idle - 0.001, after + idle + 0.001)
    assertBetween(row.absoluteExpiresAt, before + absolute - 0.001, after + absolute + 0.001)
    assertBetween((await store.get(row.sid))?.revokedAt, before, after)
    const [entry] = await entriesOf(store, since, [row.sid])
    assertBetween(entry?.at, before, after)
    assertBetween(entry?.until, before + logTtl - 0.001, after + logTtl + 0.001)
  },

  'expires sessions': async (store) => {
    const { sid, sub } = await begin(store, null, { idle: 0.4 })
    const spare = await begin(store, null, { absolute: 0.4 })
    await pause(0.6)
    strictEqual((await store.rotate(toCall(sid, 0))).word, 'expired')
    strictEqual((await store.rotate(toCall(spare.sid, 0))).word, 'expired')
    deepStrictEqual(await store.list({ sub, realm: null }, null), [])
  },

  'begins and ends the overlap': async (store) => {
    const { sid } = await begin(store, null)
    const words: string[] = []
    const rotate = async (gen: number, overlap: number): Promise<void> => {
      words.push((await store.rotate(toCall(sid, gen, { overlap }))).word)
    }
    await rotate(0, 30)
    await rotate(0, 30)
    await pause(0.06)
    await rotate(1, 30)
    await rotate(1, 0.02)
    await pause(0.06)
    await rotate(1, 0.02)
    await rotate(0, 0.02)
    deepStrictEqual(words, ['rotated', 'replayed', 'kept', 'rotated', 'replayed', 'reused'])
  },

  'writes nothing after the deadline of a call': async (store) => {
    const { sid } = await begin(store, null)
    const now = await store.now()
    strictEqual((await store.rotate(toCall(sid, 0, { notAfter: now - 1 }))).word, 'late')
    strictEqual((await store.rotate(toCall(sid, 0, { notAfter: now + SKEW }))).word, 'rotated')
  },

  'cuts off a subject at its current time': async (store) => {
    const { sub } = toNewSession()
    const provedAt = await store.now()
    await pause(0.01)
    await store.endAll({ sub, realm: null }, 'subject_revoked', {
      logTtl: 60,
      now: null,
      except: null,
      cutOff: 60,
    })
    strictEqual(await store.start(toNewSession({ sub, provedAt }), null), null)
    await pause(0.01)
    ok(await store.start(toNewSession({ sub, provedAt: await store.now() }), null))
    const query = { sid: null, jti: null, sub, now: null }
    strictEqual(await store.isRevoked({ realm: null, ...query, iat: provedAt }), true)
    strictEqual(await store.isRevoked({ realm: null, ...query, iat: await store.now() }), false)
  },

  'comes with a name and with warnings': async (store) => {
    ok(store.name.length > 0)
    for (const warning of await store.inspect()) strictEqual(typeof warning, 'string')
    for (const { code, warning } of (await store.diagnose?.()) ?? []) {
      ok(/^[a-z][a-z-]*$/.test(code))
      strictEqual(typeof warning, 'string')
    }
  },
}
