/**
 * The audit log: session events and refusals on standard output, failures on standard error, one
 * line each: JSON for machines, or text for a person at a terminal.
 *
 * No line contains a token, a key or a password. Text of a request is escaped to ASCII, so that it
 * can add no line and nothing that a terminal obeys. Refusals and failures can come in floods, so
 * each cause gets at most one line a second; only a wrong password always has its own, as it says
 * which account was tried from where.
 */
import { type AuthEvents, ERRORS, explainFailure, type Listeners } from 'tokenwright'
import { codeOf } from './reason.ts'
import type { RequestFacts } from './request-context.ts'

/** The audit log of one server. */
export interface Audit {
  /** The listeners for `createAuth`. */
  readonly on: Listeners<AuthEvents>
  /** Records what a user has changed of the account, such as `passkey added`. */
  changed(sub: string, what: string): void
  /** Records that a part of the server failed, such as its database. */
  failed(part: string, cause: unknown): void
}

/** How a line is written. */
export type AuditFormat = 'json' | 'text'

/** Where the lines go, and what they are made with. */
export interface AuditOptions {
  /** Default `'text'`. */
  readonly format?: AuditFormat
  readonly write?: (line: string) => void
  readonly complain?: (line: string) => void
  /** A monotonic clock in seconds. */
  readonly now?: () => number
  /** The time of a line. */
  readonly date?: () => Date
  /** What is known of the request that is being served. */
  readonly request?: () => RequestFacts | undefined
}

/** How much a line matters: `warn` for what an operator should count, `error` for what fails. */
type Level = 'info' | 'warn' | 'error'

/** What a line says; null is left out. */
type Facts = Readonly<Record<string, string | number | null>>

/** The session events that are recorded. */
const SESSION_EVENTS = {
  started: 'info',
  refreshed: 'info',
  replayed: 'info',
  reused: 'warn',
  shadowed: 'warn',
  healed: 'warn',
  steppedUp: 'info',
  unknown: 'warn',
} as const satisfies Partial<Record<keyof AuthEvents, Level>>

/** Creates the audit log. */
export function createAudit(options: AuditOptions = {}): Audit {
  const { now = () => performance.now() / 1000 } = options
  const limit = createLimit(now)
  const record = createRecord(options)
  const sessionEvents = Object.entries(SESSION_EVENTS).map(([event, level]) => [
    event,
    ({ sid, sub }: AuthEvents['started']) => record(level, event, { sid, sub }),
  ])
  return {
    on: {
      ...Object.fromEntries(sessionEvents),
      ended: ({ sid, sub, reason, count }) => record('info', 'ended', { sid, sub, why: reason, count }),
      lost: ({ lost, restored }) => record('warn', 'lost', { revocations: lost, restored }),
      storeDown: ({ cause }) => record('error', 'storeDown', toCause(cause)),
      storeUp: () => record('info', 'storeUp', {}),
      refused({ code, method, route, address, network, account, sub, userAgent, cause }) {
        const held = code === 'credentials_invalid' ? 0 : limit(`refused ${code}`)
        if (held === null) return
        const where = { method, route: route.slice(0, LONGEST), address, network, agent: userAgent }
        const facts = { code, ...where, account, sub, ...toCause(cause), more: toCount(held) }
        record(levelOf(code, account), 'refused', facts)
      },
      failed({ error, method, route }) {
        const held = limit(`failed ${codeOf(error)}`)
        const facts = { method, route: route.slice(0, LONGEST), ...toDefect(error) }
        if (held !== null) record('error', 'failed', { ...facts, more: toCount(held) })
      },
    },
    changed: (sub, what) => record('info', 'changed', { sub, what }),
    failed(part, cause) {
      const held = limit(`${part} ${codeOf(cause)}`)
      if (held !== null) record('error', 'failed', { part, ...toCause(cause), more: toCount(held) })
    },
  }
}

/** The longest path that is written, in characters. */
const LONGEST = 256

/** Creates what writes a line. Whoever looks at a terminal knows the time. */
function createRecord({
  format = 'text',
  write = console.log,
  complain = console.error,
  date = () => new Date(),
  request = () => undefined,
}: AuditOptions): (level: Level, event: string, facts: Facts) => void {
  return (level, event, facts) => {
    const known = request()
    const output = level === 'error' ? complain : write
    if (format === 'text') return output(toText(event, { ...facts, request: known?.request ?? null }))
    const whole = { time: date().toISOString(), level, event, ...known, ...withoutNull(facts) }
    output(toAscii(JSON.stringify(withoutNull(whole))))
  }
}

/** An outage is an error, and the trial of a password is worth counting. */
function levelOf(code: AuthEvents['refused']['code'], account: string | null): Level {
  if (ERRORS[code].status >= 500) return 'error'
  return account === null ? 'info' : 'warn'
}

/** What a failure was; for databases and Redis also in words, and what to do. */
function toCause(cause: unknown): Facts {
  if (cause === undefined) return {}
  const known = explainFailure(cause)
  return { cause: codeOf(cause), reason: known?.reason ?? null, advice: known?.advice ?? null }
}

/** A defect. Only a `ConfigurationError` has a message that quotes no request. */
function toDefect(error: unknown): Facts {
  const isOwn = error instanceof Error && error.name === 'ConfigurationError'
  return { cause: codeOf(error), reason: isOwn ? error.message : null }
}

/** `audit <event> name=value ...`, without the facts that are null. */
function toText(event: string, facts: Facts): string {
  const words = Object.entries(withoutNull(facts)).map(([name, value]) => `${name}=${quote(String(value))}`)
  return ['audit', event, ...words].join(' ')
}

function withoutNull(facts: Facts): Facts {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== null))
}

/** A value as it is, or as JSON if it could be read as more than one value. */
function quote(value: string): string {
  return /^[\w.:@+/-]+$/.test(value) ? value : toAscii(JSON.stringify(value))
}

/** JSON in which nothing but printable ASCII is left as it is. */
function toAscii(json: string): string {
  return json.replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** How many similar lines were suppressed; null for none. */
function toCount(held: number): number | null {
  return held === 0 ? null : held
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
