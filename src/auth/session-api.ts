/**
 * `auth.sessions`, `auth.revoke` and `auth.revokeSubject`: the arguments are checked here,
 * `session/` does the work. Without a store every method rejects, as nothing could be revoked.
 */
import {
  ConfigurationError,
  expected,
  isCallable,
  isOptions,
  isRecord,
  misuse,
} from '../internal/configuration-error.ts'
import { keysOf } from '../internal/read-options.ts'
import type { NewLogin } from '../session/new-login.ts'
import type { SessionBackend } from '../session/session-backend.ts'
import { type ClientNotes, readDetails, type SessionDetails } from '../session/session-details.ts'
import { type SessionInfo, toSessionInfo } from '../session/session-info.ts'
import type { LoginLifeOptions } from '../session/session-lives.ts'
import type { SessionRow } from '../session/session-row.ts'
import type { Proof, StepUpOptions } from '../session/sessions.ts'
import { type IssuedPair, type IssuedToken, type TokenPair, toTokenPair } from '../token/issued-token.ts'
import { isCompactJws } from '../token/jws.ts'
import { type PayloadOrigin, requireVerifiedBy, type TokenPayload } from '../token/token-payload.ts'
import type { PairOptions, TokenIssuer } from './issue-tokens.ts'
import { checkCallOptions, type IssueArguments, readMoment } from './token-claims.ts'

/** Options of a login that starts a session. */
export interface StartOptions<I> extends PairOptions<I>, LoginLifeOptions, SessionDetails {
  /**
   * The moment before the credentials were checked, a Date or epoch seconds: a subject revoked
   * since then gets no session. Default now, which lets a login in flight survive a change of the
   * password.
   */
  readonly provedAt?: Date | number
  /** The client's address, for the list of sessions; cut to 64 characters. Null for none. */
  readonly ip?: string | null | undefined
  /** The client's user agent, for the list of sessions; cut to 256 characters. Null for none. */
  readonly userAgent?: string | null | undefined
}

/** Options of a refresh: where it was sent from. What is null or left out leaves what is known. */
export interface RefreshOptions {
  /** The client's address, for the list of sessions; cut to 64 characters. */
  readonly ip?: string | null | undefined
  /** The client's user agent, likewise; cut to 256 characters. */
  readonly userAgent?: string | null | undefined
}

/** What an update changes of a session; what is left out stays. */
export interface UpdateOptions<I> extends SessionDetails {
  /** What its access tokens grant from the next refresh on, unless `sessions.rights` says it. */
  readonly scopes?: readonly string[] | undefined
  /** Their custom claims, likewise. */
  readonly data?: I | undefined
}

/**
 * The sessions of an application. Every method rejects with a `ConfigurationError` without a
 * session store.
 */
export interface AuthSessions<C, I = C> {
  /**
   * Starts a session: a row in the store, and both tokens.
   *
   * @throws {AuthError} `session_revoked` when the subject was revoked after `provedAt`;
   *   `store_unavailable`
   * @throws {TypeError} for options of the wrong shape
   * @throws {ConfigurationError} for an `idle` or `absolute` beyond those of the option `sessions`
   */
  start<S extends string | TokenPayload<C>>(
    subject: S,
    ...options: IssueArguments<S, StartOptions<I>, I>
  ): Promise<TokenPair>
  /**
   * Exchanges a verified refresh token for a new access token and the refresh token to use from now
   * on, which may be the same one. The access token is not fresh.
   *
   * @throws {AuthError} `refresh_reused`, `session_expired`, `session_revoked`,
   *   `refresh_token_required`, `store_unavailable`; `subject_unknown` for a user whom the option
   *   `subject` does not find
   */
  refresh(payload: TokenPayload<C>, options?: RefreshOptions): Promise<TokenPair>
  /**
   * Authenticates the user of a verified access token again. Each attempt is counted before
   * `verify` runs, and taken back if it succeeds: 5 failures in 15 minutes for each session.
   *
   * @param verify checks the credentials; null when they are wrong
   * @param options `limit: false` where `verify` counts the attempts itself
   * @returns a fresh access token, and a refresh token with the new `auth_time`, `acr` and `amr`
   * @throws {TypeError} for arguments of the wrong shape, and for a `verify` that says neither what
   *   was proved nor null, which counts as a failure
   * @throws {AuthError} `rate_limited`, `credentials_invalid`, `session_expired`,
   *   `session_revoked`, `store_unavailable`; `subject_unknown` as `refresh`
   */
  stepUp(
    payload: TokenPayload<C>,
    verify: () => Promise<Proof | null>,
    options?: StepUpOptions,
  ): Promise<TokenPair>
  /**
   * Changes a live session of this realm. Scopes and data are in the access token of the next
   * refresh: a token that was issued before keeps its own.
   *
   * @returns the session after it; null for one that is not live
   * @throws {TypeError} for options of the wrong shape, for data that the schema refuses, and for
   *   what no token or cookie can hold
   * @throws {AuthError} `store_unavailable`
   */
  update(sid: string, options: UpdateOptions<I>): Promise<SessionInfo | null>
  /** Loads one session of this realm; null for an unknown one. */
  get(sid: string): Promise<SessionInfo | null>
  /** Lists the live sessions of a subject in this realm, newest login first, at most 1000. */
  list(subject: string): Promise<readonly SessionInfo[]>
  /** Ends one session; resolves to whether it was live. */
  end(sid: string): Promise<boolean>
  /** Ends every session of a subject, but `except`; resolves to how many were live. */
  endAll(subject: string, options?: { readonly except?: string | null | undefined }): Promise<number>
}

/** The methods of `AuthSessions` that issue, with the claims of the tokens. */
export interface SessionIssuing<C> {
  /** As `AuthSessions.start`. */
  start(subject: string | TokenPayload<C>, options?: StartOptions<unknown>): Promise<IssuedPair>
  /** As `AuthSessions.refresh`. */
  refresh(payload: TokenPayload<C>, options?: RefreshOptions): Promise<IssuedPair>
  /** As `AuthSessions.stepUp`. */
  stepUp(
    payload: TokenPayload<C>,
    verify: () => Promise<Proof | null>,
    options?: StepUpOptions,
  ): Promise<IssuedPair>
}

/** Everything of an application that needs a session store. */
export interface SessionApi<C> {
  /** The methods for routes and adapters, which also return claims. */
  readonly issuing: SessionIssuing<C>
  /** The public sessions. */
  readonly sessions: AuthSessions<C>
  /** Revokes one token. */
  revoke(payload: TokenPayload<C>): Promise<void>
  /** Ends everything of a subject; resolves to how many sessions were live. */
  revokeSubject(subject: string): Promise<number>
}

/** What the sessions of an application are made of. */
export interface SessionApiDependencies<C> {
  /** Null without a store. */
  readonly backend: SessionBackend<C> | null
  /** Issues tokens. */
  readonly issuer: TokenIssuer<C>
  /** Forgiven clock skew, in seconds. */
  readonly leeway: number
  /** Whose payloads are accepted. */
  readonly origin: PayloadOrigin
  /** Refuses an access token for which no cookie is large enough. @throws {TypeError} */
  readonly checkSize: (token: IssuedToken) => void
}

/** Creates the sessions of one application. */
export function createSessionApi<C>(deps: SessionApiDependencies<C>): SessionApi<C> {
  const { backend, leeway, origin } = deps
  const requireBackend = (): SessionBackend<C> => {
    if (backend !== null) return backend
    throw new ConfigurationError(
      'Expected the option `sessions.store`: without a store there are no sessions',
    )
  }
  const issuing = createIssuing(requireBackend, deps)
  const sessions: AuthSessions<C> = {
    start: async (subject, ...[options]) => toTokenPair(await issuing.start(subject, options)),
    refresh: async (payload, options) => toTokenPair(await issuing.refresh(payload, options)),
    stepUp: async (payload, verify, options) => toTokenPair(await issuing.stepUp(payload, verify, options)),
    async get(sid) {
      const { storeClient, settings } = requireBackend()
      requireName('sid', sid)
      const row = await storeClient.call('get', (store) => store.get(sid))
      return row === null || row.realm !== settings.realm ? null : toSessionInfo(row, settings)
    },
    async list(subject) {
      const { storeClient, settings } = requireBackend()
      const owner = { sub: requireName('subject', subject), realm: settings.realm }
      const rows = await storeClient.call('list', (store) => store.list(owner, storeClient.now()))
      return rows.map((row) => toSessionInfo(row, settings))
    },
    async update(sid, options) {
      const { storeClient, settings } = requireBackend()
      requireName('sid', sid)
      checkUpdate(options)
      const row = await storeClient.call('get', (store) => store.get(sid))
      if (row === null || row.realm !== settings.realm) return null
      const changes = { ...(await toGrants(deps, row, options)), ...readDetails(options), sid }
      const changed = await storeClient.call('update', (store) =>
        store.update({ ...changes, now: storeClient.now() }),
      )
      return changed && toSessionInfo(changed, settings)
    },
    end: async (sid) => requireBackend().revoker.end(requireName('sid', sid)),
    async endAll(subject, options = {}) {
      const { revoker } = requireBackend()
      checkCallOptions(options, ['except'], { nullable: true })
      const { except } = options
      if (except !== undefined && except !== null) requireName('except', except)
      return revoker.endSubject(requireName('subject', subject), { except })
    },
  }
  return {
    issuing,
    sessions: Object.freeze(sessions),
    async revoke(payload) {
      const { revoker } = requireBackend()
      requireVerifiedBy(origin, payload)
      return revoker.revokeToken(payload, leeway)
    },
    revokeSubject: async (subject) =>
      requireBackend().revoker.endSubject(requireName('subject', subject), { everything: true }),
  }
}

/** Creates the methods that issue. */
function createIssuing<C>(
  requireBackend: () => SessionBackend<C>,
  { issuer, origin }: SessionApiDependencies<C>,
): SessionIssuing<C> {
  return {
    async start(subject, options = {}) {
      const { sessions } = requireBackend()
      if (!isOptions(options as unknown)) throw misuse(expected('options', 'an object', options))
      const { login, pair } = readLogin(options)
      if (pair.refresh?.expiresIn !== undefined) {
        throw misuse(
          'Expected `refresh` without `expiresIn`: a session ends by `sessions.idle` and `sessions.absolute`',
        )
      }
      const claims = await issuer.toPairClaims(subject, pair)
      issuer.checkPair(claims)
      return sessions.start({ ...claims, ...login })
    },
    async refresh(payload, options = {}) {
      const { sessions } = requireBackend()
      requireVerifiedBy(origin, payload)
      checkCallOptions(options, ['ip', 'userAgent'], { nullable: true })
      return sessions.refresh(payload, readClient(options))
    },
    async stepUp(payload, verify, options) {
      const { sessions } = requireBackend()
      requireVerifiedBy(origin, payload)
      if (!isCallable(verify)) throw misuse(expected('verify', 'a function', verify))
      return sessions.stepUp(payload, verify, readStepUpOptions(options))
    },
  }
}

const UPDATE_KEYS = keysOf<UpdateOptions<unknown>>({ scopes: true, data: true, metadata: true, label: true })

/** Checks the names of an update. Only a label may be null. */
function checkUpdate(options: UpdateOptions<unknown>): void {
  checkCallOptions(options, UPDATE_KEYS, { nullable: true })
  const { label: _, ...others } = options
  checkCallOptions(others, UPDATE_KEYS)
}

/** What an update grants, checked as at a login; nothing where it says neither. */
async function toGrants<C>(
  { issuer, checkSize }: SessionApiDependencies<C>,
  row: SessionRow,
  { scopes, data }: UpdateOptions<unknown>,
): Promise<Partial<Pick<SessionRow, 'scopes' | 'data'>>> {
  if (scopes === undefined && data === undefined) return {}
  const token = await issuer.signUnissued(row, { scopes: scopes ?? row.scopes, data: data ?? row.data })
  checkSize(token)
  const granted = token.claims
  return {
    ...(scopes !== undefined && { scopes: granted.scopes ?? [] }),
    ...(data !== undefined && { data: (granted.data ?? {}) as SessionRow['data'] }),
  }
}

/** Splits the options of a login: what its row keeps, and what its tokens say. */
function readLogin<I>(options: StartOptions<I>): {
  readonly login: Omit<NewLogin, 'access' | 'refresh'>
  readonly pair: PairOptions<I>
} {
  const { provedAt, ip, userAgent, idle, absolute, metadata, label, ...pair } = options
  const login = {
    provedAt: provedAt === undefined ? undefined : readMoment('provedAt', provedAt),
    client: readClient({ ip, userAgent }),
    details: { metadata: {}, label: null, ...readDetails({ metadata, label }) },
    lives: { ...(idle !== undefined && { idle }), ...(absolute !== undefined && { absolute }) },
  }
  return { login, pair }
}

/** Reads the name of a subject or a session. @throws {TypeError} for anything else, and tokens */
function requireName(argument: string, value: unknown): string {
  if (typeof value === 'string' && value !== '' && !isCompactJws(value)) return value
  const member = argument === 'subject' ? 'sub' : 'sid'
  const message = expected(argument, 'a non-empty string', value)
  if (typeof value === 'string' && value !== '')
    throw misuse(`${message} that is a token: verify it, and pass its \`${member}\``)
  throw misuse(isRecord(value) && member in value ? `${message}: pass its \`${member}\`` : message)
}

/** Reads where a client is. @throws {TypeError} as `readNote` */
function readClient({ ip, userAgent }: RefreshOptions): ClientNotes {
  return { ip: readNote('ip', ip), userAgent: readNote('userAgent', userAgent) }
}

/** Reads what a row keeps of the client. @throws {TypeError} for anything but a text or none */
function readNote(name: string, value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string') return value
  throw misuse(expected(name, 'a string, or null for none', value))
}

function readStepUpOptions(options: StepUpOptions = {}): StepUpOptions {
  checkCallOptions(options, ['limit'])
  const { limit = true } = options
  if (typeof limit !== 'boolean') throw misuse(expected('limit', 'true or false', limit))
  return { limit }
}
