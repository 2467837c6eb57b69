/**
 * The tables, and the statements that make them. Only `varchar`, `bigint` and `text`: what every dialect means the same by.
 * No number is handed out by a sequence, whose order is not the order of commits: a follower would miss entries.
 */
import { ConfigurationError } from '../../internal/configuration-error.ts'
import type { Database, Run } from './database.ts'
import type { Statement } from './statement.ts'

/** What statements are spelt by. */
export type Spelling = Pick<Database, 'compile' | 'dialect' | 'prefix'>

/** The version that this code works with; each migration brings the schema up by one. */
export const SCHEMA_VERSION = 1

/** A table: columns in SQL, and the columns that are found by an index. */
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
    // None on what a rotation changes: PostgreSQL then writes the new row beside the old one and touches no index.
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

/** MySQL has no `create index if not exists`, so that its indexes stand in the table; another engine would have no transactions. */
function createTable(
  { compile, dialect, prefix }: Spelling,
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
      compile(`create index if not exists ${prefix}${table}_${column} on {${table}} (${column})`),
    ),
  ]
}

function insertCounter({ compile, dialect }: Spelling, name: string): Statement {
  return compile(
    dialect === 'mysql'
      ? `insert ignore into {counters} (name, n) values ('${name}', 0)`
      : `insert into {counters} (name, n) values ('${name}', 0) on conflict (name) do nothing`,
  )
}

/** One step of the schema. */
export interface SchemaStep {
  /** Its name, for tools that keep book. */
  readonly name: string
  /** The version that it brings up. */
  readonly version: number
  /** Statements that do nothing where it was done before. */
  up(spelling: Spelling): readonly Statement[]
  /** Statements that undo it. */
  down(spelling: Spelling): readonly Statement[]
}

/** The steps, oldest first. A step that was released is never changed. */
export const SCHEMA_STEPS: readonly SchemaStep[] = [
  {
    name: 'tokenwright_0001_sessions',
    version: 1,
    up: (spelling) => [
      ...[COUNTERS, ...TABLES].flatMap((table) => createTable(spelling, table)),
      insertCounter(spelling, 'log'),
      insertCounter(spelling, 'schema'),
      spelling.compile("update {counters} set n = 1 where name = 'schema' and n < 1"),
    ],
    down: ({ compile }) =>
      [...TABLES, COUNTERS].map(({ table }) => compile(`drop table if exists {${table}}`)),
  },
]

/** Codes of drivers for "there is no such table" and "no such column". */
const MISSING: ReadonlySet<unknown> = new Set(['42P01', '42703', 'ER_NO_SUCH_TABLE', 'ER_BAD_FIELD_ERROR'])

/** Whether a failure says that a table or a column is not there. */
export function isMissing(error: unknown): boolean {
  const { code, message } = Object(error) as { code?: unknown; message?: unknown }
  return MISSING.has(code) || /no such (table|column)/i.test(String(message))
}

/** What to say where the schema is not what this code works with. */
export function createSchemaError(prefix: string, found: string, cause?: unknown): ConfigurationError {
  return new ConfigurationError(
    `Expected the tables ${prefix}* in version ${SCHEMA_VERSION}, found ${found}: ` +
      'bring them up with `npx tokenwright migrate`, with migrateSql(db) of tokenwright/stores/sql, or with its sqlMigrations() and the Migrator of Kysely',
    cause === undefined ? undefined : { cause },
  )
}

/** The version that the tables have; 0 for none. */
export async function readVersion({ compile }: Database, run: Run): Promise<number> {
  const { rows } = await run(compile("select n from {counters} where name = 'schema'"))
  return Number(rows[0]?.['n'] ?? 0)
}
