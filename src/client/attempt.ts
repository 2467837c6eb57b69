/** What a browser may deny, in frames and with blocked cookies, and what may be damaged. */

/** Runs it. Returns undefined when it throws. */
export function attempt<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch {
    return undefined
  }
}
