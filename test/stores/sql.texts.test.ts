/** What collations, character sets and drivers do to texts, and what the store makes of it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SessionRow } from '../../src/session/session-row.ts'
import type { Store } from '../../src/session/store.ts'
import { HAS, openDatabase, type TestDatabase, toDraft } from './sql-databases.ts'

const LIKE_ALICE = [
  'alice',
  'Alice',
  'alice ',
  'Álice',
  'a\u0301lice',
  'alice\0',
  'alice\0x',
  'ａlice',
] as const
const ALL = { logTtl: 900, except: null, cutOff: 900, now: null } as const

describe.each(['postgres', 'mysql', 'sqlite'] as const)('texts on %s', (dialect) => {
  describe.skipIf(!HAS[dialect])('with the server', () => {
    let test: TestDatabase
    let store: Store

    beforeAll(async () => {
      test = await openDatabase(dialect)
      store = test.store
    })
    afterAll(() => test?.close())

    it('never confuses subjects', async () => {
      for (const sub of LIKE_ALICE) expect(await store.start(toDraft({ sub }), null)).toMatchObject({ sub })
      for (const sub of LIKE_ALICE)
        expect((await store.list({ sub, realm: null }, null)).map((row) => row.sub)).toEqual([sub])
      expect(await store.endAll({ sub: 'alice', realm: null }, 'subject_revoked', ALL)).toBe(1)
      for (const sub of LIKE_ALICE.slice(1)) {
        expect(await store.list({ sub, realm: null }, null)).toHaveLength(1)
        expect(await store.isRevoked({ realm: null, sid: null, jti: null, sub, iat: null, now: null })).toBe(
          false,
        )
      }
      const { entries } = await store.readLog(null, 100)
      expect(entries.filter(({ kind }) => kind === 'sub').map(({ key }) => key)).toEqual(['alice'])
    })

    it('never confuses sessions, tokens or counters', async () => {
      await store.start(toDraft({ sid: 'aB' }), null)
      await store.start(toDraft({ sid: 'Ab' }), null)
      expect(await store.end('aB', 'ended', { logTtl: 900, now: null })).toBe(true)
      expect(await store.get('Ab')).toMatchObject({ sid: 'Ab', revokedAt: null })
      await store.revokeToken('tOken', Date.now() / 1000 + 900, null)
      const isRevoked = (jti: string): Promise<boolean> =>
        store.isRevoked({ realm: null, sid: null, jti, sub: 'nobody', iat: null, now: null })
      expect([await isRevoked('tOken'), await isRevoked('token'), await isRevoked('tOken ')]).toEqual([
        true,
        false,
        false,
      ])
      await store.countAttempt('key', 1, 60, null)
      expect((await store.countAttempt('Key', 1, 60, null)).allowed).toBe(true)
    })

    it('returns every string unchanged', async () => {
      const odd = 'a\0b \u{1F600} \ud800 \udc00 "\\\' é \u2028 \u007f \r\n\t? :now {now} $1'
      const draft = toDraft({
        sub: `subject ${odd}`,
        realm: odd,
        acr: odd,
        amr: [odd, ''],
        scopes: [odd, 'a:b'],
        data: { [odd]: odd, deep: [{ number: 1.5, none: null, yes: true }], ['__proto__']: 1 },
        ip: odd,
        userAgent: odd,
      })
      const started = (await store.start(draft, null)) as SessionRow
      const { provedAt: _, idle: __, absolute: ___, ...given } = draft
      expect(started).toMatchObject(given)
      expect(await store.get(draft.sid)).toEqual(started)
      expect((await store.rotate({ ...CALL, sid: draft.sid })).row).toMatchObject(given)
      const proof = { acr: odd, amr: [odd], authTime: 5.25, notAfter: null, now: null }
      expect((await store.stepUp({ ...proof, sid: draft.sid })).row).toMatchObject({ acr: odd, amr: [odd] })
      await store.endAll({ sub: draft.sub, realm: null }, 'subject_revoked', ALL)
      const { entries } = await store.readLog(null, 1000)
      expect(entries.find(({ kind, key }) => kind === 'sub' && key === draft.sub)).toBeDefined()
      const [column] = await test.sql(
        `select sub from tokenwright_sessions where sid = '${draft.sid}' and sub like 'subject%'`,
      )
      expect(String(column?.['sub'])).toMatch(/^[\x20-\x7e]+$/)
    })

    it('cuts strings that are only for people to read, and refuses others that are too long', async () => {
      const draft = toDraft({ ip: 'i'.repeat(100), userAgent: 'é'.repeat(1000) })
      const row = await store.start(draft, null)
      expect(row).toMatchObject({ ip: 'i'.repeat(64), userAgent: 'é'.repeat(256) })
      const large = toDraft({ data: { large: 'x'.repeat(70_000) } })
      await expect(store.start(large, null)).rejects.toThrow(/data has 70012 bytes/)
      expect(await store.get(large.sid)).toBeNull()
    })

    it('refuses a second session with the same ID', async () => {
      const draft = toDraft()
      await store.start(draft, null)
      await expect(store.start(draft, null)).rejects.toThrow()
    })
  })
})

const CALL = {
  gen: 0,
  overlap: 10,
  idle: 1000,
  rotation: true,
  notAfter: null,
  now: null,
  logTtl: 900,
  seen: null,
} as const
