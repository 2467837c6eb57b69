/**
 * Writes revocations into a store again that has lost them: it failed over to a replica that was
 * behind, or an older state of it was restored. As long as one process lives that knows of them,
 * none comes back to life.
 */
import type { LogEntry } from './store.ts'
import type { StoreClient } from './store-client.ts'

/** What a store has lost, for the application's listeners. */
export interface LostRevocations {
  /** How many revocations this process knows and the store had lost. */
  readonly lost: number
  /** How many of them are stored again. */
  readonly restored: number
}

/** What the restorer needs. */
export interface RestorerSettings {
  /** The realm of the application's subjects; null for none. */
  readonly realm: string | null
  /** How long a subject's cut-off lives, in seconds. */
  readonly cutOffTtl: number
}

/** How many entries are written at once. */
const AT_ONCE = 8

/** Stores lost revocations again. */
export class RevocationRestorer {
  readonly #client: StoreClient
  readonly #settings: RestorerSettings
  readonly #report: (lost: LostRevocations) => void
  /** What could not be stored yet, by kind and key. */
  readonly #left = new Map<string, LogEntry>()
  #isRunning = false

  /** @param report called after each try that stored something, or could not */
  constructor(client: StoreClient, settings: RestorerSettings, report: (lost: LostRevocations) => void) {
    this.#client = client
    this.#settings = settings
    this.#report = report
  }

  /** Stores entries, and those that could not be stored before. Never rejects. */
  async restore(entries: readonly LogEntry[], now: number): Promise<void> {
    for (const entry of entries) this.#left.set(toEntryId(entry), entry)
    if (this.#left.size === 0 || this.#isRunning) return
    this.#isRunning = true
    const all = [...this.#left.values()]
    let restored = 0
    for (let from = 0; from < all.length; from += AT_ONCE)
      restored += (
        await Promise.all(all.slice(from, from + AT_ONCE).map((entry) => this.#try(entry, now)))
      ).filter(Boolean).length
    this.#isRunning = false
    if (restored > 0) this.#report({ lost: all.length, restored })
  }

  /** Resolves to whether an entry is stored; one that has ended needs no more tries. */
  async #try(entry: LogEntry, now: number): Promise<boolean> {
    try {
      const isNeeded = entry.until > now
      if (isNeeded) await this.#write(entry, now)
      this.#left.delete(toEntryId(entry))
      return isNeeded
    } catch {
      // With the next reading of the log.
      return false
    }
  }

  async #write({ kind, key, at, until }: LogEntry, now: number): Promise<void> {
    const client = this.#client
    const call = { logTtl: until - now, now: client.now() }
    if (kind === 'sid') await client.call('end', (store) => store.end(key, 'ended', call), 'revocation')
    else if (kind === 'jti') {
      await client.call('revokeToken', (store) => store.revokeToken(key, until, client.now()), 'revocation')
    } else await this.#cutOff(key, at, call.logTtl)
  }

  /** A cut-off, at its own time. Its sessions have entries of their own; later logins stay. */
  async #cutOff(sub: string, at: number, logTtl: number): Promise<void> {
    const { realm, cutOffTtl } = this.#settings
    const owner = { sub, realm }
    const call = { logTtl, now: at, except: null, cutOff: cutOffTtl }
    await this.#client.call(
      'endAll',
      async (store) => {
        const rows = await store.list(owner, null)
        if (rows.every(({ createdAt }) => createdAt <= at)) await store.endAll(owner, 'subject_revoked', call)
      },
      'revocation',
    )
  }
}

/** What names an entry. */
export function toEntryId({ kind, key }: Pick<LogEntry, 'kind' | 'key'>): string {
  return `${kind} ${key}`
}
