/**
 * The stateful half of an application, wired: sessions, revocation and the one way to their store. Without a store every
 * part of it says so: nothing is revoked in silence.
 */

import { AuthError } from '../errors.ts'
import { ConfigurationError, expected } from '../internal/configuration-error.ts'
import { emit } from '../internal/listeners.ts'
import type { SessionDependencies } from '../session/dependencies.ts'
import { endSession, endSubject, revokeToken } from '../session/end-sessions.ts'
import type { RevocationListener } from '../session/feed-reader.ts'
import { createRevocationFeed, type FeedState } from '../session/revocation-feed.ts'
import { type Proof, Sessions } from '../session/sessions.ts'
import type { SessionRow } from '../session/store.ts'
import { createStoreClient } from '../session/store-client.ts'
import { TICKET_TTL } from '../token/ticket.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import type { PairOptions, TokenIssuer, TokenPair } from './issue-tokens.ts'
import type { PreparedRequirement } from './requirement.ts'
import type { Settings } from './resolve-options.ts'

/** What may be said of a login that starts a session. */
export interface StartOptions<C> extends PairOptions<C> {
  /**
   * The moment before the credentials were checked, epoch seconds: a subject revoked since then gets no session.
   * Default now, which lets a login in flight survive a change of the password.
   */
  readonly provedAt?: number
  /** The client's address, for the list of sessions; cut to 64 characters. */
  readonly ip?: string
  /** The client's user agent, for the list of sessions; cut to 256 characters. */
  readonly userAgent?: string
}

/** The sessions of an application. Every method rejects with a `ConfigurationError` where there is no session store. */
export interface AuthSessions<C> {
  /**
   * Starts a session: a row in the store, and both tokens.
   *
   * @throws {AuthError} `session_revoked` when the subject was revoked after `provedAt`, `store_unavailable`
   * @throws {TypeError} for options of the wrong shape
   */
  start(subject: string | TokenPayload<C>, options?: StartOptions<C>): Promise<TokenPair>
  /**
   * Exchanges a verified refresh token for a new access token and the refresh token that is good from now on, which may be
   * the same one. The access token is not fresh.
   *
   * @throws {AuthError} `refresh_reused`, `session_expired`, `session_revoked`, `refresh_token_required`, `store_unavailable`
   */
  refresh(payload: TokenPayload<C>): Promise<TokenPair>
  /**
   * Proves once more who the user is, for the session of a verified access token. Each attempt is counted before `verify` runs:
   * 5 in 15 minutes for each session.
   *
   * @param verify checks the credentials; null when they are wrong
   * @returns a fresh access token, and a refresh token that carries the new `auth_time`, `acr` and `amr`
   * @throws {AuthError} `rate_limited`, `credentials_invalid`, `session_expired`, `session_revoked`, `store_unavailable`
   */
  stepUp(payload: TokenPayload<C>, verify: () => Promise<Proof | null>): Promise<TokenPair>
  /** One session; null for none. */
  get(sid: string): Promise<SessionRow | null>
  /** The live sessions of a subject, newest login first. */
  list(subject: string): Promise<readonly SessionRow[]>
  /** Ends one session; answers whether it was live. */
  end(sid: string): Promise<boolean>
  /** Ends every session of a subject, but `except`; answers how many were live. */
  endAll(subject: string, options?: { readonly except?: string | null }): Promise<number>
}

/** The stateful half of an application. */
export interface SessionService<C> {
  /** Whether there is a store. */
  readonly revocable: boolean
  /** The sessions. */
  readonly sessions: AuthSessions<C>
  /** Refuses what the store knows to be revoked; null without a store. */
  readonly checkRevocation:
    | ((payload: TokenPayload<C>, need: PreparedRequirement) => Promise<void> | undefined)
    | null
  /** Makes sure that a token may be renewed in passing, and answers what it may do from now on. */
  readonly renewal: (payload: TokenPayload<C>) => Promise<Pick<PairOptions<C>, 'scopes' | 'data'>>
  /** Revokes one token. */
  readonly revoke: (payload: TokenPayload<C>) => Promise<void>
  /** Revokes everything of a subject. */
  readonly revokeSubject: (subject: string) => Promise<number>
  /** Lets an listener hear of revocations from now on. */
  readonly listen: (listener: RevocationListener) => void
  /** Whether a token lives so long that a revocation of it could be missed by listening. */
  readonly isLongLived: (payload: TokenPayload<C>) => boolean
  /** How long it may be out of reach whether a token is revoked, in seconds; infinite for ever. */
  readonly patience: number
  /** Spends a ticket: the second time is refused with `token_revoked`. */
  readonly spend: (jti: string) => Promise<void>
  /** Waits until this process knows what is revoked. */
  readonly ready: () => Promise<void>
  /** How much this process knows; null without a store. */
  readonly state: () => FeedState | null
  /** Stops following the log. */
  readonly close: () => void
}

/** Bounds on the calls of a store: 2 s, and as many at once as a busy process can use. */
const STORE_CLIENT_BOUNDS = { deadline: 2, inFlight: 256 } as const

/** How long a blocklist may be out of reach before what stays open is ended, where no store says otherwise; in seconds. */
const DEFAULT_PATIENCE = 60

/** How much longer a spent ticket is remembered than it could be used, in seconds: clocks differ. */
const SPENT_MARGIN = 120

/** Says that a part is missing. */
function missing(): never {
  throw new ConfigurationError(
    'Expected the option `sessions.store`: without a store there are no sessions to speak of',
  )
}

/** The stateful half of an application that keeps no state. */
function createWithoutStore<C>(): SessionService<C> {
  const refuse = async (): Promise<never> => missing()
  return {
    revocable: false,
    sessions: {
      start: refuse,
      refresh: refuse,
      stepUp: refuse,
      get: refuse,
      list: refuse,
      end: refuse,
      endAll: refuse,
    },
    checkRevocation: null,
    renewal: async () => ({}),
    revoke: refuse,
    revokeSubject: refuse,
    listen: () => undefined,
    isLongLived: () => false,
    patience: DEFAULT_PATIENCE,
    spend: refuse,
    ready: async () => undefined,
    state: () => null,
    close: () => undefined,
  }
}

/** Reads a session's or a subject's name. */
function toName(at: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value
  throw new TypeError(expected(at, 'a non-empty string', value))
}

/** The public face of the sessions. */
function createSessionApi<C>(
  sessions: Sessions<C>,
  issuer: TokenIssuer<C>,
  parts: SessionDependencies<C>,
): AuthSessions<C> {
  const { storeClient } = parts
  return {
    async start(subject, options = {}) {
      const { provedAt, ip, userAgent, ...pair } = options
      if (provedAt !== undefined && !Number.isFinite(provedAt))
        throw new TypeError(expected('provedAt', 'epoch seconds', provedAt))
      if (pair.refresh?.expiresIn !== undefined) {
        throw new TypeError(
          'Expected `refresh` without `expiresIn`: a session ends by `sessions.idle` and `sessions.absolute`',
        )
      }
      return sessions.start({ ...(await issuer.pairClaims(subject, pair)), provedAt, ip, userAgent })
    },
    refresh: (payload) => sessions.refresh(payload),
    stepUp: (payload, verify) => sessions.stepUp(payload, verify),
    async get(sid) {
      toName('sid', sid)
      return storeClient.call((store) => store.get(sid))
    },
    async list(subject) {
      toName('subject', subject)
      return storeClient.call((store) => store.list(subject, storeClient.now()))
    },
    end: async (sid) => endSession(parts, toName('sid', sid)),
    endAll: async (subject, options = {}) => endSubject(parts, toName('subject', subject), options),
  }
}

/** Wires the stateful half of an application. */
export function createSessionService<C, U>(
  settings: Settings<C, U>,
  issuer: TokenIssuer<C>,
): SessionService<C> {
  const { store, clock, on } = settings
  if (store === null) return createWithoutStore()
  const storeClient = createStoreClient(store.store, STORE_CLIENT_BOUNDS, settings.ownClock)
  const revocation = createRevocationFeed(storeClient, store.revocation)
  const parts: SessionDependencies<C> = {
    storeClient,
    settings: store.sessions,
    issue: issuer.issue,
    clock,
    hasHeard: revocation.hasHeard,
    note: revocation.note,
    catchUp: revocation.catchUp,
    emit: ({ kind, sid, sub }) => emit(on, kind, { sid, sub }),
  }
  const sessions = new Sessions(parts)
  return {
    revocable: true,
    sessions: Object.freeze(createSessionApi(sessions, issuer, parts)),
    checkRevocation: (payload, need) =>
      payload.type === 'refresh'
        ? sessions.checkSession(payload)
        : revocation.checkRevocation(payload, need.revocation === 'strict'),
    async renewal(payload) {
      await revocation.checkRevocation(payload, true)
      const rights = await sessions.askRights(payload)
      return (rights === null ? {} : { scopes: rights.scopes ?? [], data: rights.data ?? {} }) as Pick<
        PairOptions<C>,
        'scopes' | 'data'
      >
    },
    revoke: (payload) => revokeToken(parts, payload, settings.leeway),
    revokeSubject: async (subject) => endSubject(parts, toName('subject', subject), { everything: true }),
    listen: revocation.listen,
    isLongLived: revocation.isLongLived,
    patience: store.revocation.whenStale === 'allow' ? Number.POSITIVE_INFINITY : store.revocation.maxStale,
    async spend(jti) {
      // One attempt in a window that outlasts the ticket: the store counts it in one atomic step, for all processes.
      const window = TICKET_TTL + 2 * settings.leeway + SPENT_MARGIN
      const attempt = await storeClient.call((s) =>
        s.countAttempt(`ticket ${jti}`, 1, window, storeClient.now()),
      )
      if (!attempt.allowed) throw new AuthError('token_revoked')
    },
    ready: revocation.ready,
    state: revocation.state,
    close: revocation.close,
  }
}
