/**
 * Retries a statement or transaction that a database aborted because of concurrent writers. Each of
 * these failures guarantees that nothing was written, so a retry is safe.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { ConfigurationError, expected, isCallable } from '../../internal/configuration-error.ts'
import { StaleReadError } from './causal.ts'
import {
  type DriverError,
  isCutOff,
  isDriverError,
  isReadOnly,
  STATEMENT_NAME_CODES,
} from './driver-error.ts'

/**
 * Serialization failure, deadlock, lock not available; a statement's name behind a pooler, after
 * which it is sent without (`pg-pool.ts`). Galera reports a conflict with another node as a
 * deadlock, at any statement and at the commit: then nothing is written. A commit that fails
 * because the node has lost the others (1180) may be carried out by them.
 */
const TRANSIENT: ReadonlySet<unknown> = new Set([
  '40001',
  '40P01',
  ...STATEMENT_NAME_CODES,
  '55P03',
  'ER_LOCK_DEADLOCK',
  'ER_LOCK_WAIT_TIMEOUT',
  'ER_CHECKREAD',
])

/** SQLITE_BUSY and SQLITE_LOCKED, in the low byte of SQLite's extended result codes. */
const BUSY: ReadonlySet<number> = new Set([5, 6])

/** A batch found that a row had changed since it was read (`locked-rows.ts`). */
const CHANGED = /UNIQUE constraint failed: \S*counters\.name/

/** How often a step is tried on servers that refuse to do it: each time on another connection. */
const MOST_REFUSALS = 5

/** The longest pause before another try, in seconds; each pause is a random part of its bound. */
const LONGEST_PAUSE = 0.05
const FIRST_PAUSE = 0.004

/** A failure after a change that is committed: whatever its cause is, nothing may run again. */
export class CommittedError extends Error {}

/** Whether a failure means that nothing was written and that a retry may help. */
export function isTransient(error: unknown): boolean {
  if (error instanceof CommittedError) return false
  return error instanceof StaleReadError || isRefusal(error) || isDriverError(error, isTransientItself)
}

/** Whether a server is up and refuses, while another one may not. */
function isRefusal(error: unknown): boolean {
  return isReadOnly(error) || isCutOff(error)
}

function isTransientItself({ code, errcode, errno, message }: DriverError): boolean {
  if (TRANSIENT.has(code) || CHANGED.test(String(message))) return true
  if (typeof code === 'string' && /^SQLITE_(BUSY|LOCKED)/.test(code)) return true
  if (/^D1_ERROR: database is locked/.test(String(message))) return true
  // Drivers with the interface of node:sqlite have the result code in `errcode`, but not always.
  if (code === 'ERR_SQLITE_ERROR') {
    return typeof errcode === 'number' ? BUSY.has(errcode & 0xff) : /is locked/.test(String(message))
  }
  return errno === 1213 || errno === 1205 || errno === 1020
}

/**
 * Runs a step, and again after each transient failure, with growing random pauses.
 *
 * @param deadline seconds after which no other try starts
 * @throws {ConfigurationError} for arguments of the wrong kind
 * @throws the error of the last try
 */
export async function retry<T>(step: () => Promise<T>, deadline: number): Promise<T> {
  if (!isCallable(step)) throw new ConfigurationError(expected('step', 'a function', step))
  if (!(Number.isFinite(deadline) && deadline >= 0))
    throw new ConfigurationError(expected('deadline', 'a number of seconds', deadline))
  const end = performance.now() + deadline * 1000
  let refusals = 0
  for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    try {
      return await step()
    } catch (error) {
      const wait = pause * Math.random() * 1000
      if (isRefusal(error)) refusals += 1
      if (refusals >= MOST_REFUSALS) throw error
      if (!isTransient(error) || performance.now() + wait >= end) throw error
      await sleep(wait)
    }
  }
}
