/**
 * What the process says while it is under attack: console, standard output and error, warnings,
 * unhandled rejections. Kept for the assertions on leaks, and away from the report.
 */
import { format } from 'node:util'

const METHODS = ['debug', 'error', 'info', 'log', 'trace', 'warn'] as const
const STREAMS = ['stdout', 'stderr'] as const

/** Everything said since the run began. */
export interface Capture {
  /** All texts, in order. */
  readonly output: string[]
  /** Rejections that nobody handled. */
  readonly unhandled: readonly string[]
  /** Runs a part of the attack with console and streams diverted. */
  during<T>(part: () => Promise<T>): Promise<T>
  /** Stops listening to the process. */
  close(): void
}

/** Diverts console and streams into a list; gives the function that puts them back. */
function divert(output: string[]): () => void {
  const undo: (() => void)[] = []
  for (const name of METHODS) {
    const original = console[name]
    console[name] = (...values: unknown[]) => void output.push(format(...values))
    undo.push(() => {
      console[name] = original
    })
  }
  for (const name of STREAMS) {
    const stream = process[name]
    const original = stream.write
    stream.write = (chunk: string | Uint8Array) => {
      output.push(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8'))
      return true
    }
    undo.push(() => {
      stream.write = original
    })
  }
  return () => {
    for (const step of undo) step()
  }
}

/** Starts to listen to the process. */
export function startCapture(): Capture {
  const output: string[] = []
  const unhandled: string[] = []
  const onWarning = (warning: Error) => void output.push(format(warning))
  const onRejection = (reason: unknown) => void unhandled.push(format(reason))
  process.on('warning', onWarning)
  process.on('unhandledRejection', onRejection)
  return {
    output,
    unhandled,
    async during(part) {
      const restore = divert(output)
      try {
        return await part()
      } finally {
        restore()
      }
    },
    close() {
      process.off('warning', onWarning)
      process.off('unhandledRejection', onRejection)
    },
  }
}
