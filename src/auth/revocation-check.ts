/**
 * Whether a verified token is still good, as far as the store knows: access tokens by its
 * revocations, refresh tokens by their session. A service without a store may follow another one
 * that has it. Without either, a null object refuses nothing.
 */
import { AuthError } from '../errors.ts'
import { describeFailure, explainFailure } from '../internal/failure.ts'
import { emit, hasListener } from '../internal/listeners.ts'
import { isDefect } from '../internal/outage.ts'
import { createWarnOnce } from '../internal/warn.ts'
import type { ReachListener, RevocationListener } from '../session/feed-reader.ts'
import type {
  FeedState,
  FeedTrouble,
  RevocationFeed,
  RevocationSettings,
} from '../session/revocation-feed.ts'
import type { SessionBackend } from '../session/session-backend.ts'
import { TICKET_TTL } from '../token/ticket.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import type { Grants } from './issue-tokens.ts'
import type { PreparedRequirement } from './requirement.ts'
import type { Settings } from './resolve-options.ts'

/** Checks tokens against the store. Made with a store, with a source, and without either. */
export interface RevocationCheck<C> {
  /**
   * Refuses what this process knows to be revoked. Does no I/O.
   *
   * @returns whether that is enough; otherwise `checkStore` decides
   * @throws {AuthError} `token_revoked`, `store_unavailable`
   */
  checkKnown(payload: TokenPayload<C>, requirement: PreparedRequirement): boolean
  /**
   * Refuses what the store knows to be revoked.
   *
   * @throws {AuthError} `token_revoked`; for refresh tokens what `Sessions.checkSession` throws
   */
  checkStore(payload: TokenPayload<C>, requirement: PreparedRequirement): Promise<void>
  /**
   * Makes sure that a token may be renewed; resolves to what it grants from now on, if that
   * changed.
   */
  renewGrants(payload: TokenPayload<C>): Promise<Grants>
  /** Uses up a ticket. @throws {AuthError} `token_revoked` for one that was used before */
  spendTicket(jti: string): Promise<void>
  /** Notifies a listener of revocations from now on. */
  listen(listener: RevocationListener): void
  /** Whether a token lives so long that a listener could miss its revocation. */
  isLongLived(payload: TokenPayload<C>): boolean
  /** How long a check may fail before a followed token ends, in seconds; may be infinite. */
  readonly maxOutage: number
  /** Waits until this process knows what is revoked. */
  ready(): Promise<void>
  /** How much this process knows; null without a store. */
  state(): FeedState | null
  /** What is wrong with it; null without a store. */
  trouble(): FeedTrouble | null
  /** Stops following the store's log. */
  close(): void
}

/** How long the blocklist of an application without a store may fail, in seconds. */
const MAX_OUTAGE = 60

/** How much longer a used ticket is remembered than it could be used, in seconds: clocks differ. */
const SPENT_MARGIN = 120

/**
 * Creates the check of one application.
 *
 * @param backend null without a store
 * @param remote what follows another service; null without a source
 */
export function createRevocationCheck<C, U>(
  backend: SessionBackend<C> | null,
  remote: RevocationFeed | null,
  settings: Settings<C, U>,
): RevocationCheck<C> {
  const { store, source, leeway } = settings
  const feed = remote ?? backend?.revocations
  feed?.listenToReach(createReachListener(settings, remote === null ? 'the store' : '`revocation.source`'))
  if (remote !== null && source !== null) return createSourceCheck(remote, source.revocation)
  if (backend === null || store === null) return WITHOUT_STORE
  const { storeClient, revocations, publisher, sessions, pruner } = backend
  return {
    ...createFeedCheck(revocations, store.revocation),
    checkKnown: (payload, { revocation }) =>
      payload.type !== 'refresh' && revocations.checkKnown(payload, revocation === 'strict'),
    checkStore: (payload, { revocation }) =>
      payload.type === 'refresh'
        ? sessions.checkSession(payload)
        : revocations.checkStore(payload, revocation === 'strict'),
    async renewGrants(payload) {
      await checkNow(revocations, payload)
      const rights = await sessions.currentRights(payload)
      return rights === null ? {} : { scopes: rights.scopes ?? [], data: rights.data ?? {} }
    },
    async spendTicket(jti) {
      // One attempt in a window that outlasts the ticket: the store counts it in one atomic step.
      const window = TICKET_TTL + 2 * leeway + SPENT_MARGIN
      const attempt = await storeClient.call('countAttempt', (calls) =>
        calls.countAttempt(`ticket ${jti}`, 1, window, storeClient.now()),
      )
      if (!attempt.allowed) throw new AuthError('token_revoked')
    },
    close() {
      publisher.close()
      revocations.close()
      pruner.close()
    },
  }
}

/** Tells the application when its log goes out of reach, and warns where no listener is told. */
function createReachListener<C, U>({ on, clock }: Settings<C, U>, what: string): ReachListener {
  const warnOnce = createWarnOnce()
  return {
    onDown(error) {
      const { cause = error } = Object(error) as { readonly cause?: unknown }
      // What is set up wrong is told of by the first request, or by `ready`.
      if (!hasListener(on, 'storeDown') && !isDefect(cause)) {
        const name = 'TOKENWRIGHT_STORE_DOWN'
        const message = `The log of revocations cannot be read: ${what}: ${describeFailure(cause)}. It is tried again. Give \`on.storeDown\` to learn of each time.`
        warnOnce(name, message, `${name} ${explainFailure(cause)?.code}`)
      }
      emit(on, 'storeDown', { cause, time: clock() })
    },
    onUp: () => emit(on, 'storeUp', { time: clock() }),
  }
}

/** The check of a service without a store that follows one with it. */
function createSourceCheck(feed: RevocationFeed, settings: RevocationSettings): RevocationCheck<never> {
  return {
    ...createFeedCheck(feed, settings),
    // The log may have forgotten why the session of a refresh token has ended.
    checkKnown: (payload, { revocation }) =>
      feed.checkKnown(payload, payload.type === 'refresh' || revocation === 'strict'),
    checkStore: (payload, { revocation }) =>
      feed.checkStore(payload, payload.type === 'refresh' || revocation === 'strict'),
    async renewGrants(payload) {
      await checkNow(feed, payload)
      return {}
    },
    spendTicket: WITHOUT_STORE.spendTicket,
    close: () => feed.close(),
  }
}

/** What is the same with a store and with a source. */
function createFeedCheck(
  feed: RevocationFeed,
  { whenStale, maxStale }: RevocationSettings,
): Pick<RevocationCheck<never>, 'listen' | 'isLongLived' | 'maxOutage' | 'ready' | 'state' | 'trouble'> {
  return {
    listen: (listener) => feed.listen(listener),
    isLongLived: (payload) => feed.isLongLived(payload),
    maxOutage: whenStale === 'allow' ? Number.POSITIVE_INFINITY : maxStale,
    ready: () => feed.ready(),
    state: () => feed.state(),
    trouble: () => feed.trouble(),
  }
}

/** Refuses a token that is revoked now, whatever the mode. */
async function checkNow(feed: RevocationFeed, payload: TokenPayload<unknown>): Promise<void> {
  if (!feed.checkKnown(payload, true)) await feed.checkStore(payload, true)
}

/** Nothing is revoked, and there are no tickets. */
const WITHOUT_STORE: RevocationCheck<never> = {
  checkKnown: () => true,
  checkStore: async () => undefined,
  renewGrants: async () => ({}),
  spendTicket: async () => {
    throw new AuthError('token_malformed')
  },
  listen: () => undefined,
  isLongLived: () => false,
  maxOutage: MAX_OUTAGE,
  ready: async () => undefined,
  state: () => null,
  trouble: () => null,
  close: () => undefined,
}
