/** How many cases are done: a line on a terminal, which goes before anything else is printed. */

import { writeSync } from 'node:fs'

/** The part of a stream that is used. */
export interface ProgressStream {
  readonly isTTY?: boolean
  write(text: string): unknown
}

/** The standard error output, also while what this process prints is captured. */
const UNCAPTURED: ProgressStream = {
  isTTY: process.stderr.isTTY,
  write: (text) => writeSync(process.stderr.fd, text),
}

/** Counts the cases that are done. */
export class Progress {
  readonly #total: number
  readonly #stream: ProgressStream
  #done = 0

  /** @param total how many cases there are */
  constructor(total: number, stream: ProgressStream = UNCAPTURED) {
    this.#total = total
    this.#stream = stream
  }

  /** Prints the lines of a case that has ended, and shows how many have. */
  note(print: () => void): void {
    this.#done += 1
    this.clear()
    print()
    if (this.#stream.isTTY && this.#done < this.#total)
      this.#stream.write(`\r${this.#done} of ${this.#total} cases`)
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#stream.isTTY) this.#stream.write('\r\u001b[K')
  }

  /** Says how many were done before the run was broken off. */
  breakOff(): void {
    this.clear()
    this.#stream.write(`attack: broken off after ${this.#done} of ${this.#total} cases\n`)
  }
}
