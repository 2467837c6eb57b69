/**
 * Reads rows of the log. A process that starts reads all of them, so the database puts a page into
 * one text: drivers take longer to make a million rows than to read them.
 */
import type { LogEntry } from '../../session/store.ts'
import type { Database, Result } from './database.ts'
import type { SqlDialect, Statement } from './statement.ts'
import { fromColumnTime, unescapeText } from './values.ts'

/** A row of the log, as its columns have it. */
export type LogRow = readonly [
  id: number,
  kind: LogEntry['kind'],
  key: string,
  realm: string | null,
  revokedAt: number,
  until: number,
]

/** Rows of the log, and what was true when they were read. */
export interface LogRows {
  /** The database's time, as a column has it. */
  readonly moment: unknown
  /** The number of the last entry. */
  readonly last: number
  /** In the order of their numbers. */
  readonly rows: readonly LogRow[]
}

const PARTS = 'id, kind, entry_key, realm, revoked_at, until_at'
const PAGE = `(select ${PARTS} from {log} where id >= :id order by id limit :many) as l`

/**
 * Lines, as MySQL and MariaDB take longer to write JSON than to send rows. No text has a tab or a
 * line break. With a count before: they cut a long text off without an error.
 */
const LINES = `concat(count(*), ' ', coalesce(group_concat(
  concat_ws(char(9 using ascii), id, kind, revoked_at, until_at, entry_key, realm),
  char(10 using ascii) separator ''), ''))`

const ENTRIES: Readonly<Record<SqlDialect, string>> = {
  postgres: `select cast(json_agg(json_build_array(${PARTS}) order by id) as text) from ${PAGE}`,
  mysql: `select ${LINES} from ${PAGE}`,
  sqlite: `select json_group_array(json_array(${PARTS})) from ${PAGE}`,
}

/**
 * Makes the function that reads so many rows from a number on. The last entry that was read is read
 * again, to prove that it is the same log. The counter shows whether the log is shorter.
 *
 * @throws {Error} from the function where the counter of the log is missing
 */
export function createLogRows({
  dialect,
  compile,
  run,
}: Pick<Database, 'dialect' | 'compile' | 'run'>): (id: number, many: number) => Promise<LogRows> {
  const inOne = compile(
    `{causal} select {now} as moment, n as last, (${ENTRIES[dialect]}) as entries
     from {counters} where name = 'log'`,
  )
  const rowByRow = compile(
    `{causal} select m.moment, m.last, l.*
     from (select {now} as moment, n as last from {counters} where name = 'log') m
     left join ${PAGE} on 1 = 1
     order by l.id`,
  )
  let isCutOff = false
  return async (id, many) => {
    const read = async (text: Statement) => (await run(text, { now: null, id, many })).rows
    if (!isCutOff) {
      const found = await read(inOne)
      const rows = toRows(found[0]?.['entries'] ?? null, dialect)
      if (rows !== null) return toPage(found, rows)
      isCutOff = true
    }
    const found = await read(rowByRow)
    return toPage(found, readRows(found))
  }
}

function toPage([first]: Result['rows'], rows: readonly LogRow[]): LogRows {
  if (first === undefined) throw new Error('The counter of the log is missing')
  return { moment: first['moment'], last: Number(first['last']), rows }
}

/** The rows of a text; null where it was cut off. */
function toRows(entries: unknown, dialect: SqlDialect): readonly LogRow[] | null {
  if (entries === null) return []
  const text = String(entries)
  return dialect === 'mysql' ? readLines(text) : JSON.parse(text)
}

function readLines(text: string): readonly LogRow[] | null {
  const space = text.indexOf(' ')
  const lines = text.slice(space + 1).split('\n')
  // What follows the last line break is nothing.
  if (lines.pop() !== '' || lines.length !== Number(text.slice(0, space))) return null
  return lines.map(readLine).sort(([one], [other]) => one - other)
}

function readLine(line: string): LogRow {
  const [id, kind, at, until, key = '', realm = null] = line.split('\t')
  return [Number(id), kind as LogEntry['kind'], key, realm, Number(at), Number(until)]
}

function readRows(rows: Result['rows']): LogRow[] {
  return rows
    .filter(({ id }) => id !== null)
    .map(({ id, kind, entry_key, realm, revoked_at, until_at }) => [
      Number(id),
      kind as LogEntry['kind'],
      String(entry_key),
      realm === null ? null : String(realm),
      Number(revoked_at),
      Number(until_at),
    ])
}

/** The entry of a row. */
export function toEntry([, kind, key, realm, at, until]: LogRow): LogEntry {
  return {
    kind,
    key: unescapeText(key),
    ...(realm !== null && { realm: JSON.parse(realm) as string | null }),
    at: fromColumnTime(at),
    until: fromColumnTime(until),
  }
}
