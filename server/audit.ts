/**
 * The audit log: session events and refusals on standard output, failures on standard error, one
 * line each.
 *
 * No line contains a token, a key or a password. The only text from a request is a user's name,
 * which is quoted if it could be read as something else. Refusals and failures can come in floods,
 * so each cause gets at most one line a second.
 */
import { type AuthEvents, explainFailure, type Listeners } from 'tokenwright'
import { codeOf } from './reason.ts'

/** The audit log of one server. */
export interface Audit {
  /** The listeners for `createAuth`. */
  readonly on: Listeners<AuthEvents>
  /** Records what a user has changed of the account, such as `passkey added`. */
  changed(sub: string, what: string): void
  /** Records that a part of the server failed, such as its database. */
  failed(part: string, cause: unknown): void
}

/** Where the lines go, and a monotonic clock in seconds. */
export interface AuditOptions {
  readonly write?: (line: string) => void
  readonly complain?: (line: string) => void
  readonly now?: () => number
}

/** The session events that are recorded. */
const SESSION_EVENTS = [
  'started',
  'refreshed',
  'replayed',
  'reused',
  'healed',
  'steppedUp',
  'ended',
  'unknown',
] as const

/** Creates the audit log. */
export function createAudit({
  write = console.log,
  complain = console.error,
  now = () => performance.now() / 1000,
}: AuditOptions = {}): Audit {
  const limit = createLimit(now)
  const record = (event: string, facts: Readonly<Record<string, string | null>>) =>
    write(toLine(event, facts))
  const recordSessions = SESSION_EVENTS.map((event) => [
    event,
    ({ sid, sub }: AuthEvents['started']) => record(event, { sid, sub }),
  ])
  return {
    on: {
      ...Object.fromEntries(recordSessions),
      lost({ lost, restored }) {
        record('lost', { revocations: String(lost), restored: String(restored) })
      },
      storeDown({ cause }) {
        complain(toLine('storeDown', toCause(cause)))
      },
      storeUp() {
        record('storeUp', {})
      },
      refused({ code, method, cause }) {
        const held = limit(`refused ${code}`)
        if (held === null) return
        record('refused', {
          code,
          method,
          ...toCause(cause),
          more: count(held),
        })
      },
    },
    changed: (sub, what) => record('changed', { sub, what }),
    failed(part, cause) {
      const code = codeOf(cause)
      const held = limit(`${part} ${code}`)
      if (held !== null) complain(toLine('failed', { part, ...toCause(cause), more: count(held) }))
    },
  }
}

/** What a failure was; for databases and Redis also in words, and what to do. */
function toCause(cause: unknown): Readonly<Record<string, string | null>> {
  if (cause === undefined) return { cause: null }
  const known = explainFailure(cause)
  return { cause: codeOf(cause), reason: known?.reason ?? null, advice: known?.advice ?? null }
}

/** `audit <event> name=value ...`, without the facts that are null. */
function toLine(event: string, facts: Readonly<Record<string, string | null>>): string {
  const words = Object.entries(facts).flatMap(([name, value]) =>
    value === null ? [] : [`${name}=${quote(value)}`],
  )
  return ['audit', event, ...words].join(' ')
}

/** A value as it is, or as ASCII-only JSON if it could be read as more than one value. */
function quote(value: string): string {
  if (/^[\w.:@+-]+$/.test(value)) return value
  return JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** How many similar lines were suppressed; null for none. */
function count(held: number): string | null {
  return held === 0 ? null : String(held)
}

/**
 * Allows one line a second per cause. Returns how many lines were suppressed before this one, or
 * null to suppress it.
 */
function createLimit(now: () => number): (cause: string) => number | null {
  const lines = new Map<string, { at: number; held: number }>()
  return (cause) => {
    const last = lines.get(cause)
    if (last && now() - last.at < 1) {
      last.held++
      return null
    }
    lines.set(cause, { at: now(), held: 0 })
    return last?.held ?? 0
  }
}
