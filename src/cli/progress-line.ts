/** A line on a terminal that is written again and again while something takes long. */

/** Where it is written, such as `process.stderr`. */
export interface Terminal {
  /** Whether it is a terminal; undefined for a file or a pipe. */
  readonly isTTY?: boolean
  /** How many columns it has; 0 where it does not know. */
  readonly columns?: number
  /** Writes. */
  write(text: string): unknown
}

/** The shortest time between two writings, in milliseconds. */
const PAUSE = 100

/** How many columns there are where the terminal does not know it. */
const WIDTH = 80

/** The line. On anything but a terminal nothing is written. */
export class ProgressLine {
  readonly #terminal: Terminal
  readonly #now: () => number
  #writtenAt = Number.NEGATIVE_INFINITY

  /** @param now the time in milliseconds, default that of this process */
  constructor(terminal: Terminal, now: () => number = () => performance.now()) {
    this.#terminal = terminal
    this.#now = now
  }

  /** Shows a text instead of the one before; not more often than ten times a second. */
  show(text: string): void {
    const { isTTY, columns } = this.#terminal
    if (isTTY !== true || this.#now() - this.#writtenAt < PAUSE) return
    this.#writtenAt = this.#now()
    // A longer one would go on in a second line, which is not written again.
    this.#terminal.write(`\r${text.slice(0, (columns || WIDTH) - 1)}\u001b[K`)
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#terminal.isTTY === true && this.#writtenAt > Number.NEGATIVE_INFINITY)
      this.#terminal.write('\r\u001b[K')
  }
}

/**
 * Does work of which nothing is known until it is done, and shows for how long.
 *
 * @param what what is done, such as `Migrating`
 */
export async function showElapsed<T>(what: string, terminal: Terminal, work: () => Promise<T>): Promise<T> {
  const line = new ProgressLine(terminal)
  const startedAt = performance.now()
  const timer = setInterval(() => line.show(`${what}, ${toSeconds(startedAt)} s`), TICK)
  try {
    return await work()
  } finally {
    clearInterval(timer)
    line.clear()
  }
}

/** How often the time is shown, in milliseconds. */
const TICK = 1000

function toSeconds(startedAt: number): number {
  return Math.round((performance.now() - startedAt) / 1000)
}
