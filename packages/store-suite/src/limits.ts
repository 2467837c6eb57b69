/** Store suite: starts of an owner who may have only so many live sessions. */
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import type { LimitedStart, NewSession, SessionLimit, Store } from 'tokenwright/stores/contract'
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

const { idle, logTtl } = LENGTHS

/** A limit of three. */
export function toLimit(over: Partial<SessionLimit> = {}): SessionLimit {
  return { count: 3, refuses: false, logTtl, ...over }
}

const startWithin = (
  store: Store,
  session: Partial<NewSession>,
  { now, ...limit }: Partial<SessionLimit> & { readonly now: number | null },
): Promise<LimitedStart> => store.startLimited(toNewSession(session), toLimit(limit), now)

const sidsOf = async (store: Store, sub: string, now: number, realm: string | null = null) =>
  (await store.list({ sub, realm }, now)).map(({ sid }) => sid)

/** What `startLimited` does. */
export const LIMITS: Cases = {
  'starts sessions as `start` does, until there are as many as are allowed': async (store, t) => {
    const sub = randomId()
    for (let i = 0; i < 3; i++) {
      const session = toNewSession({ sub, idleFor: 500, brief: true, label: 'Phone', metadata: { i } })
      const { word, row, ended } = await store.startLimited(session, toLimit(), t + i)
      deepStrictEqual([word, ended], ['started', []])
      const twin = await begin(store, t + i, { ...session, sid: randomId(), sub: randomId() })
      assertRow(row, { ...twin, sid: session.sid, sub })
      assertRow(await store.get(session.sid), { ...twin, sid: session.sid, sub })
    }
    strictEqual((await sidsOf(store, sub, t + 3)).length, 3)
  },

  'ends the session with the oldest login, with its entry in the log': async (store, t) => {
    const sub = randomId()
    const rows = []
    for (let i = 0; i < 3; i++) rows.push(await begin(store, t + i, { sub }))
    const [first, second, third] = rows
    ok(first && second && third)
    // Used last, and yet the oldest login.
    const rotated = (await store.rotate(toCall(first.sid, 0, { now: t + 3 }))).row
    ok(rotated)
    const since = await toTail(store)
    const { word, row, ended } = await startWithin(store, { sub }, { now: t + 4 })
    strictEqual(word, 'started')
    const revoked = toRevoked(rotated, 'limit', t + 4)
    strictEqual(ended.length, 1)
    assertRow(ended[0] ?? null, revoked)
    assertRow(await store.get(first.sid), revoked)
    strictEqual((await store.rotate(toCall(first.sid, 1, { now: t + 5 }))).word, 'revoked')
    ok(await store.isRevoked({ sid: first.sid, jti: null, sub, realm: null, iat: t, now: t + 5 }))
    deepStrictEqual(await sidsOf(store, sub, t + 5), [row?.sid, third.sid, second.sid])
    const entries = await entriesOf(store, since, [first.sid, second.sid, third.sid])
    deepStrictEqual(
      entries.map(({ kind, key }) => [kind, key]),
      [['sid', first.sid]],
    )
    ok((entries[0]?.until ?? 0) >= t + 4 + logTtl - 0.001)
  },

  'ends as many as are too many, where the limit was higher before': async (store, t) => {
    const sub = randomId()
    const sids: string[] = []
    for (let i = 0; i < 7; i++) sids.push((await begin(store, t + i, { sub })).sid)
    const since = await toTail(store)
    const { row, ended } = await startWithin(store, { sub }, { now: t + 8, count: 2 })
    deepStrictEqual(ended.map(({ sid }) => sid).toSorted(), sids.slice(0, 6).toSorted())
    deepStrictEqual(await sidsOf(store, sub, t + 9), [row?.sid, sids[6]])
    strictEqual((await entriesOf(store, since, sids)).length, 6)
  },

  'refuses one more, and writes nothing': async (store, t) => {
    const sub = randomId()
    const rows = []
    for (let i = 0; i < 3; i++) rows.push(await begin(store, t + i, { sub }))
    const since = await toTail(store)
    const session = toNewSession({ sub })
    const refused = await store.startLimited(session, toLimit({ refuses: true }), t + 4)
    deepStrictEqual(refused, { word: 'full', row: null, ended: [] })
    strictEqual(await store.get(session.sid), null)
    for (const row of rows) assertRow(await store.get(row.sid), row)
    deepStrictEqual(await entriesOf(store, since, [session.sid, ...rows.map(({ sid }) => sid)]), [])
    await end(store, rows[1]?.sid ?? '', t + 5)
    strictEqual((await startWithin(store, { sub }, { now: t + 6, refuses: true })).word, 'started')
    strictEqual((await startWithin(store, { sub }, { now: t + 6, refuses: true })).word, 'full')
  },

  'counts no session that has ended or expired, no other subject and no other realm': async (store, t) => {
    const sub = randomId()
    const only = { count: 1, refuses: true }
    const ended = await begin(store, t, { sub })
    await end(store, ended.sid, t)
    await begin(store, t, { sub, idle: 100 })
    await begin(store, t, { sub, absolute: 100 })
    await begin(store, t, { sub, realm: 'staff' })
    await begin(store, t, { sub: `${sub} ` })
    strictEqual((await startWithin(store, { sub }, { now: t + 99, ...only })).word, 'full')
    strictEqual((await startWithin(store, { sub }, { now: t + 100, ...only })).word, 'started')
    strictEqual((await startWithin(store, { sub }, { now: t + 100, ...only })).word, 'full')
    strictEqual(
      (await startWithin(store, { sub, realm: 'Staff' }, { now: t + 100, ...only })).word,
      'started',
    )
    const { ended: replaced } = await startWithin(store, { sub, realm: 'staff' }, { now: t + 100, count: 1 })
    strictEqual(replaced.length, 1)
    strictEqual((await sidsOf(store, sub, t + 101, 'staff')).length, 1)
    strictEqual((await sidsOf(store, sub, t + 101)).length, 1)
    strictEqual((await startWithin(store, { sub }, { now: t + 100 + idle, ...only })).word, 'started')
  },

  'refuses a start whose proof is not newer than the cut-off of its subject': async (store, t) => {
    const sub = randomId()
    const all = { logTtl, now: t, except: null, cutOff: 1000 }
    await store.endAll({ sub, realm: null }, 'subject_revoked', all)
    const mine = await begin(store, t + 1, { sub, provedAt: t + 0.001 })
    const result = await startWithin(store, { sub, provedAt: t }, { now: t + 1, count: 1 })
    deepStrictEqual(result, { word: 'revoked', row: null, ended: [] })
    assertRow(await store.get(mine.sid), mine)
    strictEqual((await startWithin(store, { sub, provedAt: t + 0.001 }, { now: t + 1 })).word, 'started')
  },
}
