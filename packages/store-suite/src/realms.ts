/** Store suite: a realm is part of the subject. Two realms in one store are independent. */
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import {
  assertRow,
  begin,
  type Cases,
  entriesOf,
  LENGTHS,
  randomId,
  toNewSession,
  toTail,
} from './fixtures.ts'

const { logTtl } = LENGTHS
const ALL = { logTtl, except: null, cutOff: logTtl } as const

/** Realms that a store confuses if it folds, trims or joins names. */
const REALMS = [null, 'staff', 'Staff', 'staff ', '', 'null', '"', 'customer'] as const

/** No realm affects another. */
export const REALM_CASES: Cases = {
  'lists the sessions of one realm only': async (store, t) => {
    const sub = randomId()
    const rows = new Map<string | null, string>()
    for (const realm of REALMS) rows.set(realm, (await begin(store, t, { sub, realm })).sid)
    for (const realm of REALMS) {
      const listed = await store.list({ sub, realm }, t)
      deepStrictEqual(
        listed.map((row) => [row.sid, row.realm]),
        [[rows.get(realm), realm]],
        JSON.stringify(realm),
      )
    }
  },

  'ends the sessions of one realm only': async (store, t) => {
    const sub = randomId()
    for (const realm of REALMS) await begin(store, t, { sub, realm })
    let left = REALMS.length
    for (const realm of REALMS) {
      strictEqual(await store.endAll({ sub, realm }, 'ended', { ...ALL, cutOff: null, now: t + 1 }), 1)
      left -= 1
      const rest = await Promise.all(REALMS.map((other) => store.list({ sub, realm: other }, t + 1)))
      strictEqual(rest.flat().length, left)
    }
  },

  'cuts off one realm only: its tokens, its logins and its log entry': async (store, t) => {
    const sub = randomId()
    const cut: unknown[] = []
    for (const realm of REALMS) {
      const since = await toTail(store)
      await store.endAll({ sub, realm }, 'subject_revoked', { ...ALL, now: t })
      const entries = await entriesOf(store, since, [sub])
      deepStrictEqual(
        entries.map((entry) => [entry.kind, entry.realm]),
        [['sub', realm]],
      )
      cut.push(realm)
      for (const other of REALMS) {
        const wanted = cut.includes(other)
        const query = { sid: null, jti: null, sub, realm: other, iat: t - 1, now: t + 1 }
        strictEqual(await store.isRevoked(query), wanted, `${realm} ${other}`)
        const row = await store.start(toNewSession({ sub, realm: other, provedAt: t }), t + 1)
        strictEqual(row === null, wanted, `${realm} ${other}`)
      }
    }
  },

  'never confuses a subject with one in a realm': async (store, t) => {
    const row = await begin(store, t, { sub: 'ada', realm: 'staff' })
    for (const sub of ['"staff"ada', '["staff","ada"]', 'staffada', 'staff ada', 'staff:ada']) {
      deepStrictEqual(await store.list({ sub, realm: null }, t), [])
      await store.endAll({ sub, realm: null }, 'subject_revoked', { ...ALL, now: t + 1 })
    }
    assertRow(await store.get(row.sid), row)
    ok(await store.end(row.sid, 'ended', { logTtl, now: t + 1 }))
  },
}
