/**
 * Mapping of sessions to columns and back: the one place that knows how a session is stored in SQL.
 *
 * Times are whole milliseconds in columns that end in `_at`. Identifiers and subjects are found by
 * a hash in hexadecimal digits, because a collation may find 'alice' equal to 'Alice', to 'alice '
 * and to 'Álice'. Texts are stored as the content of a JSON string in ASCII, so that no character
 * set loses a character: PostgreSQL refuses U+0000, SQLite cuts there, MySQL may refuse an emoji.
 */
import { misuse } from '../../internal/configuration-error.ts'
import { decideRotation, isWriting, type RotationRecord, toLate } from '../../session/rotation.ts'
import type { NewSession, RevokeReason, SessionRow } from '../../session/session-row.ts'
import type { RotateCall, Rotation, RotationPolicy, RotationWord, Sighting } from '../../session/store.ts'
import type { Value, Values } from './statement.ts'
import {
  escapeText,
  fromColumnTime,
  fromJson,
  fromOptional,
  toColumnTime,
  toJson,
  toKey,
  toOptionalText,
  toOptionalTime,
  unescapeText,
} from './values.ts'

/** A session's columns. */
export interface SessionColumns extends Values {
  /** The hash of `sid`; the primary key. */
  readonly sid_key: string
  /** The hash of `sub`. */
  readonly sub_key: string
  /** Escaped text. */
  readonly sid: string
  /** Escaped text. */
  readonly sub: string
  /** Escaped text. */
  readonly realm: string | null
  /** As in the row. */
  readonly gen: number
  /** As in the row. */
  readonly rotated_at: number
  /** As in the row, in milliseconds. */
  readonly late: number
  /** As in the row, in milliseconds. */
  readonly late_before: number
  /** The row's `authTime`. */
  readonly auth_at: number | null
  /** Escaped text. */
  readonly acr: string | null
  /** JSON in ASCII. */
  readonly amr: string | null
  /** JSON in ASCII. */
  readonly scopes: string
  /** JSON in ASCII. */
  readonly data: string
  /** JSON in ASCII; null in rows of earlier versions. */
  readonly metadata: string | null
  /** Escaped text. */
  readonly label: string | null
  /** As in the row. */
  readonly created_at: number
  /** As in the row. */
  readonly last_used_at: number
  /** As in the row. */
  readonly idle_expires_at: number
  /** As in the row. */
  readonly absolute_expires_at: number
  /** 1 for a brief session, else 0. */
  readonly brief: number
  /** As in the row, in milliseconds. */
  readonly idle_for: number | null
  /** As in the row. */
  readonly revoked_at: number | null
  /** As in the row. */
  readonly revoke_reason: RevokeReason | null
  /** Escaped text. */
  readonly ip: string | null
  /** Escaped text. */
  readonly user_agent: string | null
  /** Escaped text. */
  readonly last_ip: string | null
  /** Escaped text. */
  readonly last_user_agent: string | null
}

/** The columns that no step changes; an update changes some by itself (`edits.ts`). */
export const FIXED_COLUMNS = [
  'sid_key',
  'sub_key',
  'sid',
  'sub',
  'realm',
  'scopes',
  'data',
  'metadata',
  'label',
  'created_at',
  'absolute_expires_at',
  'brief',
  'idle_for',
  'ip',
  'user_agent',
] as const

/** The columns that steps change. */
export const CHANGING_COLUMNS = [
  'gen',
  'rotated_at',
  'late',
  'late_before',
  'auth_at',
  'acr',
  'amr',
  'last_used_at',
  'idle_expires_at',
  'last_ip',
  'last_user_agent',
  'revoked_at',
  'revoke_reason',
] as const

/** All of them. */
export const COLUMNS: readonly string[] = [...FIXED_COLUMNS, ...CHANGING_COLUMNS]

/** Bytes in MySQL's `text`, which without strict mode cuts longer values. */
const MOST_TEXT = 65_535

/**
 * The columns from a new session; the others follow from the time of the step.
 *
 * @throws {TypeError} when a text is too long to be kept whole
 */
export function toNewColumns(session: NewSession): Values {
  const columns = {
    sid_key: toKey(session.sid),
    sub_key: toKey(session.sub),
    sid: escapeText(session.sid),
    sub: escapeText(session.sub),
    realm: toOptionalText(session.realm),
    auth_at: toOptionalTime(session.authTime),
    acr: toOptionalText(session.acr),
    amr: session.amr === null ? null : toJson(session.amr),
    scopes: toJson(session.scopes),
    data: toJson(session.data),
    metadata: toJson(session.metadata),
    label: toOptionalText(session.label),
    brief: Number(session.brief),
    idle_for: toOptionalTime(session.idleFor),
    ip: toOptionalText(session.ip?.slice(0, MOST_IP) ?? null),
    user_agent: toOptionalText(session.userAgent?.slice(0, MOST_USER_AGENT) ?? null),
  }
  checkTexts(columns)
  return columns
}

/** The longest address and user agent that are kept, in characters. */
const MOST_IP = 64
const MOST_USER_AGENT = 256

/** The parameters from where a client was seen; the length in milliseconds. */
export function toSeenColumns(seen: Sighting | null): {
  readonly ip: string | null
  readonly user_agent: string | null
  readonly stretch: number
} {
  return {
    ip: toOptionalText(seen?.ip?.slice(0, MOST_IP) ?? null),
    user_agent: toOptionalText(seen?.userAgent?.slice(0, MOST_USER_AGENT) ?? null),
    stretch: toColumnTime(seen?.stretch ?? 1),
  }
}

/** Refuses a text that is too long. @throws {TypeError} as `toNewColumns` */
export function checkTexts(columns: Values): void {
  for (const [name, value] of Object.entries(columns)) {
    if (typeof value === 'string' && value.length > MOST_TEXT) {
      throw misuse(`A session's ${name} has ${value.length} bytes, the SQL store keeps ${MOST_TEXT}`)
    }
  }
}

/** All columns of a session that starts at a moment, in the columns' unit. */
export function toColumns(session: NewSession, moment: number): SessionColumns {
  const absolute = moment + toColumnTime(session.absolute)
  return {
    ...toNewColumns(session),
    gen: 0,
    rotated_at: moment,
    late: 0,
    late_before: 0,
    created_at: moment,
    last_used_at: moment,
    idle_expires_at: Math.min(moment + toColumnTime(session.idleFor ?? session.idle), absolute),
    absolute_expires_at: absolute,
    last_ip: null,
    last_user_agent: null,
    revoked_at: null,
    revoke_reason: null,
  } as SessionColumns
}

/** The columns of a row. @throws {TypeError} as `toNewColumns` */
export function fromRow(row: SessionRow): SessionColumns {
  const session = { ...row, provedAt: 0, idle: 0, absolute: 0 }
  return {
    ...toNewColumns(session),
    gen: row.gen,
    rotated_at: toColumnTime(row.rotatedAt),
    late: toColumnTime(row.late),
    late_before: toColumnTime(row.lateBefore),
    created_at: toColumnTime(row.createdAt),
    last_used_at: toColumnTime(row.lastUsedAt),
    idle_expires_at: toColumnTime(row.idleExpiresAt),
    absolute_expires_at: toColumnTime(row.absoluteExpiresAt),
    last_ip: toOptionalText(row.lastIp),
    last_user_agent: toOptionalText(row.lastUserAgent),
    revoked_at: toOptionalTime(row.revokedAt),
    revoke_reason: row.revokeReason,
  } as SessionColumns
}

/**
 * Columns from a driver, with integers as numbers: pg returns strings, others numbers or bigints.
 */
export function readColumns(row: Readonly<Record<string, unknown>>): SessionColumns {
  const columns: Record<string, unknown> = {}
  for (const name of COLUMNS) {
    const value = row[name] ?? null
    columns[name] = value !== null && INTEGERS.has(name) ? Number(value) : value
  }
  return columns as SessionColumns
}

const NUMBERS: readonly string[] = ['gen', 'late', 'late_before', 'brief', 'idle_for']

const INTEGERS: ReadonlySet<string> = new Set([...NUMBERS, ...COLUMNS.filter((name) => name.endsWith('_at'))])

/** Columns from their values in the order of `COLUMNS`; null without a session. */
export function toSessionColumns(values: readonly Value[]): SessionColumns | null {
  if (values[0] === null) return null
  const columns: Record<string, Value | undefined> = {}
  for (let place = 0; place < COLUMNS.length; place++) columns[COLUMNS[place] as string] = values[place]
  return columns as SessionColumns
}

/** The row of the contract from its columns. */
export function toRow(columns: SessionColumns): SessionRow {
  return {
    sid: unescapeText(columns.sid),
    sub: unescapeText(columns.sub),
    realm: fromOptional(columns.realm, unescapeText),
    gen: columns.gen,
    rotatedAt: fromColumnTime(columns.rotated_at),
    late: fromColumnTime(columns.late),
    lateBefore: fromColumnTime(columns.late_before),
    authTime: fromOptional(columns.auth_at, fromColumnTime),
    acr: fromOptional(columns.acr, unescapeText),
    amr: fromOptional(columns.amr, fromJson) as readonly string[] | null,
    scopes: fromJson(columns.scopes) as readonly string[],
    data: fromJson(columns.data) as SessionRow['data'],
    metadata: fromJson(columns.metadata ?? '{}') as SessionRow['metadata'],
    label: fromOptional(columns.label, unescapeText),
    createdAt: fromColumnTime(columns.created_at),
    lastUsedAt: fromColumnTime(columns.last_used_at),
    idleExpiresAt: fromColumnTime(columns.idle_expires_at),
    absoluteExpiresAt: fromColumnTime(columns.absolute_expires_at),
    brief: columns.brief === 1,
    idleFor: fromOptional(columns.idle_for, fromColumnTime),
    revokedAt: fromOptional(columns.revoked_at, fromColumnTime),
    revokeReason: columns.revoke_reason,
    ip: fromOptional(columns.ip, unescapeText),
    userAgent: fromOptional(columns.user_agent, unescapeText),
    lastIp: fromOptional(columns.last_ip, unescapeText),
    lastUserAgent: fromOptional(columns.last_user_agent, unescapeText),
  }
}

/** Whether a session can still be used at a moment, in the columns' unit. */
export function isLive(columns: SessionColumns, moment: number): boolean {
  return (
    columns.revoked_at === null && moment < columns.idle_expires_at && moment < columns.absolute_expires_at
  )
}

/** The rotation decision on columns, the word `late` included; in milliseconds. */
export function decideOnColumns(
  columns: SessionColumns | null,
  call: RotateCall,
  moment: number,
): RotationWord {
  const policy = toColumnPolicy(call)
  const word = decideRotation(columns && toRecord(columns), call.gen, moment, policy)
  const late = call.notAfter !== null && moment > toColumnTime(call.notAfter)
  return late && isWriting(word, policy) ? 'late' : word
}

/**
 * The rotation of a row that was read without a lock; null where something is to be written, which
 * must be decided under the lock.
 */
export function decideReadOnly(
  columns: SessionColumns | null,
  call: RotateCall,
  moment: number,
): Rotation | null {
  const word = decideOnColumns(columns, call, moment)
  const now = fromColumnTime(moment)
  if (columns === null) return { word, row: null, now }
  const isLater =
    word === 'replayed' && toLate(toRecord(columns), moment, toColumnPolicy(call)) !== columns.late
  return isWriting(word, call) || isLater ? null : { word, row: toRow(columns), now }
}

/** What a decision reads of a call, with lengths in milliseconds. */
type ColumnPolicy = RotationPolicy & Pick<RotateCall, 'gen'>

/** That part of a call. */
export function toColumnPolicy({ gen, overlap, idle, rotation }: RotateCall): ColumnPolicy {
  return { gen, overlap: toColumnTime(overlap), idle: toColumnTime(idle), rotation }
}

/** The input of the rotation decision, in milliseconds. */
export function toRecord(columns: SessionColumns): RotationRecord {
  return {
    gen: columns.gen,
    rotatedAt: columns.rotated_at,
    late: columns.late,
    lateBefore: columns.late_before,
    lastUsedAt: columns.last_used_at,
    idleExpiresAt: columns.idle_expires_at,
    absoluteExpiresAt: columns.absolute_expires_at,
    revokedAt: columns.revoked_at,
  }
}
