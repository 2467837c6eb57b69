/** Store suite: what is kept of a session for whom it belongs to, and what an update changes. */
import { deepStrictEqual, strictEqual } from 'node:assert'
import type { Sighting } from 'tokenwright/stores/contract'
import {
  assertRotation,
  assertRow,
  begin,
  type Cases,
  end,
  LENGTHS,
  randomId,
  toCall,
  together,
} from './fixtures.ts'

const { idle, overlap } = LENGTHS
const HOUR = 3600

/** A moment that is this many seconds after a whole hour. */
const toHour = (t: number, after: number): number => Math.ceil(t / HOUR) * HOUR + after

const toSeen = (over: Partial<Sighting> = {}): Sighting => ({
  ip: '2001:db8::2',
  userAgent: 'curl/8',
  stretch: HOUR,
  ...over,
})

/** Where a session was last seen. */
export const SIGHTINGS: Cases = {
  'notes where the first refresh of a stretch came from, and no other': async (store, t) => {
    const start = toHour(t, 100)
    const began = await begin(store, start, {
      ip: '192.0.2.1',
      userAgent: 'Mozilla/5.0',
      idle: 9 * HOUR,
      absolute: 9 * HOUR,
    })
    strictEqual(began.lastIp, null)
    let row = began
    const steps = [
      { after: 200, ip: 'a', noted: null },
      { after: HOUR - 0.001, ip: 'b', noted: null },
      { after: HOUR, ip: 'c', noted: 'c' },
      { after: HOUR + 200, ip: 'd', noted: 'c' },
      { after: 2 * HOUR - 0.001, ip: 'e', noted: 'c' },
      { after: 4 * HOUR + 5, ip: 'f', noted: 'f' },
    ]
    for (const [gen, { after, ip, noted }] of steps.entries()) {
      const now = toHour(t, after)
      const idleExpiresAt = Math.min(now + idle, row.absoluteExpiresAt)
      const seen = { lastIp: noted, lastUserAgent: noted === null ? null : `agent of ${noted}` }
      const moved = { gen: gen + 1, rotatedAt: now, lastUsedAt: now, idleExpiresAt, ...seen }
      const call = toCall(row.sid, gen, {
        now,
        overlap: 0,
        seen: toSeen({ ip, userAgent: `agent of ${ip}` }),
      })
      row = await assertRotation(store, call, 'rotated', { ...row, ...moved })
      if (idleExpiresAt < toHour(t, (steps[gen + 1]?.after ?? 0) + 1)) {
        // It would end before the next step.
        const longer = toCall(row.sid, gen + 1, { now, overlap: 0, rotation: false, idle: 9 * HOUR })
        await store.rotate(longer)
        row = (await store.get(row.sid)) ?? row
      }
    }
    deepStrictEqual([row.ip, row.userAgent], ['192.0.2.1', 'Mozilla/5.0'])
  },

  'keeps what is known where a refresh does not say it': async (store, t) => {
    let row = await begin(store, toHour(t, 0), { idle: 9 * HOUR, absolute: 9 * HOUR })
    const steps = [
      { seen: toSeen({ userAgent: null }), lastIp: '2001:db8::2', lastUserAgent: null },
      { seen: toSeen({ ip: null, userAgent: 'b' }), lastIp: '2001:db8::2', lastUserAgent: 'b' },
      { seen: null, lastIp: '2001:db8::2', lastUserAgent: 'b' },
      { seen: toSeen({ ip: '', userAgent: 'a "\\ \u00e9' }), lastIp: '', lastUserAgent: 'a "\\ \u00e9' },
    ]
    for (const [gen, { seen, ...last }] of steps.entries()) {
      const now = toHour(t, (gen + 1) * HOUR)
      const used = { gen: gen + 1, rotatedAt: now, lastUsedAt: now, idleExpiresAt: row.absoluteExpiresAt }
      const call = toCall(row.sid, gen, { now, idle: 9 * HOUR, seen })
      row = await assertRotation(store, call, 'rotated', { ...row, ...used, ...last })
    }
  },

  'notes nothing of a refresh that moves nothing': async (store, t) => {
    const row = await begin(store, toHour(t, -10))
    const first = toCall(row.sid, 0, { now: toHour(t, -5) })
    const rotated = (await store.rotate(first)).row
    const seen = toSeen()
    for (const gen of [1, 0]) await store.rotate(toCall(row.sid, gen, { now: toHour(t, 1), seen }))
    const after = await store.get(row.sid)
    deepStrictEqual([after?.gen, after?.lastIp, after?.lastUserAgent], [1, null, null])
    strictEqual(after?.idleExpiresAt, rotated?.idleExpiresAt)
  },

  'keeps an address of 64 characters and a user agent of 256 of a refresh': async (store, t) => {
    for (const letter of ['x', '\u00ff', '\u6f22']) {
      const { sid } = await begin(store, toHour(t, -1))
      const seen = toSeen({ ip: letter.repeat(64), userAgent: letter.repeat(256) })
      await store.rotate(toCall(sid, 0, { now: toHour(t, 1), seen }))
      const row = await store.get(sid)
      deepStrictEqual([row?.lastIp, row?.lastUserAgent], [seen.ip, seen.userAgent])
    }
  },
}

/** What `update` changes. */
export const UPDATES: Cases = {
  'changes what it is given, and nothing else': async (store, t) => {
    let row = await begin(store, t, { scopes: ['a'], data: { n: 1 }, metadata: { m: 1 }, label: 'one' })
    for (const change of [
      { scopes: ['b', 'c'] },
      { scopes: [] },
      { data: { text: 'Zażółć \ud83d\udc69 \u0000 \ud800 " \\', empty: [{}, []] } },
      { data: {} },
      { metadata: { text: 'Zażółć \ud83d\udc69 \u0000 \ud800 " \\', deep: { list: [null, true, 0.1] } } },
      { label: 'Zażółć "two" \ud83d\udc69' },
      { label: null },
      { scopes: ['d'], data: { n: 2 }, metadata: {}, label: 'three' },
      {},
    ]) {
      row = { ...row, ...change }
      assertRow(await store.update({ sid: row.sid, now: t + 1, ...change }), row)
      assertRow(await store.get(row.sid), row)
    }
  },

  'is what the next refresh returns': async (store, t) => {
    const row = await begin(store, t, { scopes: ['a'] })
    await store.update({ sid: row.sid, scopes: ['b'], data: { n: 2 }, now: t })
    for (const gen of [0, 1, 0]) {
      const { row: after } = await store.rotate(toCall(row.sid, gen, { now: t + 1 }))
      deepStrictEqual([after?.scopes, after?.data], [['b'], { n: 2 }])
    }
    const proof = { sid: row.sid, authTime: 1, acr: null, amr: null, notAfter: null, now: t + 1 }
    deepStrictEqual((await store.stepUp(proof)).row?.scopes, ['b'])
  },

  'changes no session that has ended, and none that it does not know': async (store, t) => {
    const [revoked, expired] = [await begin(store, t), await begin(store, t)]
    await end(store, revoked.sid, t)
    for (const [sid, now] of [
      [revoked.sid, t],
      [expired.sid, t + idle],
      [randomId(), t],
    ] as const)
      strictEqual(await store.update({ sid, label: 'x', scopes: ['x'], now }), null)
    strictEqual((await store.get(revoked.sid))?.label, null)
    assertRow(await store.get(expired.sid), expired)
  },

  'loses no parallel update, and no rotation beside it': async (store) => {
    const { sid } = await begin(store, null, { metadata: { kept: true } })
    const words = await together(30, async (index) => {
      if (index % 3 === 0) return (await store.rotate(toCall(sid, 0, { overlap }))).word
      const change = index % 3 === 1 ? { label: `label ${index}` } : { scopes: [`scope:${index}`] }
      return (await store.update({ sid, now: null, ...change })) === null ? 'lost' : 'updated'
    })
    strictEqual(words.includes('lost'), false)
    const row = await store.get(sid)
    deepStrictEqual([row?.gen, row?.metadata], [1, { kept: true }])
    strictEqual(row?.label?.startsWith('label '), true)
    strictEqual(row?.scopes[0]?.startsWith('scope:'), true)
  },
}
