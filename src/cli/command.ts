/** What the modules of the command share: how a command is called, its options, wrong calls. */

/** Something that the user got wrong, told in one line. */
export class UsageError extends Error {}

/** A command that a signal broke off. */
export class InterruptedError extends Error {
  /** 128 and the number of the signal, as shells have it. */
  readonly exitCode: number

  /** @param signal the signal */
  constructor(signal: 'SIGINT' | 'SIGTERM') {
    super(`Interrupted by ${signal}`)
    this.exitCode = signal === 'SIGINT' ? 130 : 143
  }
}

/** One command. */
export interface Command {
  /** What its argument is called; null for none. */
  readonly argument: string | null
  /** The options that it takes. */
  readonly options: readonly (keyof Flags)[]
  /** Returns what is to be printed. */
  readonly run: (argument: string | undefined, flags: Flags) => unknown
}

/** The commands of a module, by their names. */
export type CommandTable = Readonly<Record<string, Command>>

/** The options of all commands, as they are given. */
export interface Flags {
  /** What the names of tables begin with. */
  readonly prefix?: string
  /** The tables' schema, on MySQL the database. */
  readonly schema?: string
  /** How long a migration waits for locks in all, such as `5m`. */
  readonly wait?: string
  /** Prints what a migration would carry out, and changes nothing. */
  readonly plan?: boolean
  /** The algorithm of a new key. */
  readonly alg?: string
  /** How long before it signs a key is announced, such as `1h`. */
  readonly announce?: string
  /** How long a key verifies after the next one signs, such as `21d`. */
  readonly retire?: string
  /** Rotates at once. */
  readonly force?: boolean
  /** The URL of the store that has the sessions. */
  readonly from?: string
  /** The URL of the store that gets them. */
  readonly to?: string
  /** What the names of tables or keys begin with in the one. */
  readonly 'from-prefix'?: string
  /** And in the other. */
  readonly 'to-prefix'?: string
  /** Goes on where an earlier run was broken off. */
  readonly resume?: boolean
  /** Prints the result as JSON. */
  readonly json?: boolean
}
