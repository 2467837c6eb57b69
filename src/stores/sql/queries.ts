/**
 * The queries of the contract: one statement each, the same in all dialects. They take no lock, and
 * see all that was committed before.
 */
import {
  type LogPage,
  MOST_LISTED,
  type RevocationQuery,
  type RevocationStore,
  type SessionStore,
} from '../../session/store.ts'
import type { Database } from './database.ts'
import { createLogRows, type LogRows, toEntry } from './log-rows.ts'
import { COLUMNS, readColumns, toRow } from './mapping.ts'
import { fromColumnTime, toColumnTime, toKey, toOptionalTime, toOwnerValues } from './values.ts'

/** The methods of the contract that read. */
export type Queries = Pick<SessionStore, 'now' | 'get' | 'list' | 'isRevoked'> &
  Pick<RevocationStore, 'readLog'>

/** Compiles the queries. */
export function createQueries({ dialect, compile, run }: Database): Queries {
  const texts = createTexts(compile)
  const readLogRows = createLogRows({ dialect, compile, run })

  /**
   * The entries from a position on, without gaps. Numbers are assigned under a lock that is held
   * until the commit, so they have no gaps and are committed in order. But MariaDB does not take a
   * snapshot in one moment: a statement can see an entry and not the one before it. The next
   * statement sees all entries before those already seen, so after a gap the page is read again, up
   * to the last entry seen. Where old entries were pruned, a new follower costs one more statement.
   */
  async function readWithoutGaps(from: Place, many: number): Promise<LogRows> {
    const page = await readLogRows(from.id, many)
    const ids = page.rows.map(([id]) => id).filter((id) => id > from.id)
    if (ids.every((id, index) => id === from.id + 1 + index)) return page
    const last = ids.at(-1) ?? from.id
    const again = await readLogRows(from.id, many)
    return { ...again, rows: again.rows.filter(([id]) => id <= last) }
  }

  /** A page from a position on; null if that position is no longer in this log. */
  async function readFrom(from: Place, limit: number): Promise<LogPage | null> {
    // One more for the entry that the cursor names, one to see whether there is more.
    const { moment, last, rows } = await readWithoutGaps(from, limit + 2)
    const proof = rows.find(([id]) => id === from.id)
    const lost = from.id > last || (proof !== undefined && proof[4] !== from.at)
    if (lost) return null
    const fresh = proof === undefined ? rows : rows.filter((row) => row !== proof)
    const page = fresh.slice(0, limit)
    const end = page.at(-1)
    const place = end ? { id: end[0], at: end[4] } : from
    return {
      entries: page.map(toEntry),
      cursor: `${place.id}.${place.at}`,
      more: fresh.length > page.length,
      now: fromColumnTime(moment),
    }
  }

  return {
    async now() {
      return fromColumnTime((await run(texts.now, { now: null })).rows[0]?.['moment'])
    },

    async get(sid) {
      const [found] = (await run(texts.get, { sid_key: toKey(sid) })).rows
      return found === undefined ? null : toRow(readColumns(found))
    },

    async list(owner, now) {
      const values = { ...toOwnerValues(owner), now: toOptionalTime(now) }
      return (await run(texts.list, values)).rows.map((row) => toRow(readColumns(row)))
    },

    async isRevoked(query) {
      const { sid, now } = query
      const jti_key = query.jti === null ? '' : toKey(query.jti)
      const { rows } =
        sid === null
          ? await run(texts.isTokenRevoked, { ...toOwnerValues(query), jti_key, iat: toIssued(query) })
          : await run(texts.isSessionRevoked, { jti_key, sid_key: toKey(sid), now: toOptionalTime(now) })
      return Number(rows[0]?.['revoked']) !== 0
    },

    async readLog(cursor, limit) {
      const place = cursor === null ? BEGINNING : toPlace(cursor)
      const page = place === null ? null : await readFrom(place, limit)
      if (page !== null) return page
      const first = await readFrom(BEGINNING, limit)
      if (first === null) throw new Error('The log has no beginning')
      return { ...first, restarted: true }
    },
  }
}

const LIVE = 'revoked_at is null and idle_expires_at > {now} and absolute_expires_at > {now}'
const TOKEN_REVOKED = "exists (select 1 from {log} where key_hash = :jti_key and kind = 'jti')"

function createTexts(compile: Database['compile']) {
  return {
    now: compile('select {now} as moment'),
    get: compile(`{causal} select ${COLUMNS.join(', ')} from {sessions} where sid_key = :sid_key`),
    list: compile(
      `{causal} select ${COLUMNS.join(', ')} from {sessions} where sub_key = :sub_key and {in_realm} and ${LIVE}
       order by created_at desc, sid_key limit ${MOST_LISTED}`,
    ),
    isSessionRevoked: compile(
      `{causal} select case when ${TOKEN_REVOKED} then 1
       when exists (select 1 from {sessions} where sid_key = :sid_key and ${LIVE}) then 0 else 1 end as revoked`,
    ),
    isTokenRevoked: compile(
      `{causal} select case when ${TOKEN_REVOKED} then 1
       when exists (select 1 from {subjects} where cut_off_at >= :iat
         and (sub_key = :owner_key or sub_key = :earlier_key and realm is null)) then 1
       else 0 end as revoked`,
    ),
  }
}

/** A token without `iat` counts as older than any cut-off. */
function toIssued({ iat }: RevocationQuery): number {
  return iat === null ? 0 : toColumnTime(iat)
}

/**
 * The position of a follower: the number of the last entry that it read, and its time. After a
 * restored backup or a failover that loses writes, numbers are assigned again; the time shows it.
 */
interface Place {
  readonly id: number
  readonly at: number
}

const BEGINNING: Place = { id: 0, at: 0 }

/** Null for a cursor of another kind of store, which reads everything: too much is safe. */
function toPlace(cursor: string): Place | null {
  const [, id, at] = /^(\d{1,15})\.(\d{1,15})$/.exec(cursor) ?? []
  return id === undefined ? null : { id: Number(id), at: Number(at) }
}
