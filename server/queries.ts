/**
 * Runs queries of this server's tables. A failing database is `store_unavailable` (503): it must
 * not look like a wrong password.
 */
import { AuthError } from 'tokenwright'
import { retryTransient } from 'tokenwright/stores/sql'

/** Runs a query. @throws {AuthError} `store_unavailable` */
export type RunQuery = <T>(query: () => Promise<T>) => Promise<T>

/** How long to wait while another process locks the database, in seconds. */
export const LOCK_TIMEOUT = 2

/** Prepares it. @param failed receives the error of every query that fails */
export function createRunQuery(failed: (cause: unknown) => void = () => undefined): RunQuery {
  return async (query) => {
    try {
      return await retryTransient(query, LOCK_TIMEOUT)
    } catch (cause) {
      failed(cause)
      throw new AuthError('store_unavailable', { cause, detail: { retryAfter: 1 } })
    }
  }
}
