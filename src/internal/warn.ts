/**
 * Warnings to the operator, of setups that cannot work as they are meant. Platforms without Node's
 * warnings, such as Workers, get them on the console.
 */

/**
 * Prints a warning.
 *
 * @param code what a log can be searched for, such as `TOKENWRIGHT_BASE_PATH`
 * @param message what is wrong and how to mend it; never a part of a secret or a token
 */
export function warn(code: string, message: string, type = 'TokenwrightWarning'): void {
  const { process } = globalThis as { process?: { emitWarning?(text: string, options: object): void } }
  if (typeof process?.emitWarning === 'function') process.emitWarning(message, { type, code })
  else console.warn(message)
}

/**
 * Creates a function that prints each warning once.
 *
 * @param silenced codes that are not printed at all
 */
export function createWarnOnce(silenced: readonly string[] = []): WarnOnce {
  const printed = new Set(silenced)
  return (code, message, subject = code) => {
    if (silenced.includes(code) || printed.has(subject)) return
    printed.add(subject)
    warn(code, message)
  }
}

/**
 * Prints a warning, unless it was printed before.
 *
 * @param subject what it is about, where one code has several warnings
 */
export type WarnOnce = (code: string, message: string, subject?: string) => void
