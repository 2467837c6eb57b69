/**
 * The logs of two stores as one. A cursor names the place in both. Where one of them cannot go on
 * from there, both are read from their beginning: whoever reads then knows that it got everything.
 */
import type { LogPage } from '../../session/store.ts'
import type { ClockDifference } from './clock-difference.ts'
import { type MovePair, shiftEntry } from './movable.ts'

/** Two cursors; null for the beginning. */
type Cursors = readonly [from: string | null, to: string | null]

const BEGINNING: Cursors = [null, null]

/** What reading needs. */
export interface CombinedLog extends MovePair {
  readonly difference: ClockDifference
  /** Whether the time of a page is that of `to`. */
  readonly hasTimeOfTarget: boolean
}

/** Reads a page of both. */
export async function readCombinedLog(
  log: CombinedLog,
  cursor: string | null,
  limit: number,
): Promise<LogPage> {
  const cursors = cursor === null ? BEGINNING : readCursors(cursor)
  if (cursors !== null) {
    const page = await readPage(log, cursors, limit)
    if (page.restarted !== true) return page
  }
  return { ...(await readPage(log, BEGINNING, limit)), restarted: true }
}

async function readPage(log: CombinedLog, [first, second]: Cursors, limit: number): Promise<LogPage> {
  const { from, to, hasTimeOfTarget } = log
  const [one, ahead] = await Promise.all([from.readLog(first, limit), log.difference.read(null)])
  const left = limit - one.entries.length
  const other = left > 0 ? await to.readLog(second, left) : null
  const [shift, otherShift] = hasTimeOfTarget ? [ahead, 0] : [0, -ahead]
  return {
    entries: [
      ...one.entries.map((entry) => shiftEntry(entry, shift)),
      ...(other?.entries ?? []).map((entry) => shiftEntry(entry, otherShift)),
    ],
    cursor: toCursor([one.cursor, other === null ? second : other.cursor]),
    more: one.more || other === null || other.more,
    restarted: one.restarted === true || other?.restarted === true,
    now: hasTimeOfTarget ? one.now + ahead : one.now,
  }
}

function toCursor(cursors: Cursors): string {
  return `moved.${Buffer.from(JSON.stringify(cursors)).toString('base64url')}`
}

/** Null for a cursor of anything else. */
function readCursors(cursor: string): Cursors | null {
  const [, text] = /^moved\.([\w-]+)$/.exec(cursor) ?? []
  if (text === undefined) return null
  try {
    const [from, to] = JSON.parse(Buffer.from(text, 'base64url').toString()) as unknown[]
    return isCursor(from) && isCursor(to) ? [from, to] : null
  } catch {
    return null
  }
}

function isCursor(value: unknown): value is string | null {
  return value === null || typeof value === 'string'
}
