/** Warnings about settings with which a server loses or changes data, or hangs. */
import type { Database, Run } from './database.ts'
import { createSchemaError, readVersion, SCHEMA_VERSION } from './schema.ts'
import type { SqlDialect } from './statement.ts'

type Settings = Readonly<Record<string, unknown>>

/** A setting that is worth a warning. */
interface Concern {
  readonly applies: (settings: Settings) => boolean
  readonly warning: string
}

/** The query that reads the settings, and the concerns, by dialect. */
const CONCERNS: Readonly<
  Record<SqlDialect, { readonly ask: string; readonly concerns: readonly Concern[] }>
> = {
  postgres: {
    ask: `select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commits,
      pg_is_in_recovery() as standby, current_setting('synchronous_standby_names') as standbys,
      (select count(*) from pg_stat_replication) as replicas`,
    concerns: [
      {
        applies: ({ fsync }) => fsync === 'off',
        warning: 'PostgreSQL runs with fsync off: a crash of the machine may lose revocations, or everything',
      },
      {
        applies: ({ commits }) => commits === 'off',
        warning:
          'PostgreSQL runs with synchronous_commit off: a crash may lose revocations that were acknowledged',
      },
      {
        applies: ({ standby }) => standby === true,
        warning: 'PostgreSQL is a standby: it can be read, but no session can be started or refreshed',
      },
      {
        applies: ({ standbys, replicas }) => Number(replicas) > 0 && standbys === '',
        warning:
          'PostgreSQL replicates asynchronously: a failover may lose the last logins and revocations; set synchronous_standby_names',
      },
    ],
  },
  mysql: {
    ask: `select @@global.read_only as readonly, @@sql_mode as mode, @@innodb_flush_log_at_trx_commit as flush, @@binlog_format as binlog,
      now(6) as begun, sleep(0.002) as slept, sysdate(6) <= now(6) as frozen`,
    concerns: [
      {
        applies: ({ readonly }) => Number(readonly) !== 0,
        warning:
          'MySQL is read_only: it can be read, but no session can be started or refreshed by ordinary users',
      },
      {
        applies: ({ mode }) => !/STRICT_(TRANS|ALL)_TABLES/.test(String(mode)),
        warning: 'MySQL runs with a sql_mode that is not strict: it silently cuts values that do not fit',
      },
      {
        applies: ({ mode }) => /NO_BACKSLASH_ESCAPES/.test(String(mode)),
        warning:
          'MySQL runs with NO_BACKSLASH_ESCAPES: mysql2 escapes values with backslashes, which it ignores',
      },
      {
        applies: ({ flush }) => Number(flush) !== 1,
        warning:
          'MySQL runs with innodb_flush_log_at_trx_commit other than 1: a crash may lose revocations that were acknowledged',
      },
      {
        applies: ({ binlog }) => binlog === 'STATEMENT',
        warning:
          'MySQL runs with binlog_format STATEMENT: replicas would read their own clocks; use ROW or MIXED',
      },
      {
        applies: ({ frozen }) => Number(frozen) === 1,
        warning:
          'MySQL runs with sysdate-is-now: after a wait for a lock its clock is as old as the wait is long',
      },
    ],
  },
  sqlite: {
    ask: `select (select synchronous from pragma_synchronous) as sync, (select timeout from pragma_busy_timeout) as timeout,
      (select journal_mode from pragma_journal_mode) as journal,
      (select file from pragma_database_list where name = 'main') as file`,
    concerns: [
      {
        applies: ({ sync, file }) => Number(sync) === 0 && isFile(file),
        warning:
          'SQLite runs with synchronous off: a crash of the machine may lose revocations, or everything',
      },
      {
        applies: ({ journal, file }) => /^(off|memory)$/i.test(String(journal)) && isFile(file),
        warning: 'SQLite keeps its journal in memory: a crash of the process may leave the file unreadable',
      },
      {
        applies: ({ timeout }) => Number(timeout) >= 2000,
        warning:
          'SQLite runs with a busy timeout of 2 seconds or more: while it waits, it blocks the whole process',
      },
    ],
  },
}

function isFile(file: unknown): boolean {
  return typeof file === 'string' && file !== ''
}

/**
 * Checks the schema and the server's settings.
 *
 * @returns the warnings, one sentence each
 * @throws {ConfigurationError} when the schema is older than this code, or not there
 */
export async function inspectDatabase(database: Database, run: Run): Promise<readonly string[]> {
  const version = await readVersion(database, run)
  if (version < SCHEMA_VERSION) throw createSchemaError(database.prefix, `version ${version}`)
  const { ask, concerns } = CONCERNS[database.dialect]
  const [settings = {}] = await askSettings(database, run, ask)
  return concerns.filter(({ applies }) => applies(settings)).map(({ warning }) => warning)
}

/** Hosted SQLite, such as D1, forbids pragmas: nothing is known of its settings then. */
async function askSettings(database: Database, run: Run, ask: string): Promise<readonly Settings[]> {
  try {
    return (await run(database.compile(ask))).rows
  } catch (error) {
    if (/not authorized|SQLITE_AUTH/i.test(String(Object(error).message))) return []
    throw error
  }
}
