/** What the modules of the command share: how a command is called, its flags, wrong calls. */
import type { SqlSettings } from '../stores/sql.ts'

/** Something that the user got wrong, told in one line. */
export class UsageError extends Error {}

/** One command. */
export interface Command {
  /** What its argument is called; null for none. */
  readonly argument: string | null
  /** Returns what is to be printed. */
  readonly run: (argument: string | undefined, flags: Flags) => unknown
}

/** The commands of a module, by their names. */
export type CommandTable = Readonly<Record<string, Command>>

/** The flags of all commands. */
export interface Flags extends SqlSettings {
  /** The algorithm of a new key. */
  readonly alg?: string
  /** How long before it signs a key is announced, such as `1h`. */
  readonly announce?: string
  /** How long a key verifies after the next one signs, such as `21d`. */
  readonly retire?: string
  /** Rotates at once. */
  readonly force?: boolean
}
