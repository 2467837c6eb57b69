/**
 * The commands about the sessions of a subject. They call the store and no application. Running
 * processes learn of an end by its log, as they learn of those in other processes.
 */
import { createInterface } from 'node:readline/promises'
import { DEFAULTS } from '../auth/resolve-options.ts'
import { type Duration, toSeconds } from '../internal/duration.ts'
import { resolveSessions, type SessionSettings } from '../session/resolve-session-options.ts'
import type { SessionOwner, SessionRow } from '../session/session-row.ts'
import { MOST_LISTED, type Store } from '../session/store.ts'
import { toIso } from '../token/key-rotation.ts'
import { type CommandTable, type Flags, InterruptedError, UsageError } from './command.ts'
import { withStore } from './stores.ts'
import { createPaint, formatTable, toPrintable } from './terminal.ts'

/** `sessions ...`. */
export const SESSION_COMMANDS: CommandTable = {
  'sessions list': list,
  'sessions end': end,
  'sessions end-all': endAll,
}

/** Bounds of `--access-lifetime`, in seconds: an application takes no longer lives. */
const LIVES = { min: 1, max: toSeconds('limits.lifetime', DEFAULTS.limits.lifetime, { min: 1, max: 1e9 }) }

async function list(subject: string | undefined, flags: Flags): Promise<string> {
  const owner = readOwner(subject, flags)
  const rows = await withStore(flags, (store) => store.list(owner, null))
  if (flags.json) return JSON.stringify(rows.map(toPlainSession))
  if (rows.length === 0) return `No live session of ${describeOwner(owner)}${hintAtRealms(owner)}`
  if (rows.length === MOST_LISTED) process.stderr.write(`These are the newest ${MOST_LISTED}\n`)
  const heading = ['session', 'started', 'last used', 'ends unused', 'ends', 'address', 'device']
  return formatTable(heading, rows.map(toCells), createPaint(process.stdout))
}

function toCells(row: SessionRow): string[] {
  const { label, lastUserAgent, userAgent } = row
  const times = [row.createdAt, row.lastUsedAt, row.idleExpiresAt, row.absoluteExpiresAt]
  return [
    row.sid,
    ...times.map(toIso),
    row.lastIp ?? row.ip ?? '-',
    [label, lastUserAgent ?? userAgent].filter((text) => text !== null).join(': ') || '-',
  ]
}

/** A session as JSON, with times as texts. */
function toPlainSession(row: SessionRow): object {
  return {
    sid: row.sid,
    subject: row.sub,
    realm: row.realm,
    startedAt: toIso(row.createdAt),
    lastUsedAt: toIso(row.lastUsedAt),
    idleExpiresAt: toIso(row.idleExpiresAt),
    absoluteExpiresAt: toIso(row.absoluteExpiresAt),
    authTime: row.authTime === null ? null : toIso(row.authTime),
    scopes: row.scopes,
    label: row.label,
    address: row.lastIp ?? row.ip,
    userAgent: row.lastUserAgent ?? row.userAgent,
  }
}

async function end(sid: string | undefined, flags: Flags): Promise<string> {
  if (!sid) throw new UsageError('Expected a session, such as: tokenwright sessions end <sid>')
  const { row, wasLive } = await withStore(flags, async (store) => {
    const { logTtl } = resolveRules(store, flags)
    return { row: await store.get(sid), wasLive: await store.end(sid, 'ended', { logTtl, now: null }) }
  })
  const result = { sid, subject: row?.sub ?? null, realm: row?.realm ?? null, ended: wasLive }
  if (flags.json) return JSON.stringify(result)
  if (wasLive && row !== null) return `Ended the session of ${describeOwner(row)}`
  return row === null
    ? 'The store has no such session: tokens that name it are refused from now on'
    : `The session of ${describeOwner(row)} had ended before`
}

async function endAll(subject: string | undefined, flags: Flags): Promise<string> {
  const owner = readOwner(subject, flags)
  const count = await withStore(flags, async (store) => {
    const { logTtl, cutOffTtl } = resolveRules(store, flags)
    await confirm(store, owner, flags)
    return store.endAll(owner, 'subject_revoked', { logTtl, cutOff: cutOffTtl, except: null, now: null })
  })
  if (flags.json) return JSON.stringify({ subject: owner.sub, realm: owner.realm, ended: count })
  const sessions = count === 1 ? '1 session' : `${count} sessions`
  const hint = count === 0 ? hintAtRealms(owner) : ''
  return `Ended ${sessions} of ${describeOwner(owner)}${hint}; tokens from before are refused`
}

/** Asks on a terminal. @throws {UsageError} unless the reply is yes */
async function confirm(store: Store, owner: SessionOwner, { yes }: Flags): Promise<void> {
  if (yes || !process.stdin.isTTY || !process.stderr.isTTY) return
  const { length } = await store.list(owner, null)
  const asked = `End ${length} live sessions and all tokens of ${describeOwner(owner)}? [y/N] `
  if (!/^y(es)?$/i.test((await askUser(asked)).trim())) throw new UsageError('Nothing was ended')
}

/** Asks for a line. The end of the input is an empty one. @throws {InterruptedError} */
function askUser(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  const reply = new Promise<string>((resolve, reject) => {
    lines.once('SIGINT', () => reject(new InterruptedError('SIGINT')))
    lines.once('close', () => resolve(''))
    lines.question(question).then(resolve, reject)
  })
  return reply.finally(() => lines.close())
}

/** For how long what is ended is remembered: for longer than any token of an application lives. */
function resolveRules(store: Store, { 'access-lifetime': given = '30d' }: Flags): SessionSettings<unknown> {
  const accessTtl = toSeconds('--access-lifetime', given as Duration, LIVES)
  const leeway = toSeconds('leeway', DEFAULTS.leeway, LIVES)
  const context = { accessTtl, leeway, maxLifetime: LIVES.max, realm: undefined }
  const settings = resolveSessions({ store }, undefined, context)
  if (settings === null) throw new UsageError('Expected a store')
  return settings.sessions
}

function readOwner(subject: string | undefined, { realm }: Flags): SessionOwner {
  if (!subject) throw new UsageError('Expected a subject, such as: tokenwright sessions list user-42')
  return { sub: subject, realm: realm ?? null }
}

/** A subject without a realm is not that of any realm. */
function hintAtRealms({ realm }: SessionOwner): string {
  return realm === null ? ' (one of a realm needs --realm)' : ''
}

function describeOwner({ sub, realm }: SessionOwner): string {
  return toPrintable(realm === null ? sub : `${sub} in the realm ${realm}`)
}
