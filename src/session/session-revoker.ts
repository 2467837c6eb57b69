/**
 * Ends sessions: one, all of a subject, or everything that a subject holds; and revokes single
 * tokens. An ending that could not be stored is a failure. One that was stored is known in this
 * process at once, and in other processes when they have read the log.
 */
import { misuse } from '../internal/configuration-error.ts'
import type { Clock } from '../internal/duration.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import type { SessionSettings } from './resolve-session-options.ts'
import type { RevocationFeed } from './revocation-feed.ts'
import type { RevokeReason } from './session-row.ts'
import type { StoreClient } from './store-client.ts'

/** Which session an event is about. */
interface SessionNotice {
  /** The session; null where several ended at once. */
  readonly sid: string | null
  /** The subject. */
  readonly sub: string
}

/** What happened to a session beside its end. */
export type SessionEventKind =
  | 'started'
  | 'refreshed'
  | 'replayed'
  | 'healed'
  | 'reused'
  | 'shadowed'
  | 'steppedUp'
  | 'unknown'

/** What happened to a session, for the application's listeners. */
export type SessionEvent =
  | ({ readonly kind: SessionEventKind } & SessionNotice)
  | ({ readonly kind: 'ended'; readonly reason: RevokeReason; readonly count: number } & SessionNotice)

/** What revoking builds on. */
export interface RevokerDependencies {
  /** Calls the store. */
  readonly storeClient: StoreClient
  /** Knows at once what was revoked here. */
  readonly revocations: Pick<RevocationFeed, 'note' | 'catchUp'>
  /** How long entries of the log and cut-offs live. */
  readonly settings: Pick<SessionSettings<never>, 'logTtl' | 'cutOffTtl' | 'realm'>
  /** The time in epoch seconds. */
  readonly clock: Clock
  /** Notifies the application's listeners. */
  readonly emit: (event: SessionEvent) => void
}

/** Ends the sessions of one application. */
export class SessionRevoker {
  readonly #deps: RevokerDependencies

  /** @param deps what it builds on */
  constructor(deps: RevokerDependencies) {
    this.#deps = deps
  }

  /**
   * Ends one session of this realm.
   *
   * @returns whether it was live
   * @throws {AuthError} `store_unavailable`: then it may have been ended; try again
   */
  async end(sid: string, reason: RevokeReason = 'ended'): Promise<boolean> {
    const { storeClient, settings, emit } = this.#deps
    const call = { logTtl: settings.logTtl, now: storeClient.now() }
    const { row, ended } = await storeClient.call(
      'end',
      async (store) => {
        const found = await store.get(sid)
        if (found !== null && found.realm !== settings.realm) return { row: found, ended: null }
        return { row: found, ended: await store.end(sid, reason, call) }
      },
      'revocation',
    )
    if (ended === null) return false
    this.note('sid', sid, ended)
    if (ended && row !== null) emit({ kind: 'ended', sid, sub: row.sub, reason, count: 1 })
    return ended
  }

  /**
   * Ends every session of a subject.
   *
   * @param options `except`: a session that is spared; `everything`: also end its tokens without a
   *   session, and logins in flight
   * @returns how many sessions were live
   * @throws {AuthError} `store_unavailable`: then try again
   */
  async endSubject(
    sub: string,
    {
      except = null,
      everything = false,
    }: { readonly except?: string | null | undefined; readonly everything?: boolean },
  ): Promise<number> {
    const { storeClient, settings, revocations, emit } = this.#deps
    const reason = everything ? 'subject_revoked' : 'ended'
    const cutOff = everything ? settings.cutOffTtl : null
    const call = { logTtl: settings.logTtl, except, cutOff, now: storeClient.now() }
    const count = await storeClient.call(
      'endAll',
      (store) => store.endAll({ sub, realm: settings.realm }, reason, call),
      'revocation',
    )
    await revocations.catchUp()
    emit({ kind: 'ended', sid: null, sub, reason, count })
    return count
  }

  /**
   * Revokes one token: a refresh token of a session by its session, any other by its `jti` until it
   * expires.
   *
   * @param leeway forgiven clock skew in seconds: the token is accepted for so much longer
   * @throws {AuthError} `store_unavailable`: then it may have been revoked; try again
   * @throws {TypeError} for a token without `jti`
   */
  async revokeToken({ type, sid, jti, exp }: TokenPayload<unknown>, leeway: number): Promise<void> {
    if (type === 'refresh' && sid !== undefined) {
      await this.end(sid)
      return
    }
    if (jti === undefined) throw misuse('Expected the token to have a `jti`: nothing else names it')
    const { storeClient } = this.#deps
    await storeClient.call(
      'revokeToken',
      (store) => store.revokeToken(jti, exp + leeway, storeClient.now()),
      'revocation',
    )
    this.note('jti', jti, true)
  }

  /**
   * Makes a revocation known in this process before the log is read.
   *
   * @param isLogged whether the store has confirmed that it wrote it into the log now
   */
  note(kind: 'sid' | 'jti', key: string, isLogged: boolean): void {
    const { revocations, clock, settings } = this.#deps
    const at = clock()
    revocations.note({ kind, key, at, until: at + settings.logTtl }, isLogged)
  }
}
