/**
 * Opens what may not be there yet, such as a database that starts at the same time. Only what time
 * may mend is waited for: a wrong address of a file or a wrong password is said at once.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { ConfigurationError } from 'tokenwright'
import { codeOf } from './reason.ts'

// cspell:ignoreRegExp [A-Z0-9_]{4,}
/** What passes: no connection yet, no space for one, or a server that has only just started. */
const PASSING: ReadonlySet<string> = new Set(
  (
    'ECONNREFUSED ENOTFOUND EAI_AGAIN EHOSTUNREACH ENETUNREACH EHOSTDOWN ENETDOWN ECONNRESET EPIPE ETIMEDOUT ' +
    'PROTOCOL_CONNECTION_LOST ER_SERVER_SHUTDOWN POOL_TIMEOUT MaxRetriesPerRequestError ' +
    '57P01 57P02 57P03 08006 08003 53300 ER_CON_COUNT_ERROR MAXCLIENTS LOADING MASTERDOWN CLUSTERDOWN ' +
    'READONLY 25006 ER_OPTION_PREVENTS_STATEMENT WSREP_NOT_READY'
  ).split(' '),
)

/** The pause between two tries, in milliseconds. */
const PAUSE = 250

/** Thrown where the process is stopped while it waits. */
export class StoppedError extends Error {}

/** How long, and until when. */
export interface WaitOptions {
  /** How long to wait, in seconds; 0 for not at all. */
  readonly seconds: number
  /** Resolves when the process shall stop. */
  readonly stopped: Promise<unknown>
}

/**
 * Opens something, again and again for as long as was asked. Says once what is waited for.
 *
 * @throws {ConfigurationError} the last failure; at once where time does not mend it
 * @throws {StoppedError} when the process shall stop
 */
export async function openInTime<T>(
  open: () => Promise<T>,
  { seconds, stopped }: WaitOptions,
  say: (line: string) => void = console.error,
): Promise<T> {
  const end = performance.now() + seconds * 1000
  for (let tries = 1; ; tries++) {
    try {
      return await open()
    } catch (error) {
      if (!isPassing(error) || performance.now() >= end) throw error
      if (tries === 1) say(`Waiting for up to ${seconds} s: ${error.message}`)
      const isStopped = await Promise.race([stopped.then(() => true), sleep(PAUSE, false)])
      if (isStopped) throw new StoppedError('stopped while it waited')
    }
  }
}

function isPassing(error: unknown): error is ConfigurationError {
  return error instanceof ConfigurationError && PASSING.has(codeOf(error.cause))
}
