/**
 * What only reads: one statement each, alike in all dialects but for the clock. Reads lock nothing and wait for nobody.
 */
import type { CountedAttempts, LogEntry, LogPage, RevocationQuery, SessionRow } from '../../session/store.ts'
import type { Database, Result, Run } from './database.ts'
import {
  COLUMNS,
  fromColumnTime,
  readColumns,
  toColumnTime,
  toKey,
  toOptionalTime,
  toRow,
  unescapeText,
} from './mapping.ts'

/** The contract's reading half. */
export interface Queries {
  /** As the contract's `now`. */
  now(run: Run): Promise<number>
  /** As the contract's `get`. */
  get(run: Run, sid: string): Promise<SessionRow | null>
  /** As the contract's `list`. */
  list(run: Run, sub: string, now: number | null): Promise<readonly SessionRow[]>
  /** As the contract's `isRevoked`. */
  isRevoked(run: Run, query: RevocationQuery): Promise<boolean>
  /** As the contract's `readAttempts`. */
  readAttempts(run: Run, key: string, now: number | null): Promise<CountedAttempts>
  /** As the contract's `forgetAttempts`: alike in all dialects, and no statement that a step waits for. */
  forgetAttempts(run: Run, key: string, count: number | null): Promise<void>
  /** As the contract's `readLog`. */
  readLog(run: Run, cursor: string | null, limit: number): Promise<LogPage>
}

const MOST_LISTED = 1000

/** More attempts than any key can have. */
const ALL_ATTEMPTS = 2_000_000_000

const LIVE = 'revoked_at is null and idle_expires_at > {now} and absolute_expires_at > {now}'
const TOKEN_REVOKED = "exists (select 1 from {log} where key_hash = :jti_key and kind = 'jti')"

/**
 * Where a follower stands: the number of the last entry that it read, and when that was written. Numbers come again after a
 * backup is restored or a failover loses writes; the moment shows it.
 */
interface Place {
  readonly id: number
  readonly at: number
}

const BEGINNING: Place = { id: 0, at: 0 }

/** What is no cursor of ours reads everything: too much is safe, too little is not. */
function toPlace(cursor: string | null): Place {
  const [, id, at] = /^(\d{1,15})\.(\d{1,15})$/.exec(cursor ?? '') ?? []
  return id === undefined ? BEGINNING : { id: Number(id), at: Number(at) }
}

function toEntry(row: Readonly<Record<string, unknown>>): LogEntry {
  return {
    kind: row['kind'] as LogEntry['kind'],
    key: unescapeText(row['entry_key']),
    at: fromColumnTime(row['revoked_at']),
    until: fromColumnTime(row['until_at']),
  }
}

type Texts = ReturnType<typeof createTexts>

function createTexts({ compile }: Database) {
  return {
    now: compile('select {now} as moment'),
    get: compile(`select ${COLUMNS.join(', ')} from {sessions} where sid_key = :sid_key`),
    list: compile(
      `select ${COLUMNS.join(', ')} from {sessions} where sub_key = :sub_key and ${LIVE}
       order by created_at desc, sid_key limit ${MOST_LISTED}`,
    ),
    isSessionRevoked: compile(
      `select case when ${TOKEN_REVOKED} then 1
       when exists (select 1 from {sessions} where sid_key = :sid_key and ${LIVE}) then 0 else 1 end as revoked`,
    ),
    isTokenRevoked: compile(
      `select case when ${TOKEN_REVOKED} then 1
       when exists (select 1 from {subjects} where sub_key = :sub_key and cut_off_at >= :iat) then 1
       else 0 end as revoked`,
    ),
    readAttempts: compile(
      'select n, until_at, {now} as moment from {attempts} where attempt_key = :attempt_key',
    ),
    // A window that ended at 0 is over in every reading. MySQL assigns from left to right: the count comes last.
    forgetAttempts: compile(
      `update {attempts} set until_at = case when n <= :many then 0 else until_at end,
       n = case when n <= :many then 0 else n - :many end
       where attempt_key = :attempt_key`,
    ),
    // The last entry read comes once more, as a proof that the log is still the same; the counter tells when it is not even there.
    readLog: compile(
      `select m.moment, m.last, l.id, l.kind, l.entry_key, l.revoked_at, l.until_at
       from (select {now} as moment, n as last from {counters} where name = 'log') m
       left join (
         select id, kind, entry_key, revoked_at, until_at from {log} where id >= :id order by id limit :many
       ) l on 1 = 1
       order by l.id`,
    ),
  }
}

/**
 * The entries from a place on, none of them missing. Numbers are given out under a lock that is held until the commit, so they have no gaps and
 * are committed in order. MariaDB's snapshots are not taken in one moment, though: a statement can see an entry and not the one
 * before it. Whoever has seen an entry finds all before it in the next statement, so a gap is read again as far as
 * was seen. What pruning left of old entries costs a new follower that one statement more.
 */
async function readWithoutGaps(texts: Texts, run: Run, from: Place, many: number): Promise<Result['rows']> {
  const values = { now: null, id: from.id, many }
  const { rows } = await run(texts.readLog, values)
  const ids = rows.filter(({ id }) => id !== null && Number(id) > from.id).map(({ id }) => Number(id))
  if (ids.every((id, index) => id === from.id + 1 + index)) return rows
  const last = ids.at(-1) ?? from.id
  const again = await run(texts.readLog, values)
  return again.rows.filter(({ id }) => id === null || Number(id) <= last)
}

/** A page from a place on; null where that place is not in this log any more. */
async function readFrom(texts: Texts, run: Run, from: Place, limit: number): Promise<LogPage | null> {
  // One more for the entry that the cursor names, one to see whether there is more.
  const rows = await readWithoutGaps(texts, run, from, limit + 2)
  const last = Number(rows[0]?.['last'])
  const found = rows.filter((row) => row['id'] !== null)
  const proof = found.find((row) => Number(row['id']) === from.id)
  const lost = from.id > last || (proof !== undefined && Number(proof['revoked_at']) !== from.at)
  if (lost) return null
  const fresh = found.filter((row) => row !== proof)
  const page = fresh.slice(0, limit)
  const end = page.at(-1)
  const place = end ? { id: Number(end['id']), at: Number(end['revoked_at']) } : from
  return {
    entries: page.map(toEntry),
    cursor: `${place.id}.${place.at}`,
    more: fresh.length > page.length,
    now: fromColumnTime(rows[0]?.['moment']),
  }
}

/** Compiles what reads. */
export function createQueries(database: Database): Queries {
  const texts = createTexts(database)
  return {
    async now(run) {
      return fromColumnTime((await run(texts.now, { now: null })).rows[0]?.['moment'])
    },

    async get(run, sid) {
      const [found] = (await run(texts.get, { sid_key: toKey(sid) })).rows
      return found === undefined ? null : toRow(readColumns(found))
    },

    async list(run, sub, now) {
      const { rows } = await run(texts.list, { sub_key: toKey(sub), now: toOptionalTime(now) })
      return rows.map((row) => toRow(readColumns(row)))
    },

    async isRevoked(run, { sid, jti, sub, iat, now }) {
      const jtiKey = jti === null ? '' : toKey(jti)
      const { rows } =
        sid === null
          ? // A token that does not say when it was issued is older than any cut-off.
            await run(texts.isTokenRevoked, {
              jti_key: jtiKey,
              sub_key: toKey(sub),
              iat: iat === null ? 0 : toColumnTime(iat),
            })
          : await run(texts.isSessionRevoked, {
              jti_key: jtiKey,
              sid_key: toKey(sid),
              now: toOptionalTime(now),
            })
      return Number(rows[0]?.['revoked']) !== 0
    },

    async readAttempts(run, key, now) {
      const values = { attempt_key: toKey(key), now: toOptionalTime(now) }
      const [row] = (await run(texts.readAttempts, values)).rows
      const left = Number(row?.['until_at'] ?? 0) - Number(row?.['moment'] ?? 0)
      if (left <= 0) return { count: 0, endsIn: 0 }
      return { count: Number(row?.['n']), endsIn: Math.ceil(left / 1000) }
    },

    async forgetAttempts(run, key, count) {
      await run(texts.forgetAttempts, { attempt_key: toKey(key), many: count ?? ALL_ATTEMPTS })
    },

    async readLog(run, cursor, limit) {
      const page =
        (await readFrom(texts, run, toPlace(cursor), limit)) ?? (await readFrom(texts, run, BEGINNING, limit))
      if (page === null) throw new Error('The counter of the log is missing')
      return page
    },
  }
}
