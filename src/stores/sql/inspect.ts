/** Warnings about settings with which a server loses or changes data, or hangs. */
import type { StoreWarning } from '../../session/store.ts'
import type { Database, Run } from './database.ts'
import { createSchemaError, readVersion, SCHEMA_VERSION } from './schema.ts'
import type { SqlDialect } from './statement.ts'

type Settings = Readonly<Record<string, unknown>>

/** A setting that is worth a warning. */
interface Concern extends StoreWarning {
  readonly applies: (settings: Settings) => boolean
}

/** How long MySQL may wait for its replicas before it goes on without, in milliseconds. */
const LONG_WAIT = 3_600_000

/** What MySQL and MariaDB may lose with their replicas, and with the other nodes of Galera. */
const MYSQL_REPLICATION: readonly Concern[] = [
  {
    applies: (settings) => countReplicas(settings) > 0 && !isSemiSynchronous(settings) && !isGalera(settings),
    code: 'replication-async',
    warning:
      'MySQL replicates asynchronously: a failover may lose the last logins and revocations; use semi-synchronous replication or Galera',
  },
  {
    applies: (settings) => isSemiSynchronous(settings) && readReplicaWait(settings) < LONG_WAIT,
    code: 'replication-degrades',
    warning:
      'MySQL replicates semi-synchronously, but goes on without its replicas after rpl_semi_sync_master_timeout (rpl_semi_sync_source_timeout): a failover may then lose the last logins and revocations',
  },
  {
    applies: (settings) =>
      isGalera(settings) &&
      /pc\.ignore_(sb|quorum) = (true|yes|on|1)/i.test(String(settings['wsrep_provider_options'])),
    code: 'galera-split',
    warning:
      'Galera runs with pc.ignore_sb or pc.ignore_quorum: nodes that are cut off from the others go on taking logins and revocations, which are lost when they come back',
  },
  {
    applies: (settings) => isGalera(settings) && settings['wsrep_dirty_reads'] === 'ON',
    code: 'galera-dirty-reads',
    warning:
      'Galera runs with wsrep_dirty_reads: a node that is cut off from the others does not know of their revocations, and goes on reading',
  },
  {
    // MariaDB is asked to wait by each statement (`causal.ts`).
    applies: (settings) =>
      isGalera(settings) &&
      !/mariadb/i.test(String(settings['version'])) &&
      Number(settings['wsrep_sync_wait']) < 7,
    code: 'galera-old-reads',
    warning:
      'Galera runs with wsrep_sync_wait below 7: a node shows the sessions and revocations from before what another node has acknowledged; set 7, or let all connections use one node',
  },
]

function countReplicas(settings: Settings): number {
  return Number(settings['slaves_connected'] ?? settings['rpl_semi_sync_source_clients'] ?? 0)
}

function isSemiSynchronous(settings: Settings): boolean {
  return [settings['rpl_semi_sync_master_status'], settings['rpl_semi_sync_source_status']].includes('ON')
}

function readReplicaWait(settings: Settings): number {
  return Number(settings['rpl_semi_sync_source_timeout'] ?? settings['rpl_semi_sync_master_timeout'])
}

function isGalera(settings: Settings): boolean {
  return settings['wsrep_on'] === 'ON'
}

/** What is asked of a server, and what is worth a warning. */
interface Inspection {
  /** The query that reads the settings. */
  readonly ask: string
  /** Statements whose rows are a name and a value each. */
  readonly show: readonly string[]
  readonly concerns: readonly Concern[]
}

const INSPECTIONS: Readonly<Record<SqlDialect, Inspection>> = {
  postgres: {
    ask: `select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commits,
      pg_is_in_recovery() as standby, current_setting('synchronous_standby_names') as standbys,
      (select count(*) from pg_stat_replication) as replicas`,
    show: [],
    concerns: [
      {
        applies: ({ fsync }) => fsync === 'off',
        code: 'postgres-fsync',
        warning: 'PostgreSQL runs with fsync off: a crash of the machine may lose revocations, or everything',
      },
      {
        applies: ({ commits }) => commits === 'off',
        code: 'postgres-synchronous-commit',
        warning:
          'PostgreSQL runs with synchronous_commit off: a crash may lose revocations that were acknowledged',
      },
      {
        applies: ({ standby }) => standby === true,
        code: 'store-read-only',
        warning: 'PostgreSQL is a standby: it can be read, but no session can be started or refreshed',
      },
      {
        applies: ({ standbys, replicas }) => Number(replicas) > 0 && standbys === '',
        code: 'replication-async',
        warning:
          'PostgreSQL replicates asynchronously: a failover may lose the last logins and revocations; set synchronous_standby_names',
      },
      {
        applies: ({ standbys, commits }) => standbys !== '' && commits === 'local',
        code: 'replication-local',
        warning:
          'PostgreSQL runs with synchronous_commit local: commits do not wait for the synchronous standby, and a failover may lose the last logins and revocations',
      },
    ],
  },
  mysql: {
    ask: `select @@global.read_only as readonly, @@sql_mode as mode, @@innodb_flush_log_at_trx_commit as flush, @@binlog_format as binlog,
      now(6) as begun, sleep(0.002) as slept, sysdate(6) <= now(6) as frozen, version() as version`,
    show: [
      `show global status where variable_name in ('Slaves_connected', 'Rpl_semi_sync_master_status',
        'Rpl_semi_sync_source_status', 'Rpl_semi_sync_source_clients')`,
      `show global variables where variable_name in ('wsrep_on', 'wsrep_sync_wait', 'wsrep_dirty_reads',
        'wsrep_provider_options', 'rpl_semi_sync_master_timeout', 'rpl_semi_sync_source_timeout')`,
    ],
    concerns: [
      ...MYSQL_REPLICATION,
      {
        applies: ({ readonly }) => Number(readonly) !== 0,
        code: 'store-read-only',
        warning:
          'MySQL is read_only: it can be read, but no session can be started or refreshed by ordinary users',
      },
      {
        applies: ({ mode }) => !/STRICT_(TRANS|ALL)_TABLES/.test(String(mode)),
        code: 'mysql-not-strict',
        warning: 'MySQL runs with a sql_mode that is not strict: it silently cuts values that do not fit',
      },
      {
        applies: ({ mode }) => /NO_BACKSLASH_ESCAPES/.test(String(mode)),
        code: 'mysql-backslashes',
        warning:
          'MySQL runs with NO_BACKSLASH_ESCAPES: mysql2 escapes values with backslashes, which it ignores',
      },
      {
        applies: ({ flush }) => Number(flush) !== 1,
        code: 'mysql-flush',
        warning:
          'MySQL runs with innodb_flush_log_at_trx_commit other than 1: a crash may lose revocations that were acknowledged',
      },
      {
        applies: ({ binlog }) => binlog === 'STATEMENT',
        code: 'mysql-binlog',
        warning:
          'MySQL runs with binlog_format STATEMENT: replicas would read their own clocks; use ROW or MIXED',
      },
      {
        applies: ({ frozen }) => Number(frozen) === 1,
        code: 'mysql-frozen-clock',
        warning:
          'MySQL runs with sysdate-is-now: after a wait for a lock its clock is as old as the wait is long',
      },
    ],
  },
  sqlite: {
    ask: `select (select synchronous from pragma_synchronous) as sync, (select timeout from pragma_busy_timeout) as timeout,
      (select journal_mode from pragma_journal_mode) as journal,
      (select file from pragma_database_list where name = 'main') as file`,
    show: [],
    concerns: [
      {
        applies: ({ sync, file }) => Number(sync) === 0 && isFile(file),
        code: 'sqlite-synchronous',
        warning:
          'SQLite runs with synchronous off: a crash of the machine may lose revocations, or everything',
      },
      {
        applies: ({ journal, file }) => /^(off|memory)$/i.test(String(journal)) && isFile(file),
        code: 'sqlite-journal',
        warning: 'SQLite keeps its journal in memory: a crash of the process may leave the file unreadable',
      },
      {
        applies: ({ timeout }) => Number(timeout) >= 2000,
        code: 'sqlite-busy-timeout',
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
  return (await findConcerns(database, run)).map(({ warning }) => warning)
}

/** Which of the server's settings are worth a warning. */
export async function findConcerns(database: Database, run: Run): Promise<readonly StoreWarning[]> {
  const { ask, show, concerns } = INSPECTIONS[database.dialect]
  const [asked = {}] = await askSettings(database, run, ask)
  const shown: [string, unknown][] = []
  for (const text of show) {
    const { rows } = await run(database.compile(text))
    for (const { Variable_name: name, Value: value } of rows) shown.push([String(name).toLowerCase(), value])
  }
  const settings = { ...asked, ...Object.fromEntries(shown) }
  return concerns.flatMap(({ applies, code, warning }) => (applies(settings) ? [{ code, warning }] : []))
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
