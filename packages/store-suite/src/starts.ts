/** Store suite: starting a session, stepping it up, and looking it up. */
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import type { StepUpCall } from 'tokenwright/stores/contract'
import {
  assertRow,
  begin,
  type Cases,
  end,
  LENGTHS,
  randomId,
  toCall,
  toNewSession,
  toRevoked,
  toRotated,
} from './fixtures.ts'

const { idle, absolute } = LENGTHS

/** What `start` writes and `get` reads. */
export const STARTS: Cases = {
  'starts a session at generation 0, used and rotated now': async (store, t) => {
    const {
      provedAt,
      idle: _idle,
      absolute: _absolute,
      ...session
    } = toNewSession({
      realm: 'staff',
      authTime: Math.floor(t) - 5,
      acr: 'urn:example:gold',
      amr: ['pwd', 'otp'],
      scopes: ['read:orders', 'write:orders'],
      data: { tenant: 7 },
      metadata: { device: 'kitchen' },
      label: 'Kitchen tablet',
      ip: '2001:db8::1',
      userAgent: 'Mozilla/5.0',
    })
    const row = await store.start({ ...session, provedAt, idle, absolute }, t)
    const wanted = {
      ...session,
      gen: 0,
      rotatedAt: t,
      late: 0,
      lateBefore: 0,
      createdAt: t,
      lastUsedAt: t,
      idleExpiresAt: t + idle,
      absoluteExpiresAt: t + absolute,
      lastIp: null,
      lastUserAgent: null,
      revokedAt: null,
      revokeReason: null,
    }
    assertRow(row, wanted, 'the result of `start`')
    assertRow(await store.get(session.sid), wanted, 'the result of `get`')
  },

  'returns null for a session that was never started': async (store) => {
    strictEqual(await store.get(randomId()), null)
  },

  'distinguishes IDs that differ only in case': async (store, t) => {
    const sid = `aB${randomId().slice(2)}`
    const twin = `Ab${sid.slice(2)}`
    const row = await begin(store, t, { sid })
    strictEqual(await store.get(twin), null)
    await begin(store, t, { sid: twin })
    await end(store, twin, t)
    assertRow(await store.get(sid), row)
  },

  'never replaces a session by another': async (store, t) => {
    const row = await begin(store, t)
    await store.start(toNewSession({ sid: row.sid }), t).catch(() => undefined)
    assertRow(await store.get(row.sid), row)
  },

  'refuses a start whose proof is not newer than the cut-off of its subject': async (store, t) => {
    const sub = randomId()
    await store.endAll({ sub, realm: null }, 'subject_revoked', {
      logTtl: 10,
      now: t,
      except: null,
      cutOff: 1000,
    })
    for (const provedAt of [t - 1000, t - 0.001, t]) {
      const session = toNewSession({ sub, provedAt })
      strictEqual(await store.start(session, t + 1), null)
      strictEqual(await store.get(session.sid), null, 'nothing is written')
    }
    ok(
      await store.start(toNewSession({ sub, provedAt: t + 0.001 }), t + 1),
      'a proof after the cut-off starts a session',
    )
    ok(await store.start(toNewSession({ provedAt: t - 1 }), t + 1), 'another subject is not affected')
  },
}

/** A call of `stepUp`. */
function toStepUp(sid: string, over: Partial<StepUpCall>): StepUpCall {
  return { sid, authTime: 1_800_000_000, acr: 'gold', amr: ['otp'], notAfter: null, now: null, ...over }
}

/** What `stepUp` writes. */
export const STEP_UPS: Cases = {
  'records the authentication and changes nothing else': async (store, t) => {
    const started = await begin(store, t, { authTime: 1, acr: 'bronze', amr: ['pwd'] })
    await store.rotate(toCall(started.sid, 0, { now: t }))
    const now = t + 90
    const row = {
      ...toRotated(started, 1, t),
      authTime: 1_800_000_000,
      acr: 'gold',
      amr: ['otp'],
      lastUsedAt: now,
    }
    const result = await store.stepUp(toStepUp(row.sid, { now }))
    strictEqual(result.word, 'live')
    assertRow(result.row, row)
    assertRow(await store.get(row.sid), row)
  },

  'records an authentication without class and methods': async (store, t) => {
    const started = await begin(store, t, { acr: 'bronze', amr: ['pwd'] })
    await store.stepUp(toStepUp(started.sid, { now: t, acr: null, amr: null }))
    assertRow(await store.get(started.sid), { ...started, authTime: 1_800_000_000, acr: null, amr: null })
  },

  'writes nothing for an ended or unknown session, or after the deadline': async (store, t) => {
    const row = await begin(store, t)
    const late = await store.stepUp(toStepUp(row.sid, { now: t + 1, notAfter: t + 0.999 }))
    deepStrictEqual([late.word, late.row?.sid], ['late', row.sid])
    for (const notAfter of [null, t]) {
      const expired = await store.stepUp(toStepUp(row.sid, { now: t + idle, notAfter }))
      deepStrictEqual([expired.word, expired.row?.sid], ['expired', row.sid])
      const unknown = await store.stepUp(toStepUp(randomId(), { now: t + idle, notAfter }))
      deepStrictEqual([unknown.word, unknown.row], ['unknown', null])
    }
    assertRow(await store.get(row.sid), row)
    await end(store, row.sid, t + 2)
    for (const notAfter of [null, t]) {
      strictEqual((await store.stepUp(toStepUp(row.sid, { now: t + 3, notAfter }))).word, 'revoked')
    }
    assertRow(await store.get(row.sid), toRevoked(row, 'ended', t + 2))
  },

  'writes at the exact moment of the deadline': async (store, t) => {
    const { sid } = await begin(store, t)
    strictEqual((await store.stepUp(toStepUp(sid, { now: t, notAfter: t }))).word, 'live')
  },
}

/** What `list` returns. */
export const LISTS: Cases = {
  'lists the active sessions of a subject, the newest login first': async (store, t) => {
    const sub = randomId()
    const sids: string[] = []
    for (let i = 0; i < 7; i++) sids.unshift((await begin(store, t + i, { sub })).sid)
    await begin(store, t)
    await store.rotate(toCall(sids[5] ?? '', 0, { now: t + 50 }))
    const rows = await store.list({ sub, realm: null }, t + 60)
    deepStrictEqual(
      rows.map(({ sid }) => sid),
      sids,
    )
    for (const row of rows) assertRow(await store.get(row.sid), row)
  },

  'lists no revoked or expired session': async (store, t) => {
    const sub = randomId()
    const revoked = await begin(store, t, { sub })
    await begin(store, t, { sub, idle: 100 })
    await begin(store, t, { sub, absolute: 100 })
    const live = await begin(store, t, { sub, idle: 100.001 })
    await end(store, revoked.sid, t + 1)
    deepStrictEqual(
      (await store.list({ sub, realm: null }, t + 100)).map(({ sid }) => sid),
      [live.sid],
    )
    deepStrictEqual(await store.list({ sub, realm: null }, t + 100.001), [])
    deepStrictEqual(await store.list({ sub: randomId(), realm: null }, t), [])
  },

  'lists the newest thousand at most': async (store, t) => {
    const sub = randomId()
    const sids: string[] = []
    for (let i = 0; i < 1005; i += 67) {
      const batch = Array.from({ length: 67 }, (_, j) => begin(store, t + (i + j) / 100, { sub }))
      for (const { sid } of await Promise.all(batch.slice(0, 1005 - i))) sids.unshift(sid)
    }
    deepStrictEqual(
      (await store.list({ sub, realm: null }, t + 20)).map(({ sid }) => sid),
      sids.slice(0, 1000),
    )
  },
}
