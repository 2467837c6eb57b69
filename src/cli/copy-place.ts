/**
 * Where a copy was broken off: a file in the folder that the command is called in, named after the
 * two stores. It has no password, and no part of a session.
 */
import { createHash } from 'node:crypto'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import type { CopyProgress } from '../stores/move.ts'
import { UsageError } from './command.ts'
import type { StoreAddress } from './stores.ts'

/** How often it is written, in milliseconds: so much is copied again after a crash. */
const EVERY = 1000

/** The place of one copy. */
export class CopyPlace {
  /** The name of the file. */
  readonly file: string
  readonly #about: Readonly<Record<'from' | 'to', string>>
  #last: CopyProgress | null = null
  #writtenAt = Number.NEGATIVE_INFINITY
  /** Why the file could not be written. */
  #failure: string | null = null

  /** @param from the store that is copied, to another one */
  constructor(from: StoreAddress, to: StoreAddress) {
    const hash = createHash('sha256').update(`${from.identity} ${to.identity}`)
    this.file = `tokenwright-copy-${hash.digest('hex').slice(0, 12)}.json`
    this.#about = { from: from.shown, to: to.shown }
  }

  /**
   * Reads where an earlier run was broken off; null where none was.
   *
   * @throws {UsageError} for a file of another kind
   */
  read(): CopyProgress | null {
    let text: string
    try {
      text = readFileSync(this.file, 'utf8')
    } catch (error) {
      if (Object(error).code === 'ENOENT') return null
      throw error
    }
    const { place, ...counts } = toRecord(text)
    const known = ['sessions', 'cutOffs', 'attempts', 'revocations'] as const
    if (typeof place !== 'string' || !known.every((name) => Number.isSafeInteger(counts[name])))
      throw new UsageError(
        `Expected the place of a copy in ${this.file}: delete it, and copy without --resume`,
      )
    return { place, ...(counts as Omit<CopyProgress, 'place'>) }
  }

  /** Notes how far the copy is, and writes it now and then. */
  note(progress: CopyProgress): void {
    this.#last =
      this.#last?.place === progress.place ? { ...this.#last, revocations: progress.revocations } : progress
    if (performance.now() - this.#writtenAt >= EVERY) this.write()
  }

  /** Writes what was noted last. Returns whether it is there now. */
  write(): boolean {
    if (this.#last === null) return false
    this.#writtenAt = performance.now()
    const text = JSON.stringify({ ...this.#about, ...this.#last }, null, 2)
    try {
      writeFileSync(`${this.file}.new`, `${text}\n`, { mode: 0o600 })
      renameSync(`${this.file}.new`, this.file)
      this.#failure = null
    } catch (error) {
      this.#failure = String(Object(error).code)
    }
    return this.#failure === null
  }

  /** What to do after the copy was broken off. */
  get advice(): string {
    if (this.#failure !== null) return `its place could not be kept (${this.#failure}), so copy again`
    return this.#last === null
      ? 'nothing was copied'
      : `the same command with --resume goes on (its place is in ${this.file})`
  }

  /** Deletes the file. */
  forget(): void {
    rmSync(this.file, { force: true })
  }
}

function toRecord(text: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(text))
  } catch {
    return {}
  }
}
