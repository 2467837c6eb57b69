/** Store suite: ending sessions, revoking subjects and tokens, and the strict check. */
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import type { LogEntry, RevocationQuery, RevokeReason } from 'tokenwright/stores/contract'
import {
  assertRow,
  assertTime,
  begin,
  type Cases,
  end,
  entriesOf,
  LENGTHS,
  randomId,
  together,
  toNewSession,
  toRevoked,
  toTail,
} from './fixtures.ts'

const { idle, absolute, logTtl } = LENGTHS
const ALL = { logTtl, except: null, cutOff: null } as const

function assertEntry(entry: LogEntry | undefined, wanted: LogEntry): void {
  deepStrictEqual([entry?.kind, entry?.key], [wanted.kind, wanted.key])
  assertTime(entry?.at ?? null, wanted.at, 'when it was revoked')
  assertTime(entry?.until ?? null, wanted.until, 'how long the entry is needed')
}

/** What `end`, `endAll` and `revokeToken` write. */
export const REVOCATIONS: Cases = {
  'ends a session for each reason, with an entry in the log': async (store, t) => {
    for (const reason of [
      'refresh_reused',
      'ended',
      'subject_revoked',
      'rights_withdrawn',
    ] satisfies RevokeReason[]) {
      const since = await toTail(store)
      const row = await begin(store, t)
      strictEqual(await store.end(row.sid, reason, { logTtl, now: t + 1 }), true)
      assertRow(await store.get(row.sid), toRevoked(row, reason, t + 1))
      const entries = await entriesOf(store, since, [row.sid])
      strictEqual(entries.length, 1)
      assertEntry(entries[0], { kind: 'sid', key: row.sid, at: t + 1, until: t + 1 + logTtl })
    }
  },

  'ends a session once, and writes nothing for a second call': async (store, t) => {
    const row = await begin(store, t)
    await end(store, row.sid, t + 1)
    const since = await toTail(store)
    strictEqual(await store.end(row.sid, 'subject_revoked', { logTtl, now: t + 2 }), false)
    strictEqual(
      await store.endAll({ sub: row.sub, realm: null }, 'subject_revoked', { ...ALL, now: t + 3 }),
      0,
    )
    assertRow(await store.get(row.sid), toRevoked(row, 'ended', t + 1))
    deepStrictEqual(await entriesOf(store, since, [row.sid]), [])
  },

  'says that an expired session was not active': async (store, t) => {
    const row = await begin(store, t)
    strictEqual(await end(store, row.sid, t + idle), false)
  },

  'writes an entry for a session without a row, because its access tokens may be valid': async (store, t) => {
    const since = await toTail(store)
    const sid = randomId()
    strictEqual(await end(store, sid, t), false)
    const entries = await entriesOf(store, since, [sid])
    strictEqual(entries.length, 1)
    assertEntry(entries[0], { kind: 'sid', key: sid, at: t, until: t + logTtl })
  },

  'ends all active sessions of one subject except the given one': async (store, t) => {
    const since = await toTail(store)
    const sub = randomId()
    const [spared, first, second] = [
      await begin(store, t, { sub }),
      await begin(store, t, { sub }),
      await begin(store, t, { sub }),
    ]
    const ended = await begin(store, t, { sub })
    await end(store, ended.sid, t)
    await begin(store, t, { sub, idle: 1 })
    const stranger = await begin(store, t)
    const call = { ...ALL, except: spared.sid, now: t + 2 }
    strictEqual(await store.endAll({ sub, realm: null }, 'subject_revoked', call), 2)
    assertRow(await store.get(spared.sid), spared)
    assertRow(await store.get(stranger.sid), stranger)
    for (const row of [first, second])
      assertRow(await store.get(row.sid), toRevoked(row, 'subject_revoked', t + 2))
    const entries = await entriesOf(store, since, [first.sid, second.sid, spared.sid, stranger.sid, sub])
    deepStrictEqual(entries.map(({ key }) => key).toSorted(), [first.sid, second.sid].toSorted())
    for (const { kind, at, until } of entries)
      assertEntry({ kind, key: '', at, until }, { kind: 'sid', key: '', at: t + 2, until: t + 2 + logTtl })
    ok(
      await store.start(toNewSession({ sub, provedAt: t }), t + 3),
      'without a cut-off, an older proof is accepted',
    )
  },

  'ends more sessions of a subject than a list can have': async (store, t) => {
    const sub = randomId()
    for (let i = 0; i < 15; i++) await together(70, () => begin(store, t, { sub }))
    strictEqual(await store.endAll({ sub, realm: null }, 'subject_revoked', { ...ALL, now: t + 1 }), 1050)
    deepStrictEqual(await store.list({ sub, realm: null }, t + 1), [])
  },

  'stores a cut-off with an entry, even for a subject without sessions': async (store, t) => {
    const since = await toTail(store)
    const sub = randomId()
    strictEqual(
      await store.endAll({ sub, realm: null }, 'subject_revoked', { ...ALL, cutOff: logTtl, now: t }),
      0,
    )
    const entries = await entriesOf(store, since, [sub])
    strictEqual(entries.length, 1)
    deepStrictEqual([entries[0]?.kind, entries[0]?.key], ['sub', sub])
    assertTime(entries[0]?.at ?? null, t, 'the cut-off')
    ok(
      (entries[0]?.until ?? 0) >= t + logTtl - 0.001,
      'the entry lasts longer than the tokens that it revokes',
    )
  },

  'never moves a cut-off back': async (store, t) => {
    const sub = randomId()
    await store.endAll({ sub, realm: null }, 'subject_revoked', { ...ALL, cutOff: 1000, now: t + 10 })
    await store.endAll({ sub, realm: null }, 'subject_revoked', { ...ALL, cutOff: 1000, now: t + 5 })
    await store.endAll({ sub, realm: null }, 'subject_revoked', { ...ALL, now: t + 20 })
    strictEqual(await store.start(toNewSession({ sub, provedAt: t + 10 }), t + 30), null)
    ok(await store.start(toNewSession({ sub, provedAt: t + 10.001 }), t + 30))
  },

  'revokes a token by its ID, with an entry, and changes nothing for a second call': async (store, t) => {
    const since = await toTail(store)
    const jti = randomId()
    await store.revokeToken(jti, t + logTtl, t)
    await store.revokeToken(jti, t + logTtl, t + 1)
    const entries = await entriesOf(store, since, [jti])
    ok(entries.length >= 1)
    assertEntry(entries[0], { kind: 'jti', key: jti, at: t, until: t + logTtl })
    strictEqual(
      await store.isRevoked({ realm: null, sid: null, jti, sub: randomId(), iat: t, now: t + 2 }),
      true,
    )
  },
}

/** A query for an unknown token. */
function toQuery(over: Partial<RevocationQuery>): RevocationQuery {
  return { sid: null, jti: null, sub: randomId(), realm: null, iat: null, now: null, ...over }
}

/** What `isRevoked` returns. */
export const STRICT_CHECKS: Cases = {
  'accepts a token without any revocation': async (store, t) => {
    const { sid, sub } = await begin(store, t)
    strictEqual(await store.isRevoked(toQuery({ now: t })), false)
    strictEqual(await store.isRevoked(toQuery({ sid, sub, jti: randomId(), iat: t, now: t })), false)
  },

  'refuses a token whose session was ended, does not exist or has expired': async (store, t) => {
    const ended = await begin(store, t)
    await end(store, ended.sid, t)
    strictEqual(await store.isRevoked(toQuery({ sid: ended.sid, sub: ended.sub, now: t })), true)
    strictEqual(await store.isRevoked(toQuery({ sid: randomId(), now: t })), true)
    const { sid, sub } = await begin(store, t, { idle: absolute })
    strictEqual(await store.isRevoked(toQuery({ sid, sub, now: t + absolute - 0.001 })), false)
    strictEqual(await store.isRevoked(toQuery({ sid, sub, now: t + absolute })), true)
  },

  'refuses a revoked token, with an active session and without one': async (store, t) => {
    const { sid, sub } = await begin(store, t)
    const jti = randomId()
    await store.revokeToken(jti, t + 100, t)
    strictEqual(await store.isRevoked(toQuery({ jti, now: t })), true)
    strictEqual(await store.isRevoked(toQuery({ jti, sid, sub, iat: t, now: t })), true)
    strictEqual(await store.isRevoked(toQuery({ jti: `${jti} `, now: t })), false)
    strictEqual(await store.isRevoked(toQuery({ sid, sub, now: t })), false)
  },

  'refuses a token without a session that was issued before the cut-off': async (store, t) => {
    const sub = randomId()
    await store.endAll({ sub, realm: null }, 'subject_revoked', { ...ALL, cutOff: 1000, now: t })
    for (const [iat, wanted] of [
      [t - 500, true],
      [t, true],
      [t + 0.001, false],
      [t + 1, false],
      [null, true],
    ] as const) {
      strictEqual(await store.isRevoked(toQuery({ sub, iat, now: t + 2 })), wanted, `issued at ${iat}`)
    }
    strictEqual(await store.isRevoked(toQuery({ iat: t - 500, now: t + 2 })), false, 'another subject')
  },

  'checks a token with a session by that session, and not by the cut-off': async (store, t) => {
    const { sid, sub } = await begin(store, t)
    await store.endAll({ sub, realm: null }, 'subject_revoked', {
      ...ALL,
      except: sid,
      cutOff: 1000,
      now: t + 1,
    })
    for (const iat of [t, null]) {
      strictEqual(await store.isRevoked(toQuery({ sid, sub, iat, now: t + 2 })), false)
    }
  },

  'refuses no token without a session if no cut-off was requested': async (store, t) => {
    const { sub } = await begin(store, t)
    await store.endAll({ sub, realm: null }, 'subject_revoked', { ...ALL, now: t })
    strictEqual(await store.isRevoked(toQuery({ sub, iat: t - 1, now: t })), false)
  },
}
