/** Work that SIGINT and SIGTERM break off. */
import { InterruptedError } from './command.ts'

/**
 * Runs work until its end, a failure or a signal. A second signal ends the process at once.
 *
 * @param work is told of the signal by an `AbortSignal`, whose reason is an `InterruptedError`
 */
export async function runUntilSignal<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const stop = (signal: 'SIGINT' | 'SIGTERM') => () => controller.abort(new InterruptedError(signal))
  const signals = { SIGINT: stop('SIGINT'), SIGTERM: stop('SIGTERM') }
  for (const [name, listener] of Object.entries(signals)) process.once(name, listener)
  try {
    return await work(controller.signal)
  } finally {
    for (const [name, listener] of Object.entries(signals)) process.removeListener(name, listener)
  }
}
