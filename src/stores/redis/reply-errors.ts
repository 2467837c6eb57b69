/** What errors of Redis say of the connection on which they came. */
import type { Occasionally } from './reply-timeout.ts'

/** Replaces a connection to a former master: what leads to the master now may be another server. */
export async function leaveDemoted<T>(demoted: Occasionally, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    replaceDemoted(demoted, error)
    throw error
  }
}

/** Replaces it where an error says that it leads to a former master. */
export function replaceDemoted(demoted: Occasionally, error: unknown): void {
  if (/^READONLY /.test(toMessage(error))) demoted.act()
}

/** Whether an error is a reply of the server: its first word is a code. */
export function isReply(error: unknown): boolean {
  return /^[A-Z]{3,} /.test(toMessage(error))
}

/** The message of what was thrown. */
export function toMessage(error: unknown): string {
  return String((error as Error | null)?.message)
}
