/** The tables of the account on each kind of database that the server takes. */
import { TOTP } from 'otpauth'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { DatabaseLocation } from '../../server/address.ts'
import { openDatabase } from '../../server/database.ts'
import { openPasskeyTable } from '../../server/passkey-table.ts'
import { createRunQuery } from '../../server/queries.ts'
import { createSecondFactors } from '../../server/second-factor.ts'
import { HAS, openDatabase as prepareDatabase } from '../stores/sql-databases.ts'

const NOW = 1_800_000_000
/** As long as both may be: 1023 bytes, and 320 characters of four bytes. */
const LONGEST_ID = 'Ab-_'.repeat(341)
const LONGEST_NAME = '😀'.repeat(160) + 'ü'.repeat(160)

const DIALECTS = (['sqlite', 'postgres', 'mysql'] as const).filter((dialect) => HAS[dialect])

async function open(dialect: (typeof DIALECTS)[number]) {
  const prepared = await prepareDatabase(dialect, false)
  onTestFinished(() => prepared.close())
  const options = encodeURIComponent(`-c search_path=${prepared.path}`)
  const locations: Readonly<Record<typeof dialect, DatabaseLocation>> = {
    sqlite: { kind: 'sqlite', path: prepared.path, createFolder: false },
    postgres: { kind: 'postgres', url: `postgres://root@127.0.0.1:5432/test?options=${options}`, shown: '' },
    mysql: { kind: 'mysql', url: `mysql://root@127.0.0.1:3306/${prepared.path}`, shown: '' },
  }
  // Several servers start at once.
  const [database, ...others] = await Promise.all(
    Array.from({ length: 8 }, () => openDatabase(locations[dialect])),
  )
  onTestFinished(() => Promise.all([database, ...others].map((one) => one?.destroy())).then(() => undefined))
  return database as NonNullable<typeof database>
}

describe.each(DIALECTS)('on %s', (dialect) => {
  it('a passkey is found by its exact ID, used, and removed by its user only', async () => {
    const table = openPasskeyTable(await open(dialect), createRunQuery())
    const row = {
      id: LONGEST_ID,
      username: LONGEST_NAME,
      public_key: 'x'.repeat(2000),
      counter: 4_294_967_295,
      user_agent: 'u'.repeat(256),
      created_at: NOW,
      last_used_at: NOW,
    }
    await table.insert(row)
    await table.insert({ ...row, id: LONGEST_ID.toLowerCase() })
    const found = await table.find(LONGEST_ID)
    expect(found).toMatchObject({ id: LONGEST_ID, username: LONGEST_NAME })
    expect(Number(found?.counter)).toBe(row.counter)
    expect(await table.find(`${LONGEST_ID} `)).toBeUndefined()
    expect(await table.findAll(LONGEST_NAME)).toHaveLength(2)
    // A second use in the same second by an authenticator that does not count.
    for (let use = 0; use < 2; use++)
      expect(await table.use(LONGEST_ID, { counter: 0, last_used_at: NOW + 1 })).toBe(true)
    expect(await table.remove('other', LONGEST_ID)).toBe(false)
    expect(await table.remove(LONGEST_NAME, LONGEST_ID)).toBe(true)
    expect(await table.use(LONGEST_ID, { counter: 0, last_used_at: NOW })).toBe(false)
  })

  it('each code of a second factor is used once, however many requests come at once', async () => {
    const database = await open(dialect)
    const factors = createSecondFactors({ database, run: createRunQuery(), now: () => NOW })
    await factors.begin('test')
    const { secret } = await factors.begin('test')
    const codeOf = (period: number) =>
      new TOTP({ secret }).generate({ timestamp: (NOW + 30 * period) * 1000 })
    const recovery = await factors.confirm('test', codeOf(0))
    expect(await factors.use('test', codeOf(0))).toBeNull()
    for (const code of [codeOf(1), recovery[0]]) {
      const uses = await Promise.all(Array.from({ length: 8 }, () => factors.use('test', code)))
      expect(uses.filter((amr) => amr !== null)).toHaveLength(1)
    }
    expect(await factors.stateOf('test')).toEqual({ on: true, recovery_codes: 7 })
    expect(await factors.remove('test')).toBe(true)
    expect(await factors.use('test', recovery[1])).toBeNull()
    expect(await factors.stateOf('test')).toEqual({ on: false, recovery_codes: 0 })
  })
})
