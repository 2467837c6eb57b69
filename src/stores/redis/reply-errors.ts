/** What errors of Redis say of the connection on which they came. */

/** Whether an error says that a connection leads to a former master. */
export function isOfFormerMaster(error: unknown): boolean {
  return /^READONLY /.test(toMessage(error))
}

/** Whether an error is a reply of the server: its first word is a code. */
export function isReply(error: unknown): boolean {
  return /^[A-Z]{3,} /.test(toMessage(error))
}

/** The message of what was thrown. */
export function toMessage(error: unknown): string {
  return String((error as Error | null)?.message)
}
