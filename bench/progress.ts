/** What is being measured, on a terminal. Nothing is written to a file or a pipe. */
import { spinner } from '@clack/prompts'

/** Shows what is being measured. */
export interface Progress {
  show(text: string): void
  /** Takes the line away, so that a result can be printed. */
  clear(): void
}

const HIDDEN: Progress = { show: () => undefined, clear: () => undefined }

/** Opens the line; it is written to standard error, as the results may be sent to a file. */
export function createProgress(terminal: NodeJS.WriteStream = process.stderr): Progress {
  if (terminal.isTTY !== true) return HIDDEN
  let line: ReturnType<typeof spinner> | undefined
  return {
    show(text) {
      if (line !== undefined) return line.message(text)
      line = spinner({ output: terminal, indicator: 'timer' })
      line.start(text)
    },
    clear() {
      line?.clear()
      line = undefined
    },
  }
}
