/**
 * SQLite, inside this process: its calls are synchronous and take microseconds, since the tables
 * are small. It never waits for another process's write: that would stop everything here. Whoever
 * asks tries again.
 */
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Dialect, SqliteDialect } from 'kysely'
import type { FileLocation } from './address.ts'
import { codeOf } from './reason.ts'

/** The part of `node:sqlite` that is used; `@photostructure/sqlite` has the same face. */
interface SqliteModule {
  readonly DatabaseSync: new (path: string, options: { timeout: number }) => SqliteConnection
}

interface SqliteConnection {
  exec(sql: string): void
  close(): void
  prepare(sql: string): {
    columns(): readonly unknown[]
    all(...parameters: unknown[]): unknown[]
    run(...parameters: unknown[]): { changes: number | bigint; lastInsertRowid: number | bigint }
    iterate(...parameters: unknown[]): IterableIterator<unknown>
  }
}

/** Opens the file, made if need be, for its owner only. */
export async function openSqlite({ path, createFolder }: FileLocation): Promise<Dialect> {
  if (createFolder) mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  // Made here and not by SQLite, which would let others read the password hashes. Its -wal and -shm
  // files take over the mode.
  if (path !== ':memory:') closeSync(openSync(path, 'a', 0o600))
  const { DatabaseSync } = await loadSqlite()
  const connection = new DatabaseSync(path, { timeout: 0 })
  await useWriteAheadLog(connection)
  return new SqliteDialect({
    database: {
      close() {
        // Kysely's statements stay open until they are collected, and so does the log: after this
        // it is empty, and the one file holds everything, for whoever copies it. Nobody waits for
        // this process any more.
        connection.exec('PRAGMA busy_timeout = 1000; PRAGMA wal_checkpoint(TRUNCATE)')
        connection.close()
      },
      prepare(sql) {
        const statement = connection.prepare(sql)
        return {
          reader: statement.columns().length > 0,
          all: (parameters) => statement.all(...parameters),
          run: (parameters) => statement.run(...parameters),
          iterate: (parameters) => statement.iterate(...parameters),
        }
      },
    },
  })
}

/** Node's own SQLite where there is one (22.13 and later), else the package with the same face. */
async function loadSqlite(): Promise<SqliteModule> {
  const own = process.getBuiltinModule?.('node:sqlite') as unknown as SqliteModule | undefined
  return own ?? (await import('@photostructure/sqlite'))
}

/**
 * Lets readers and a writer work side by side. The switch ends with SQLITE_BUSY at once when two
 * servers make the same database at the same moment: hence the retries.
 */
async function useWriteAheadLog(connection: SqliteConnection): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      connection.exec('PRAGMA journal_mode = WAL')
      return
    } catch (error) {
      if (codeOf(error) !== 'SQLITE_BUSY' || attempt === 50) {
        connection.close()
        throw error
      }
      await sleep(10 + 10 * Math.random())
    }
  }
}
