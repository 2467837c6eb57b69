import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { DatabaseLocation } from '../../server/address.ts'
import { openDatabase } from '../../server/database.ts'
import { ConfigurationError } from '../../src/index.ts'
import { runAtOnce, temporaryFolder } from './process.ts'

const at = (path: string, createFolder = false): DatabaseLocation => ({ kind: 'sqlite', path, createFolder })

async function open(location: DatabaseLocation) {
  const database = await openDatabase(location)
  onTestFinished(() => database.destroy())
  return database
}

const row = (username: string) => ({ username, password_hash: 'hash', scopes: '[]' })

describe('openDatabase', () => {
  it('keeps data after it is closed and opened again', async () => {
    const path = join(temporaryFolder(), 'x.db')
    const first = await openDatabase(at(path))
    const [{ numInsertedOrUpdatedRows } = {}] = await first
      .insertInto('users')
      .values([row('a'), row('b')])
      .execute()
    expect(numInsertedOrUpdatedRows).toBe(2n)
    await first.destroy()
    const second = await open(at(path))
    expect(await second.selectFrom('users').selectAll().orderBy('username').execute()).toEqual([
      row('a'),
      row('b'),
    ])
  })

  it('distinguishes names by case, accents and spaces', async () => {
    const database = await open(at(':memory:'))
    const names = ['alice', 'Alice', 'álice', 'alice ']
    await database.insertInto('users').values(names.map(row)).execute()
    for (const name of names) {
      expect(await database.selectFrom('users').selectAll().where('username', '=', name).execute()).toEqual([
        row(name),
      ])
    }
  })

  it('creates files that other users cannot read', async () => {
    const folder = join(temporaryFolder(), '.data')
    const path = join(folder, 'x.db')
    const database = await open(at(path, true))
    await database.insertInto('users').values(row('a')).execute()
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    for (const file of [path, `${path}-wal`, `${path}-shm`]) expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  it('is created once by processes that open it at the same moment', async () => {
    const cwd = temporaryFolder()
    // All processes start together and keep a common rhythm. A collision lasts a fraction of a
    // millisecond, and not every round has one.
    const rounds = 30
    const script = `
      const { openDatabase } = await import(process.argv[1])
      const sql = process.argv[1].replace('server/dist/database', 'dist/esm/stores/sql')
      const { retryTransient } = await import(sql)
      for (let round = 0; round < ${rounds}; round++) {
        while (Date.now() < ${Date.now() + 2500} + 40 * round);
        const location = { kind: 'sqlite', path: round + '.db', createFolder: false }
        const database = await openDatabase(location)
        const row = { username: String(process.pid), password_hash: '', scopes: '' }
        await retryTransient(() => database.insertInto('users').values(row).execute(), 5)
        await database.destroy()
      }
      console.log('done')`
    expect(await runAtOnce(6, script, 'database', cwd)).toEqual(Array(6).fill('done\n'))
    for (let round = 0; round < rounds; round++) {
      const database = await open(at(join(cwd, `${round}.db`)))
      expect(await database.selectFrom('users').selectAll().execute()).toHaveLength(6)
    }
  }, 30_000)

  it('says in one line why it cannot be opened', async () => {
    const folder = temporaryFolder()
    const junk = join(folder, 'junk.db')
    writeFileSync(junk, 'no database '.repeat(500))
    const cases: [string, string][] = [
      [join(folder, 'none/x.db'), 'its folder does not exist'],
      [folder, 'it is a folder'],
      [join(junk, 'x.db'), 'its folder is a file'],
      [junk, 'it is not an SQLite database'],
    ]
    for (const [path, reason] of cases) {
      const error = await openDatabase(at(path)).catch((error: unknown) => error)
      expect(error).toBeInstanceOf(ConfigurationError)
      expect((error as Error).message).toBe(`the database ${path} cannot be used: ${reason}`)
    }
    expect(readFileSync(junk, 'utf8')).toBe('no database '.repeat(500))
  })
})
