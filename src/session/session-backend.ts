/**
 * The parts of this folder that work on one store, connected: calls, revocations, sessions and
 * their ends.
 */
import type { Operation } from '../internal/diagnostics.ts'
import type { Clock } from '../internal/duration.ts'
import type { IssueToken } from '../token/issued-token.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import { AttemptCounter } from './attempt-counter.ts'
import type { NewDeviceListener } from './new-device.ts'
import { Pruner } from './pruner.ts'
import type { SessionSettings, StoreSettings } from './resolve-session-options.ts'
import { RevocationFeed } from './revocation-feed.ts'
import { RevocationPublisher } from './revocation-publisher.ts'
import { type LostRevocations, RevocationRestorer } from './revocation-restorer.ts'
import { type SessionEvent, SessionRevoker } from './session-revoker.ts'
import { Sessions } from './sessions.ts'
import { type StoreCallFacts, StoreClient } from './store-client.ts'
import { StoreProbe } from './store-probe.ts'

/** The parts that work on one store. */
export interface SessionBackend<C> {
  /** Calls the store. */
  readonly storeClient: StoreClient
  /** Says whether the store works. */
  readonly probe: StoreProbe
  /** Knows what is revoked. */
  readonly revocations: RevocationFeed
  /** Passes the log on to services without the store. */
  readonly publisher: RevocationPublisher
  /** Deletes what has ended. */
  readonly pruner: Pruner
  /** Ends sessions and revokes tokens. */
  readonly revoker: SessionRevoker
  /** Counts attempts; null for a store that cannot take any back. */
  readonly attempts: AttemptCounter | null
  /** The rules of its sessions. */
  readonly settings: SessionSettings<C>
  /** Starts, refreshes and steps up. */
  readonly sessions: Sessions<C>
}

/** What the parts need of the application. */
export interface BackendContext<C> {
  /** Signs tokens. */
  readonly issue: IssueToken
  /** The time in epoch seconds. */
  readonly clock: Clock
  /** The application's own clock, which then rules in the store, too; null for the system's. */
  readonly ownClock: Clock | null
  /** Refuses a user who is gone. @throws {AuthError} `subject_unknown`, `store_unavailable` */
  readonly checkSubject: (payload: TokenPayload<C>) => Promise<void>
  /** Shows the calls of the store to who watches. */
  readonly storeCalls: Operation<StoreCallFacts>
  /** Notifies the application's listeners. */
  readonly emit: (event: SessionEvent) => void
  /** Notifies them of new devices. */
  readonly newDevice: NewDeviceListener
  /** Notifies them that the store has lost revocations. */
  readonly emitLost: (lost: LostRevocations) => void
}

/** How long a call of the store may take, in seconds. */
const CALL_DEADLINE = 2

/** How many followers without the store may read its log at once: refreshes go first. */
const FOLLOWERS_AT_ONCE = 4

/** Connects the parts of one application. It calls nothing: the first use does. */
export function createSessionBackend<C>(
  { store, sessions: settings, revocation, concurrency, prune }: StoreSettings<C>,
  { issue, clock, ownClock, checkSubject, emit, emitLost, newDevice, storeCalls }: BackendContext<C>,
): SessionBackend<C> {
  const createClient = (inFlight: number): StoreClient =>
    new StoreClient(store, { deadline: CALL_DEADLINE, inFlight }, ownClock, storeCalls)
  const storeClient = createClient(concurrency)
  const probe = new StoreProbe(storeClient, store.name)
  const restorer = new RevocationRestorer(storeClient, settings, emitLost)
  const revocations = new RevocationFeed(storeClient, revocation, store.knows?.bind(store), restorer)
  const publisher = new RevocationPublisher(revocations, createClient(FOLLOWERS_AT_ONCE), settings)
  const pruner = new Pruner(storeClient, prune)
  const shared = { storeClient, revocations, settings, clock, emit }
  const revoker = new SessionRevoker(shared)
  const sessions = new Sessions({ ...shared, issue, checkSubject, revoker, pruner, newDevice })
  const takesBack = typeof store.forgetAttempts === 'function'
  const attempts = takesBack ? new AttemptCounter(storeClient, store) : null
  return { storeClient, probe, revocations, publisher, pruner, revoker, attempts, settings, sessions }
}
