/** Store suite: how records come from another store and go to one, for stores with `transfer`. */
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import {
  hashOwner,
  hashText,
  type SessionRow,
  type Store,
  type StoreRecord,
  type StoreTransfer,
} from 'tokenwright/stores/contract'
import {
  assertRotation,
  assertRow,
  begin,
  type Cases,
  end,
  entriesOf,
  LENGTHS,
  randomId,
  tally,
  toCall,
  together,
  toNewSession,
  toRotated,
  toTail,
} from './fixtures.ts'

/** A case for stores that have `transfer`. */
type TransferCase = (store: Store, transfer: StoreTransfer, t: number) => Promise<void>

function toCases(cases: Readonly<Record<string, TransferCase>>): Cases {
  const pairs = Object.entries(cases).map(([name, body]): [string, Cases[string]] => [
    name,
    async (store, t) => {
      if (store.transfer !== undefined) await body(store, store.transfer, t)
    },
  ])
  return Object.fromEntries(pairs)
}

/** A row of another store. */
function toRow(t: number, over: Partial<SessionRow> = {}): SessionRow {
  const { provedAt: _, idle, absolute, ...session } = toNewSession()
  return {
    ...session,
    gen: 7,
    rotatedAt: t - 50,
    late: 1.5,
    lateBefore: 20.25,
    createdAt: t - 500,
    lastUsedAt: t - 40,
    idleExpiresAt: t - 40 + idle,
    absoluteExpiresAt: t - 500 + absolute,
    revokedAt: null,
    revokeReason: null,
    lastIp: null,
    lastUserAgent: null,
    ...over,
  }
}

const FULL: Partial<SessionRow> = {
  realm: 'staff',
  authTime: 1_800_000_000,
  acr: 'gold',
  amr: ['pwd', 'otp'],
  scopes: ['read'],
  data: { tenant: 7, empty: [] },
  metadata: { device: 'k\u00fcche \ud800' },
  label: 'Kitchen',
  brief: true,
  idleFor: 700,
  ip: '192.0.2.1',
  userAgent: 'curl',
  lastIp: '2001:db8::1',
  lastUserAgent: 'Mozilla/5.0',
}

const toSession = (row: SessionRow): StoreRecord => ({ kind: 'session', row })

/** All records of a store that are about some sessions, owners or keys. */
async function readAll(transfer: StoreTransfer, names: readonly string[]): Promise<StoreRecord[]> {
  const found: StoreRecord[] = []
  for (let place: string | null = null, isFirst = true; isFirst || place !== null; isFirst = false) {
    const page = await transfer.read(place, 100)
    for (const record of page.records) {
      const name =
        record.kind === 'session'
          ? record.row.sid
          : record.kind === 'cutOff'
            ? record.ownerHash
            : record.keyHash
      if (names.includes(name)) found.push(record)
    }
    place = page.place
  }
  return found
}

/** What a store with `transfer` reads, writes and releases. */
export const TRANSFER: Cases = toCases({
  'reads sessions, cut-offs and counted attempts': async (store, transfer) => {
    const now = await store.now()
    const started = await begin(store, null, { realm: 'staff', metadata: { n: 1 }, label: 'Phone' })
    const { row } = await store.rotate(toCall(started.sid, 0))
    const ended = await begin(store, null)
    await end(store, ended.sid, null)
    const owner = { sub: randomId(), realm: 'staff' }
    const key = `attempts ${randomId()}`
    await store.endAll(owner, 'subject_revoked', { logTtl: 10, now: null, except: null, cutOff: 5000 })
    await store.countAttempt(key, 5, 1000, null)
    await store.countAttempt(key, 5, 1000, null)
    const names = [started.sid, ended.sid, hashOwner(owner), hashText(key)]
    const records = await readAll(transfer, names)
    const sessions = records.flatMap((record) => (record.kind === 'session' ? [record.row] : []))
    assertRow(sessions.find(({ sid }) => sid === started.sid) ?? null, row as SessionRow)
    strictEqual(sessions.find(({ sid }) => sid === ended.sid)?.revokeReason, 'ended')
    const [cutOff] = records.filter((record) => record.kind === 'cutOff')
    ok(cutOff !== undefined)
    ok(cutOff.at >= now - 0.001 && cutOff.until >= now + 5000, 'the cut-off is kept as long as it applies')
    strictEqual(cutOff.realm, 'staff')
    const [attempts] = records.filter((record) => record.kind === 'attempts')
    strictEqual(attempts?.count, 2)
    ok(attempts.until > now + 990 && attempts.until < now + 1100)
  },

  'writes a session as it is, and it goes on': async (store, transfer) => {
    const t = Math.floor(await store.now())
    for (const over of [{}, FULL]) {
      const row = toRow(t, over)
      strictEqual(await transfer.write([toSession(row)], { replaces: 'released', now: null }), 0)
      assertRow(await store.get(row.sid), row)
      deepStrictEqual(
        (await store.list(row, t)).map(({ sid }) => sid),
        [row.sid],
      )
      const { overlap } = LENGTHS
      const now = t + 3 * overlap
      const after = toRotated(row, 8, now)
      const idleExpiresAt = row.idleFor === null ? after.idleExpiresAt : now + row.idleFor
      await assertRotation(store, toCall(row.sid, 7, { now }), 'rotated', { ...after, idleExpiresAt })
      strictEqual(await end(store, row.sid, now), true)
      deepStrictEqual(await store.list(row, now), [])
    }
  },

  'writes a session that was revoked': async (store, transfer) => {
    const t = Math.floor(await store.now())
    const row = toRow(t, { revokedAt: t - 3, revokeReason: 'refresh_reused' })
    await transfer.write([toSession(row)], { replaces: 'released', now: null })
    assertRow(await store.get(row.sid), row)
    strictEqual((await store.rotate(toCall(row.sid, 7))).word, 'revoked')
    deepStrictEqual(await store.list(row, null), [])
  },

  'replaces no session that is its own': async (store, transfer) => {
    const t = Math.floor(await store.now())
    const row = toRow(t)
    const call = { replaces: 'released', now: null } as const
    await transfer.write([toSession(row)], call)
    for (const other of [toRow(t, { ...row, gen: 9 }), toRow(t, { ...row, scopes: ['other'] })])
      strictEqual(await transfer.write([toSession(other)], call), 1)
    assertRow(await store.get(row.sid), row)
    await end(store, row.sid, null)
    strictEqual(await transfer.write([toSession({ ...row, gen: 9 })], call), 1)
    strictEqual((await store.get(row.sid))?.revokeReason, 'ended')
  },

  'replaces older sessions, and none that is ahead': async (store, transfer) => {
    const t = Math.floor(await store.now())
    const row = toRow(t, { lastIp: '192.0.2.1', idleFor: 300 })
    const call = { replaces: 'older', now: null } as const
    await transfer.write([toSession(row)], call)
    const same = { ...row, label: 'New', lastIp: null, idleFor: null }
    strictEqual(await transfer.write([toSession(same), toSession(toRow(t))], call), 0)
    assertRow(await store.get(row.sid), same)
    const newer = { ...same, gen: 8, rotatedAt: t }
    strictEqual(await transfer.write([toSession(newer)], call), 0)
    strictEqual(await transfer.write([toSession(same)], call), 1)
    assertRow(await store.get(row.sid), newer)
    const ended = { ...newer, revokedAt: t, revokeReason: 'ended' } as const
    strictEqual(await transfer.write([toSession(ended)], call), 0)
    strictEqual(await transfer.write([toSession(newer)], call), 1)
    strictEqual((await store.get(row.sid))?.revokeReason, 'ended')
    deepStrictEqual(await store.list(row, null), [])
  },

  'releases a session: it is as it was, and no step changes it': async (store, transfer) => {
    const cursor = await toTail(store)
    const row = await begin(store, null, { realm: 'staff' })
    const [ended, unknown] = [await begin(store, null), randomId()]
    await end(store, ended.sid, null)
    for (let again = 0; again < 2; again++) {
      const released = await transfer.release([row.sid, ended.sid, unknown], null)
      strictEqual(released.length, 1)
      assertRow(released[0] ?? null, row)
    }
    deepStrictEqual((await transfer.findReleased(row, null)).length, 1)
    assertRow((await transfer.findReleased(row, null))[0] ?? null, row)
    deepStrictEqual(await transfer.findReleased({ sub: row.sub, realm: null }, null), [])
    deepStrictEqual(await store.list(row, null), [])
    strictEqual((await transfer.findReleased(row, null)).length, 1, 'a list forgets none')
    const rotation = await store.rotate(toCall(row.sid, 0))
    deepStrictEqual([rotation.word, rotation.row?.revokeReason], ['revoked', 'moved'])
    strictEqual(await end(store, row.sid, null), false)
    const up = { authTime: 1, acr: null, amr: null, notAfter: null, now: null }
    strictEqual((await store.stepUp({ sid: row.sid, ...up })).word, 'revoked')
    strictEqual(await store.update({ sid: row.sid, label: 'x', now: null }), null)
    const all = { logTtl: 900, now: null, except: null, cutOff: null }
    strictEqual(await store.endAll(row, 'ended', all), 0)
    const jti = null
    strictEqual(await store.isRevoked({ ...row, jti, iat: null, now: null }), true)
    assertRow((await transfer.release([row.sid], null))[0] ?? null, row)
    deepStrictEqual(await entriesOf(store, cursor, [row.sid]), [])
  },

  'takes back what it has released': async (store, transfer) => {
    const row = await begin(store, null)
    await transfer.release([row.sid], null)
    const call = { replaces: 'released', now: null } as const
    const after = { ...row, gen: 3, label: 'There' }
    strictEqual(await transfer.write([toSession(after)], call), 0)
    assertRow(await store.get(row.sid), after)
    deepStrictEqual(await transfer.findReleased(row, null), [])
    strictEqual((await store.list(row, null)).length, 1)
    await transfer.release([row.sid], null)
    strictEqual(await transfer.write([toSession(row)], call), 1, 'nothing older than that')
  },

  'releases a session once in parallel calls, amid refreshes': async (store, transfer) => {
    const { sid } = await begin(store, null)
    const call = toCall(sid, 0, { overlap: 0 })
    const steps = await together(20, async (i) =>
      i % 2 === 0 ? transfer.release([sid], null) : (await store.rotate(call)).word,
    )
    const words = tally(steps.filter((step) => typeof step === 'string'))
    const rows = steps.flatMap((step) => (typeof step === 'string' ? [] : step))
    // The first refresh uses the token, the second one finds that it was used.
    if (words['reused'] === undefined) {
      strictEqual(rows.length, 10)
      deepStrictEqual(new Set(rows.map(({ gen }) => gen)), new Set([words['rotated'] ?? 0]))
    }
    strictEqual((words['rotated'] ?? 0) <= 1, true)
    ok((await store.get(sid))?.revokedAt !== null)
  },

  'writes cut-offs, by the owner or by its hash': async (store, transfer) => {
    const t = Math.floor(await store.now())
    const call = { replaces: 'released', now: null } as const
    for (const isHashed of [false, true])
      for (const realm of [null, 'staff', undefined]) {
        const sub = randomId()
        const owner = { sub, realm: realm ?? null }
        const record = {
          kind: 'cutOff',
          ownerHash: hashOwner(owner),
          sub: isHashed ? null : sub,
          realm,
        } as const
        await transfer.write([{ ...record, at: t, until: t + 5000 }], call)
        await transfer.write([{ ...record, at: t - 50, until: t + 10 }], call)
        const query = { sid: null, jti: null, now: null }
        for (const other of [null, 'staff', 'customer']) {
          const applies = realm === undefined || realm === other
          const place = `${isHashed} ${realm} ${other}`
          const is = { ...query, sub, realm: other }
          strictEqual(await store.isRevoked({ ...is, iat: t }), applies, place)
          strictEqual(await store.isRevoked({ ...is, iat: t + 1 }), false, place)
          const session = toNewSession({ sub, realm: other, provedAt: t })
          strictEqual((await store.start(session, null)) === null, applies, place)
        }
        await store.endAll(owner, 'subject_revoked', { logTtl: 10, now: null, except: null, cutOff: 100 })
        strictEqual(await store.isRevoked({ ...query, ...owner, iat: t }), true)
      }
  },

  'writes counted attempts, by the key or by its hash': async (store, transfer) => {
    const t = Math.floor(await store.now())
    const call = { replaces: 'released', now: null } as const
    for (const isHashed of [false, true]) {
      const key = `attempts ${randomId()}`
      const record = { kind: 'attempts', keyHash: hashText(key), key: isHashed ? null : key } as const
      await transfer.write([{ ...record, count: 3, until: t + 1000 }], call)
      await transfer.write([{ ...record, count: 2, until: t + 100 }], call)
      const counted = await store.readAttempts(key, null)
      strictEqual(counted.count, 3)
      ok(counted.endsIn > 900 && counted.endsIn <= 1000)
      await store.forgetAttempts(key, 1, null)
      strictEqual((await store.readAttempts(key, null)).count, 2)
      strictEqual((await store.countAttempt(key, 3, 60, null)).allowed, true)
      strictEqual((await store.countAttempt(key, 3, 60, null)).allowed, false)
      await transfer.write([{ ...record, count: 7, until: t + 2000 }], call)
      strictEqual((await store.countAttempt(key, 7, 60, null)).allowed, false)
      await store.forgetAttempts(key, null, null)
      strictEqual((await store.countAttempt(key, 1, 60, null)).allowed, true)
    }
  },

  'writes entries in their order, and revokes tokens by them': async (store, transfer) => {
    const t = Math.floor(await store.now())
    const cursor = await toTail(store)
    const [sid, jti, sub] = [randomId(), randomId(), randomId()]
    const entries = [
      { kind: 'sid', key: sid, at: t - 5, until: t + 900 },
      { kind: 'jti', key: jti, at: t - 4, until: t + 900 },
      { kind: 'sub', key: sub, realm: null, at: t - 3, until: t + 900 },
      { kind: 'sub', key: sub, at: t - 2, until: t + 900 },
      { kind: 'sub', key: sub, realm: 'staff', at: t - 1, until: t + 900 },
    ] as const
    const records = entries.map((entry) => ({ kind: 'entry', entry }) as const)
    await transfer.write(records, { replaces: 'released', now: null })
    deepStrictEqual(await entriesOf(store, cursor, [sid, jti, sub]), entries)
    const query = { sid: null, sub, realm: 'other', iat: t + 100, now: null }
    strictEqual(await store.isRevoked({ ...query, jti }), true)
    strictEqual(await store.isRevoked({ ...query, jti: randomId() }), false)
  },
})
