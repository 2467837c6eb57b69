/** PostgreSQL's half: one statement for each step, put together from values and read back. The statements are in `postgrestext.ts`. */
import type {
  EndAllCall,
  NewSession,
  RevokeReason,
  RotateCall,
  Rotation,
  RotationWord,
  SessionRow,
  StepUp,
  StepUpCall,
} from '../../session/store.ts'
import { type Commands, toAttempt } from './commands.ts'
import type { Database, Run } from './database.ts'
import {
  escapeText,
  fromColumnTime,
  readColumns,
  toColumnTime,
  toDraftColumns,
  toJson,
  toKey,
  toOptionalTime,
  toRow,
  toVersion,
} from './mapping.ts'
import { createPostgresTexts, type PostgresTexts } from './postgres-statements.ts'

/** So many starts of one subject in a row, each in the middle of an attempt to end all: then others have to wait. */
const MOST_TRIES = 100

interface PostgresTools {
  readonly run: Run
  readonly texts: PostgresTexts
}

async function start(
  { run, texts }: PostgresTools,
  draft: NewSession,
  now: number | null,
): Promise<SessionRow | null> {
  const values = {
    ...toDraftColumns(draft),
    version: toVersion(),
    proved_at: toColumnTime(draft.provedAt),
    idle: toColumnTime(draft.idle),
    absolute: toColumnTime(draft.absolute),
    now: toOptionalTime(now),
  }
  const [row] = (await run(texts.start, values)).rows
  return row === undefined ? null : toRow(readColumns(row))
}

async function rotate({ run, texts }: PostgresTools, call: RotateCall): Promise<Rotation> {
  const values = {
    sid_key: toKey(call.sid),
    gen: call.gen,
    overlap: toColumnTime(call.overlap),
    idle: toColumnTime(call.idle),
    rotation: call.rotation ? 1 : 0,
    not_after: toOptionalTime(call.notAfter),
    log_ttl: toColumnTime(call.logTtl),
    now: toOptionalTime(call.now),
  }
  const [row = {}] = (await run(texts.rotate, values)).rows
  const now = fromColumnTime(row['moment'])
  if ((row['word'] ?? null) === null) return { word: 'unknown', row: null, now }
  return { word: row['word'] as RotationWord, row: toRow(readColumns(row)), now }
}

async function stepUp({ run, texts }: PostgresTools, call: StepUpCall): Promise<StepUp> {
  const values = {
    sid_key: toKey(call.sid),
    auth_at: toColumnTime(call.authTime),
    acr: call.acr === null ? null : escapeText(call.acr),
    amr: call.amr === null ? null : toJson(call.amr),
    not_after: toOptionalTime(call.notAfter),
    now: toOptionalTime(call.now),
  }
  const [row] = (await run(texts.stepUp, values)).rows
  if (row === undefined) return { word: 'unknown', row: null }
  return { word: row['word'] as StepUp['word'], row: toRow(readColumns(row)) }
}

async function endAll(
  { run, texts }: PostgresTools,
  sub: string,
  { reason, logTtl, now, except, cutOff }: EndAllCall & { readonly reason: RevokeReason },
): Promise<number> {
  const values = {
    sub_key: toKey(sub),
    sub: escapeText(sub),
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
}

/** PostgreSQL's half. */
export function createPostgresCommands(database: Database): Commands {
  const { run } = database
  const texts = createPostgresTexts(database)
  const tools = { run, texts }
  return {
    start: (draft, now) => start(tools, draft, now),
    rotate: (call) => rotate(tools, call),
    stepUp: (call) => stepUp(tools, call),
    endAll: (sub, reason, call) => endAll(tools, sub, { ...call, reason }),

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
      const values = { sid_key: toKey(sid), reason, log_ttl: toColumnTime(logTtl), now: toOptionalTime(now) }
      return Number((await run(texts.end, values)).rows[0]?.['live']) > 0
    },

    async revokeToken(jti, until, now) {
      const values = { key_hash: toKey(jti), entry_key: escapeText(jti) }
      await run(texts.revokeToken, { ...values, until: toColumnTime(until), now: toOptionalTime(now) })
    },
  }
}
