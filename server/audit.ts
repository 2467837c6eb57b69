/**
 * What happened, for whoever keeps watch: one line per event of a session on standard output, and
 * what failed on standard error. No line holds a token, a key, a password or anything that a
 * request brought but a user's name, which is quoted where it could pass for more. Refusals and
 * failures come in floods: one line a second per cause.
 */
import type { AuthEvents, Listeners } from 'tokenwright'
import { codeOf } from './reason.ts'

/** The audit of one server. */
export interface Audit {
  /** The listeners for `createAuth`. */
  readonly on: Listeners<AuthEvents>
  /** Tells that a part of the server failed, such as its database. */
  failed(part: string, cause: unknown): void
}

/** Where lines go, and the present moment in seconds. */
export interface AuditParts {
  readonly write?: (line: string) => void
  readonly complain?: (line: string) => void
  readonly now?: () => number
}

/** The events of sessions, each of which has its line. */
const SESSION_EVENTS = ['started', 'refreshed', 'replayed', 'reused', 'healed', 'steppedUp', 'ended'] as const

/** Prepares the audit. */
export function createAudit({
  write = console.log,
  complain = console.error,
  now = () => performance.now() / 1000,
}: AuditParts = {}): Audit {
  const limit = createLimit(now)
  const tell = (event: string, facts: Readonly<Record<string, string | null>>) => write(word(event, facts))
  const tellOfSession = SESSION_EVENTS.map((event) => [
    event,
    ({ sid, sub }: AuthEvents['started']) => tell(event, { sid, sub }),
  ])
  return {
    on: {
      ...Object.fromEntries(tellOfSession),
      refused({ code, method, cause }) {
        const held = limit(`refused ${code}`)
        if (held === null) return
        tell('refused', {
          code,
          method,
          cause: cause === undefined ? null : codeOf(cause),
          more: count(held),
        })
      },
    },
    failed(part, cause) {
      const code = codeOf(cause)
      const held = limit(`${part} ${code}`)
      if (held !== null) complain(word('failed', { part, cause: code, more: count(held) }))
    },
  }
}

/** `audit <event> name=value ...`; what is null is left out. */
function word(event: string, facts: Readonly<Record<string, string | null>>): string {
  const words = Object.entries(facts).flatMap(([name, value]) =>
    value === null ? [] : [`${name}=${quote(value)}`],
  )
  return ['audit', event, ...words].join(' ')
}

/** A value as it is, or, where it could break the line or its neighbors, as JSON in plain ASCII. */
function quote(value: string): string {
  if (/^[\w.:@+-]+$/.test(value)) return value
  return JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** How many like it were held back, where any were. */
function count(held: number): string | null {
  return held === 0 ? null : String(held)
}

/**
 * Lets one line a second pass for each cause: answers how many were held back before it, or null to
 * hold it back.
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
