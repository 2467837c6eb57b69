/** The commands about what a store collects: the log of revocations, and what has ended. */
import { setTimeout as pause } from 'node:timers/promises'
import { type Duration, toSeconds } from '../internal/duration.ts'
import type { LogEntry, LogPage } from '../session/log-entry.ts'
import { toIso } from '../token/key-rotation.ts'
import { type CommandTable, type Flags, InterruptedError } from './command.ts'
import { ProgressLine } from './progress-line.ts'
import { withStore } from './stores.ts'
import { createPaint, toPrintable } from './terminal.ts'
import { runUntilSignal } from './until-signal.ts'

/** `revocations tail` and `prune`. */
export const LOG_COMMANDS: CommandTable = {
  'revocations tail': (_argument, flags) => tail(flags),
  prune: (_argument, flags) => prune(flags),
}

/** How many entries are read at once. */
const PAGE = 1000

/** How often the log is read at its end, in milliseconds. */
const PAUSE = 500

/** The bounds of `--since`, in seconds. */
const ANY_PAST = { min: 0, max: 100 * 366 * 86_400 }

/** What the kinds of entries are called. */
const KINDS: Readonly<Record<LogEntry['kind'], string>> = { sid: 'session', jti: 'token', sub: 'subject' }

/** Prints the entries as they come. */
function tail(flags: Flags): Promise<void> {
  const back = toSeconds('--since', (flags.since ?? '10m') as Duration, ANY_PAST)
  const toLine = flags.json ? toJson : createToWords()
  return withStore(flags, (store) =>
    runUntilSignal(async (signal) => {
      const since = (await store.now()) - back
      for (let cursor: string | null = null; ; ) {
        const page: LogPage = await store.readLog(cursor, PAGE)
        signal.throwIfAborted()
        if (page.restarted && cursor !== null) process.stderr.write('The log begins anew\n')
        for (const entry of page.entries) if (entry.at >= since) process.stdout.write(`${toLine(entry)}\n`)
        cursor = page.cursor
        if (!page.more && flags.once) return
        if (!page.more) await pause(PAUSE, undefined, { signal }).catch(() => signal.throwIfAborted())
      }
    }),
  )
}

function toJson({ kind, key, realm, at, until }: LogEntry): string {
  const owner = realm === undefined ? {} : { realm }
  return JSON.stringify({ kind: KINDS[kind], key, ...owner, at: toIso(at), until: toIso(until) })
}

function createToWords(): (entry: LogEntry) => string {
  const paint = createPaint(process.stdout)
  return ({ kind, key, realm, at }) => {
    const inRealm = typeof realm === 'string' ? ` in the realm ${realm}` : ''
    return `${paint('dim', toIso(at))}  ${KINDS[kind].padEnd(7)}  ${toPrintable(key + inRealm)}`
  }
}

/** A call that deletes fewer records has come to the end. */
const FEW = 100

/** Deletes until little is left. */
async function prune(flags: Flags): Promise<string> {
  const line = new ProgressLine(process.stderr)
  let deleted = 0
  const startedAt = performance.now()
  try {
    await withStore(flags, (store) =>
      runUntilSignal(async (signal) => {
        for (let count = FEW; count >= FEW; ) {
          count = await store.prune(null)
          deleted += count
          line.show(`${deleted} records deleted`)
          signal.throwIfAborted()
        }
      }),
    )
  } catch (error) {
    if (error instanceof InterruptedError) error.message += `: ${deleted} records were deleted`
    throw error
  } finally {
    line.clear()
  }
  const seconds = Math.round(performance.now() - startedAt) / 1000
  return flags.json ? JSON.stringify({ deleted, seconds }) : `Deleted ${deleted} records in ${seconds} s`
}
