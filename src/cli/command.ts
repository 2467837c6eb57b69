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

/** The options with a value. `option-table.ts` says what each is. */
type TextFlag =
  | 'prefix'
  | 'schema'
  | 'wait'
  | 'alg'
  | 'announce'
  | 'retire'
  | 'from'
  | 'to'
  | 'from-prefix'
  | 'from-schema'
  | 'to-prefix'
  | 'to-schema'
  | 'store'
  | 'realm'
  | 'access-lifetime'
  | 'since'
  | 'keys'
  | 'secret'
  | 'jwks'
  | 'issuer'

/** The options without a value. */
type Switch = 'plan' | 'force' | 'resume' | 'json' | 'yes' | 'once'

/** The options with a value that may be given more than once. */
type Repeated = 'url' | 'audience'

/** The options of all commands, as they are given. */
export type Flags = Readonly<
  Partial<Record<TextFlag, string> & Record<Switch, boolean> & Record<Repeated, readonly string[]>>
>

/**
 * Runs a command.
 *
 * @returns what is to be printed; undefined for a command that has printed it itself
 */
export type RunCommand = (argument: string | undefined, flags: Flags) => unknown

/** The commands of a module, by their names. */
export type CommandTable = Readonly<Record<string, RunCommand>>
