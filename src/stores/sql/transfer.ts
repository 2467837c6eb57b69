/**
 * Reads and releases the records of a SQL store, for another store; `write-records.ts` writes them.
 * Tables are read in the order of their keys. A release is a change like a revocation, and a read
 * of what it changed.
 */
import type { SessionOwner, SessionRow } from '../../session/session-row.ts'
import { KEPT_AFTER_END } from '../../session/store.ts'
import { type RecordPage, type StoreTransfer, toUnreleased } from '../../session/transfer.ts'
import type { Database, Result } from './database.ts'
import { toGroups, toNumbered } from './groups.ts'
import { COLUMNS, readColumns, toRow } from './mapping.ts'
import type { Statement, Values } from './statement.ts'
import { fromColumnTime, fromJson, toColumnTime, toKey, toOptionalTime, toOwnerValues } from './values.ts'
import { createSqlWrite } from './write-records.ts'

/** Runs one statement, and again where it failed for the moment. */
type Attempt = <T>(work: () => Promise<T>) => Promise<T>

/** Compiles the statements. */
export function createTransfer(database: Database, attempt: Attempt): StoreTransfer {
  const { run } = database
  const read = createRead(database)
  const texts = createReleaseTexts(database)
  const write = createSqlWrite(database)

  async function findReleased(statement: Statement, values: Values): Promise<SessionRow[]> {
    const { rows } = await attempt(() => run(statement, values))
    return rows.map((row) => toUnreleased(toRow(readColumns(row))))
  }

  return {
    read: (place, limit) => attempt(() => read(place, limit)),
    write: (records, call) => write(attempt, records, call),
    async release(sids, now) {
      const released: SessionRow[] = []
      for (const keys of toGroups(sids.map(toKey), SIZES)) {
        const values = { ...toNumbered({ key: keys }), now: toOptionalTime(now) }
        const { mark, find } = texts.toBySids(keys.length)
        await attempt(() => run(mark, values))
        released.push(...(await findReleased(find, values)))
      }
      return released
    },
    findReleased: (owner: SessionOwner, now) =>
      findReleased(texts.byOwner, { ...toOwnerValues(owner), now: toOptionalTime(now) }),
  }
}

/** How many sessions a statement is about: few lengths, so that few statements are prepared. */
const SIZES = [50, 10, 1] as const

const LATELY = `revoke_reason = 'moved' and revoked_at > {now} - ${toColumnTime(KEPT_AFTER_END)}`

function createReleaseTexts({ compile, dialect }: Database) {
  const isPostgres = dialect === 'postgres'
  const columns = COLUMNS.join(', ')
  const toTexts = (size: number): { readonly mark: Statement; readonly find: Statement } => {
    const among = `sid_key in (${Array.from({ length: size }, (_, index) => `:key${index}`).join(', ')})`
    return {
      mark: compile(
        `${isPostgres ? '' : '{limits}'} update {sessions} set revoked_at = {now}, revoke_reason = 'moved'
         ${isPostgres ? 'from {limits}' : ''} where ${among} and revoked_at is null`,
      ),
      find: compile(`select ${columns} from {sessions} where ${among} and ${LATELY}`),
    }
  }
  const bySids = new Map(SIZES.map((size) => [size as number, toTexts(size)]))
  return {
    toBySids: (size: number) => bySids.get(size) ?? toTexts(size),
    byOwner: compile(
      `select ${columns} from {sessions} where sub_key = :sub_key and {in_realm} and ${LATELY}`,
    ),
  }
}

/** A table as it is read: its key, and what a row of it says. */
interface Table {
  readonly key: string
  readonly page: Statement
  toRecord(row: Result['rows'][number]): RecordPage['records'][number]
}

/** The tables in the order in which they are read. */
function createTables({ compile }: Database): readonly Table[] {
  const toPage = (table: string, key: string, columns: string, more: string): Statement =>
    compile(`select ${columns} from {${table}} where ${key} > :after ${more} order by ${key} limit :many`)
  return [
    {
      key: 'sid_key',
      page: toPage('sessions', 'sid_key', COLUMNS.join(', '), ''),
      toRecord: (row) => ({ kind: 'session', row: toRow(readColumns(row)) }),
    },
    {
      key: 'sub_key',
      page: toPage(
        'subjects',
        'sub_key',
        'sub_key, realm, cut_off_at, until_at',
        'and cut_off_at is not null and until_at > {now}',
      ),
      toRecord: (row) => ({
        kind: 'cutOff',
        ownerHash: String(row['sub_key']),
        sub: null,
        realm: toRealm(row['realm']),
        at: fromColumnTime(row['cut_off_at']),
        until: fromColumnTime(row['until_at']),
      }),
    },
    {
      key: 'attempt_key',
      page: toPage('attempts', 'attempt_key', 'attempt_key, n, until_at', 'and n > 0 and until_at > {now}'),
      toRecord: (row) => ({
        kind: 'attempts',
        keyHash: String(row['attempt_key']),
        key: null,
        count: Number(row['n']),
        until: fromColumnTime(row['until_at']),
      }),
    },
  ]
}

/** The realm of a cut-off; undefined where version 1 of the schema wrote it, for every realm. */
function toRealm(json: unknown): string | null | undefined {
  return json === null || json === undefined ? undefined : (fromJson(json) as string | null)
}

/** A place is the number of a table and the last key that was read of it. */
function createRead(database: Database) {
  const tables = createTables(database)
  return async (place: string | null, limit: number): Promise<RecordPage> => {
    const [, number = '0', after = ''] = /^([0-2]) ([0-9a-f]*)$/.exec(place ?? '') ?? []
    const table = tables[Number(number)]
    if (table === undefined) return { records: [], place: null }
    const { rows } = await database.run(table.page, { after, many: limit, now: null })
    const next = rows.length < limit ? Number(number) + 1 : Number(number)
    const last = rows.length < limit ? '' : String(rows.at(-1)?.[table.key])
    return {
      records: rows.map((row) => table.toRecord(row)),
      place: next < tables.length ? `${next} ${last}` : null,
    }
  }
}
