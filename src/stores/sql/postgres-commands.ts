/**
 * PostgreSQL: one statement for each step, but two for a rare refresh; the statements are in
 * `postgres-statements.ts`.
 */
import type { NewSession } from '../../session/session-row.ts'
import type { LimitedStart, RotateCall, Rotation, RotationWord, StepUp } from '../../session/store.ts'
import { type Commands, toAttempt } from './commands.ts'
import type { Database, Result } from './database.ts'
import {
  decideReadOnly,
  readColumns,
  toNewColumns,
  toRow,
  toSeenColumns,
  toSessionColumns,
} from './mapping.ts'
import { createPostgresTexts, type PostgresTexts } from './postgres-statements.ts'
import type { Value, Values } from './statement.ts'
import {
  escapeText,
  fromColumnTime,
  toColumnTime,
  toJson,
  toKey,
  toOptionalTime,
  toOwnerValues,
  toVersion,
} from './values.ts'

/**
 * How often `endAll` and `startLimited` are tried: each start of the same owner in between makes
 * them try again.
 */
const MOST_TRIES = 100

/** The methods of the contract that write. */
export function createPostgresCommands(database: Database): Commands {
  const { run } = database
  const texts = createPostgresTexts(database)
  return {
    async start(session, now) {
      const [row] = (await run(texts.start, toStartValues(session, now))).rows
      return row === undefined ? null : toRow(readColumns(row))
    },

    async startLimited(session, { count, refuses, logTtl }, now) {
      const limit = { count, refuses: refuses ? 1 : 0, log_ttl: toColumnTime(logTtl) }
      for (let tries = 0; tries < MOST_TRIES; tries++) {
        const { rows } = await run(texts.startLimited, { ...toStartValues(session, now), ...limit })
        if (Number(rows[0]?.['done']) > 0) return toLimitedStart(rows)
      }
      throw new Error('Sessions of this subject start faster than they can be counted')
    },

    rotate: (call) => rotate(database, texts, call),

    async stepUp(call) {
      const values = {
        sid_key: toKey(call.sid),
        auth_at: toColumnTime(call.authTime),
        acr: call.acr === null ? null : escapeText(call.acr),
        amr: call.amr === null ? null : toJson(call.amr),
        not_after: toOptionalTime(call.notAfter),
        now: toOptionalTime(call.now),
      }
      return toStep<StepUp['word']>((await run(texts.stepUp, values)).rows[0])
    },

    async countAttempt(key, limit, window, now) {
      const values = {
        attempt_key: toKey(key),
        window: toColumnTime(window),
        limit,
        now: toOptionalTime(now),
      }
      return toAttempt((await run(texts.countAttempt, values)).rows[0], limit)
    },

    async end(sid, reason, { logTtl, now }) {
      const values = {
        sid_key: toKey(sid),
        sid: escapeText(sid),
        reason,
        log_ttl: toColumnTime(logTtl),
        now: toOptionalTime(now),
      }
      return Number((await run(texts.end, values)).rows[0]?.['live']) > 0
    },

    async endAll(owner, reason, { logTtl, now, except, cutOff }) {
      const values = {
        ...toOwnerValues(owner),
        sub: escapeText(owner.sub),
        version: toVersion(),
        cut_off: toOptionalTime(cutOff),
        except: except === null ? '' : toKey(except),
        reason,
        log_ttl: toColumnTime(logTtl),
        now: toOptionalTime(now),
      }
      for (let tries = 0; tries < MOST_TRIES; tries++) {
        const [row] = (await run(texts.endAll, values)).rows
        if (Number(row?.['done']) > 0) return Number(row?.['many'])
      }
      throw new Error('Sessions of this subject start faster than they can be ended')
    },

    async revokeToken(jti, until, now) {
      const values = { key_hash: toKey(jti), entry_key: escapeText(jti) }
      await run(texts.revokeToken, { ...values, until: toColumnTime(until), now: toOptionalTime(now) })
    },
  }
}

function toStartValues(session: NewSession, now: number | null): Values {
  return {
    ...toNewColumns(session),
    ...toOwnerValues(session),
    version: toVersion(),
    proved_at: toColumnTime(session.provedAt),
    idle: toColumnTime(session.idle),
    absolute: toColumnTime(session.absolute),
    now: toOptionalTime(now),
  }
}

function toLimitedStart(found: Result['rows']): LimitedStart {
  const toRows = (part: string) =>
    found.filter((row) => row['part'] === part).map((row) => toRow(readColumns(row)))
  const [row = null] = toRows('started')
  const refused = Number(found[0]?.['fulls']) > 0 ? 'full' : 'revoked'
  return { word: row === null ? refused : 'started', row, ended: toRows('ended') }
}

function toRotateValues(call: RotateCall): Values {
  return {
    sid_key: toKey(call.sid),
    gen: call.gen,
    overlap: toColumnTime(call.overlap),
    idle: toColumnTime(call.idle),
    ...toSeenColumns(call.seen),
    rotation: call.rotation ? 1 : 0,
    not_after: toOptionalTime(call.notAfter),
    log_ttl: toColumnTime(call.logTtl),
    now: toOptionalTime(call.now),
  }
}

async function rotate(
  { isTransaction, run }: Database,
  texts: PostgresTexts,
  call: RotateCall,
): Promise<Rotation> {
  const values = toRotateValues(call)
  // Inside the caller's transaction a plain read may miss the change of another transaction.
  if (call.rotation && !isTransaction) {
    const rotation = toUsual((await run(texts.advance, values)).rows[0], call)
    if (rotation !== null) return rotation
  }
  return toStep<RotationWord>((await run(texts.rotate, values)).rows[0])
}

/**
 * Reads what `advance` returns. Null where there is something else to write, which is rare, or
 * where another call has changed the row meanwhile.
 */
function toUsual(row: Result['rows'][number] | undefined, call: RotateCall): Rotation | null {
  const [advanced, moment, ...values] = JSON.parse(String(row?.['found'])) as [number, number, ...Value[]]
  const columns = toSessionColumns(values)
  if (columns === null || advanced === 0) return decideReadOnly(columns, call, moment)
  return { word: 'rotated', row: toRow(columns), now: fromColumnTime(moment) }
}

/** Reads the row that a step returns; without a session it has only the time. */
function toStep<Word>(row: Result['rows'][number] | undefined) {
  const now = fromColumnTime(row?.['moment'])
  const isKnown = row !== undefined && (row['word'] ?? null) !== null
  if (!isKnown) return { word: 'unknown' as Word, row: null, now }
  return { word: row['word'] as Word, row: toRow(readColumns(row)), now }
}
