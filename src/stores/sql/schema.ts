/**
 * The tables, and the statements that create them. Columns are only `varchar`, `bigint` and `text`,
 * which mean the same in every dialect. The numbers of the log come from a counter row and not from
 * a sequence, whose order is not the order of commits: a follower would miss entries.
 */
import { ConfigurationError } from '../../internal/configuration-error.ts'
import type { Database, Run } from './database.ts'
import { isDriverError } from './driver-error.ts'
import type { Statement } from './statement.ts'

/** The context in which a schema step compiles its statements. */
export type SchemaContext = Pick<Database, 'compile' | 'dialect' | 'prefix'>

/** The version that this code needs; each migration raises the version by one. */
export const SCHEMA_VERSION = 3

/** A table: its columns in SQL, and those with an index. */
interface Table {
  readonly table: string
  readonly columns: readonly string[]
  readonly indexes: readonly string[]
}

const COUNTERS: Table = {
  table: 'counters',
  columns: ['name varchar(16) not null primary key', 'n bigint not null'],
  indexes: [],
}

const TABLES: readonly Table[] = [
  {
    table: 'sessions',
    columns: [
      'sid_key varchar(64) not null primary key',
      'sub_key varchar(64) not null',
      'sid text not null',
      'sub text not null',
      'realm text',
      'gen bigint not null',
      'rotated_at bigint not null',
      'auth_at bigint',
      'acr text',
      'amr text',
      'scopes text not null',
      'data text not null',
      'created_at bigint not null',
      'last_used_at bigint not null',
      'idle_expires_at bigint not null',
      'absolute_expires_at bigint not null',
      'revoked_at bigint',
      'revoke_reason varchar(32)',
      'ip text',
      'user_agent text',
    ],
    // None on a column that a rotation changes: PostgreSQL then updates no index (HOT).
    indexes: ['sub_key', 'absolute_expires_at'],
  },
  {
    table: 'subjects',
    columns: [
      'sub_key varchar(64) not null primary key',
      'version bigint not null',
      'cut_off_at bigint',
      'until_at bigint not null',
    ],
    indexes: ['until_at'],
  },
  {
    table: 'log',
    columns: [
      'id bigint not null primary key',
      'kind varchar(3) not null',
      'key_hash varchar(64) not null',
      'entry_key text not null',
      'revoked_at bigint not null',
      'until_at bigint not null',
    ],
    indexes: ['key_hash', 'until_at'],
  },
  {
    table: 'attempts',
    columns: [
      'attempt_key varchar(64) not null primary key',
      'n bigint not null',
      'until_at bigint not null',
    ],
    indexes: ['until_at'],
  },
]

/** MySQL has no `create index if not exists`: its indexes are part of the table. */
function createTable(
  { compile, dialect, prefix }: SchemaContext,
  { table, columns, indexes }: Table,
): Statement[] {
  if (dialect === 'mysql') {
    const keys = indexes.map((column) => `key ${prefix}${table}_${column} (${column})`)
    const body = [...columns, ...keys].join(', ')
    return [
      compile(
        `create table if not exists {${table}} (${body}) engine = InnoDB default character set ascii collate ascii_bin`,
      ),
    ]
  }
  return [
    compile(`create table if not exists {${table}} (${columns.join(', ')})`),
    ...indexes.map((column) =>
      compile(
        // SQLite takes the schema with the index's name, PostgreSQL with the table's.
        dialect === 'sqlite'
          ? `create index if not exists {schema}${prefix}${table}_${column} on ${prefix}${table} (${column})`
          : `create index if not exists ${prefix}${table}_${column} on {${table}} (${column})`,
      ),
    ),
  ]
}

function insertCounter({ compile, dialect }: SchemaContext, name: string): Statement {
  return compile(
    dialect === 'mysql'
      ? `insert ignore into {counters} (name, n) values ('${name}', 0)`
      : `insert into {counters} (name, n) values ('${name}', 0) on conflict (name) do nothing`,
  )
}

/**
 * The columns of version 2. Processes of version 1 need not write them, so both can run together.
 */
const REALM_COLUMNS = [
  ['sessions', 'late bigint not null default 0'],
  ['sessions', 'late_before bigint not null default 0'],
  ['subjects', 'realm text'],
  ['log', 'realm text'],
] as const

/**
 * The columns of version 3. Processes of earlier versions need not write them: a session of theirs
 * is remembered, and has no details.
 */
const DETAIL_COLUMNS = [
  ['sessions', 'brief bigint not null default 0'],
  ['sessions', 'idle_for bigint'],
  ['sessions', 'metadata text'],
  ['sessions', 'label text'],
  ['sessions', 'last_ip text'],
  ['sessions', 'last_user_agent text'],
] as const

/**
 * "If not exists", where a dialect has it. Only MariaDB reads the comment. MySQL and SQLite lack
 * it: `isDuplicate` recognizes their failure.
 */
const IF_NOT_EXISTS = { postgres: 'if not exists ', mysql: '/*M! if not exists */ ', sqlite: '' } as const

function addColumn({ compile, dialect }: SchemaContext, table: string, column: string): Statement {
  return compile(`alter table {${table}} add column ${IF_NOT_EXISTS[dialect]}${column}`)
}

/** Whether a failure says that a column exists already. */
export function isDuplicate(error: unknown): boolean {
  return isDriverError(
    error,
    ({ code, message }) => code === 'ER_DUP_FIELDNAME' || /duplicate column name/i.test(String(message)),
  )
}

/** One step of the schema. */
export interface SchemaStep {
  /** Its name, for migration tools. */
  readonly name: string
  /** The version of the schema after it. */
  readonly version: number
  /** The statements. A second run changes nothing. */
  up(context: SchemaContext): readonly Statement[]
  /** The statements that revert it. */
  down(context: SchemaContext): readonly Statement[]
}

/** A step that adds columns to tables of the step before. */
function toColumnStep(
  name: string,
  version: number,
  columns: readonly (readonly [table: string, column: string])[],
): SchemaStep {
  return {
    name,
    version,
    up: (context) => [
      ...columns.map(([table, column]) => addColumn(context, table, column)),
      context.compile(`update {counters} set n = ${version} where name = 'schema' and n < ${version}`),
    ],
    down: ({ compile }) => [
      ...columns.map(([table, column]) =>
        compile(`alter table {${table}} drop column ${column.split(' ')[0]}`),
      ),
      compile(`update {counters} set n = ${version - 1} where name = 'schema' and n = ${version}`),
    ],
  }
}

/** The steps, oldest first. A step that was released is never changed. */
export const SCHEMA_STEPS: readonly SchemaStep[] = [
  {
    name: 'tokenwright_0001_sessions',
    version: 1,
    up: (context) => [
      ...[COUNTERS, ...TABLES].flatMap((table) => createTable(context, table)),
      insertCounter(context, 'log'),
      insertCounter(context, 'schema'),
      context.compile("update {counters} set n = 1 where name = 'schema' and n < 1"),
    ],
    down: ({ compile }) =>
      [...TABLES, COUNTERS].map(({ table }) => compile(`drop table if exists {${table}}`)),
  },
  toColumnStep('tokenwright_0002_realms', 2, REALM_COLUMNS),
  toColumnStep('tokenwright_0003_session_details', 3, DETAIL_COLUMNS),
]

/** Drivers' codes for a missing table and a missing column. */
const MISSING: ReadonlySet<unknown> = new Set([
  '42P01',
  '42703',
  '3F000',
  'ER_NO_SUCH_TABLE',
  'ER_BAD_FIELD_ERROR',
  'ER_BAD_DB_ERROR',
])

/** Whether a failure says that a table or a column is missing. */
export function isMissing(error: unknown): boolean {
  return isDriverError(
    error,
    ({ code, message }) => MISSING.has(code) || /no such (table|column)/i.test(String(message)),
  )
}

/** The error for a schema with which this code does not work. */
export function createSchemaError(prefix: string, found: string, cause?: unknown): ConfigurationError {
  return new ConfigurationError(
    `Expected the tables ${prefix}* in version ${SCHEMA_VERSION}, found ${found}: ` +
      'migrate them with `npx tokenwright migrate`, with migrateSql(db) of tokenwright/stores/sql, or with its sqlMigrations() and the Migrator of Kysely',
    cause === undefined ? undefined : { cause },
  )
}

/** The version of the tables; 0 for none. */
export async function readVersion({ compile }: Database, run: Run): Promise<number> {
  const { rows } = await run(compile("select n from {counters} where name = 'schema'"))
  return Number(rows[0]?.['n'] ?? 0)
}
