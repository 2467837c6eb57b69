/**
 * Captures what this process prints while it is under attack: console, standard output, standard
 * error, warnings and unhandled rejections. The assertions on leaks search it, and the report stays
 * free of it.
 */
import { format } from 'node:util'

const METHODS = ['debug', 'error', 'info', 'log', 'trace', 'warn'] as const
const STREAMS = ['stdout', 'stderr'] as const

/** Everything printed since the run began. */
export interface Capture {
  /** All texts, in order. */
  readonly output: string[]
  /** Unhandled rejections. */
  readonly unhandled: readonly string[]
  /** Runs a part of the attack with the console and the streams diverted. */
  during<T>(part: () => Promise<T>): Promise<T>
  /** Removes the listeners from the process. */
  close(): void
}

/** Diverts the console and the streams to a list. Returns the function that restores them. */
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

/** Adds the listeners to the process. */
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
