/**
 * SQLite inside this process. Its calls are synchronous and take microseconds, because the tables
 * are small. A call never waits for the write lock of another process, because that would block the
 * whole server. The caller tries again instead.
 */
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Dialect, SqliteDialect } from 'kysely'
import type { FileLocation } from './address.ts'
import { codeOf } from './reason.ts'

/** The part of `node:sqlite` that is used. `@photostructure/sqlite` has the same interface. */
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

/** Opens the file. Creates it if necessary, readable by its owner only. */
export async function openSqlite({ path, createFolder }: FileLocation): Promise<Dialect> {
  if (createFolder) mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  // If SQLite created the file, other users could read the password hashes. The -wal and -shm files
  // get the mode of this one.
  if (path !== ':memory:') closeSync(openSync(path, 'a', 0o600))
  const { DatabaseSync } = await loadSqlite()
  const connection = new DatabaseSync(path, { timeout: 0 })
  await useWriteAheadLog(connection)
  return new SqliteDialect({
    database: {
      close() {
        // Kysely's statements, and with them the log, stay open until they are garbage-collected.
        // The checkpoint empties the log, so that the one file holds everything and can be copied.
        // Waiting is harmless now, because no request is left.
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

/** Node's own SQLite (since 22.13), or the package with the same interface. */
async function loadSqlite(): Promise<SqliteModule> {
  const own = process.getBuiltinModule?.('node:sqlite') as unknown as SqliteModule | undefined
  return own ?? (await import('@photostructure/sqlite'))
}

/**
 * Lets readers and a writer work side by side. Switching fails with SQLITE_BUSY when another server
 * creates the same database at the same moment, hence the retries.
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
