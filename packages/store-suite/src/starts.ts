/**
 * Store suite: starting a session, stepping up, and looking sessions up.
 */
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
  toDraft,
  toRevoked,
  toRotated,
} from './fixtures.ts'

const { idle, absolute } = LENGTHS

/** What `start` writes, and `get` reads. */
export const STARTS: Cases = {
  'starts a session at generation 0, used and rotated now': async (store, t) => {
    const {
      provedAt,
      idle: _idle,
      absolute: _absolute,
      ...draft
    } = toDraft({
      realm: 'staff',
      authTime: Math.floor(t) - 5,
      acr: 'urn:example:gold',
      amr: ['pwd', 'otp'],
      scopes: ['read:orders', 'write:orders'],
      data: { tenant: 7 },
      ip: '2001:db8::1',
      userAgent: 'Mozilla/5.0',
    })
    const row = await store.start({ ...draft, provedAt, idle, absolute }, t)
    const wanted = {
      ...draft,
      gen: 0,
      rotatedAt: t,
      late: 0,
      lateBefore: 0,
      createdAt: t,
      lastUsedAt: t,
      idleExpiresAt: t + idle,
      absoluteExpiresAt: t + absolute,
      revokedAt: null,
      revokeReason: null,
    }
    assertRow(row, wanted, 'what start answers')
    assertRow(await store.get(draft.sid), wanted, 'what get reads')
  },

  'knows nothing of a session that was never started': async (store) => {
    strictEqual(await store.get(randomId()), null)
  },

  'tells apart identifiers that differ in case only': async (store, t) => {
    const sid = `aB${randomId().slice(2)}`
    const twin = `Ab${sid.slice(2)}`
    const row = await begin(store, t, { sid })
    strictEqual(await store.get(twin), null)
    await begin(store, t, { sid: twin })
    await end(store, twin, t)
    assertRow(await store.get(sid), row)
  },

  'never puts a session in the place of another': async (store, t) => {
    const row = await begin(store, t)
    await store.start(toDraft({ sid: row.sid }), t).catch(() => undefined)
    assertRow(await store.get(row.sid), row)
  },

  'refuses a start whose proof is as old as the cut-off of its subject, or older': async (store, t) => {
    const sub = randomId()
    await store.endAll({ sub, realm: null }, 'subject_revoked', {
      logTtl: 10,
      now: t,
      except: null,
      cutOff: 1000,
    })
    for (const provedAt of [t - 1000, t - 0.001, t]) {
      const draft = toDraft({ sub, provedAt })
      strictEqual(await store.start(draft, t + 1), null)
      strictEqual(await store.get(draft.sid), null, 'nothing is written')
    }
    ok(
      await store.start(toDraft({ sub, provedAt: t + 0.001 }), t + 1),
      'a proof after the cut-off starts a session',
    )
    ok(await store.start(toDraft({ provedAt: t - 1 }), t + 1), 'another subject is not concerned')
  },
}

/** A step-up of a session. */
function toStepUp(sid: string, over: Partial<StepUpCall>): StepUpCall {
  return { sid, authTime: 1_800_000_000, acr: 'gold', amr: ['otp'], notAfter: null, now: null, ...over }
}

/** What `stepUp` writes. */
export const STEP_UPS: Cases = {
  'records the authentication and moves nothing else': async (store, t) => {
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
    const answer = await store.stepUp(toStepUp(row.sid, { now }))
    strictEqual(answer.word, 'live')
    assertRow(answer.row, row)
    assertRow(await store.get(row.sid), row)
  },

  'records an authentication without class and methods': async (store, t) => {
    const started = await begin(store, t, { acr: 'bronze', amr: ['pwd'] })
    await store.stepUp(toStepUp(started.sid, { now: t, acr: null, amr: null }))
    assertRow(await store.get(started.sid), { ...started, authTime: 1_800_000_000, acr: null, amr: null })
  },

  'writes nothing to a session that is over, unknown, or when nobody waits': async (store, t) => {
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

  'writes at the last moment at which somebody waits': async (store, t) => {
    const { sid } = await begin(store, t)
    strictEqual((await store.stepUp(toStepUp(sid, { now: t, notAfter: t }))).word, 'live')
  },
}

/** What `list` shows. */
export const LISTS: Cases = {
  'lists the live sessions of a subject, newest login first': async (store, t) => {
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

  'lists none that is revoked or expired': async (store, t) => {
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

  'lists at most a thousand, the newest': async (store, t) => {
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
