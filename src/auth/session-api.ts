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
} from '../internal/configuration-error.ts'
import type { NewLogin } from '../session/new-login.ts'
import type { SessionBackend } from '../session/session-backend.ts'
import { type SessionInfo, toSessionInfo } from '../session/session-info.ts'
import type { LoginLifeOptions } from '../session/session-lives.ts'
import type { Proof, StepUpOptions } from '../session/sessions.ts'
import { type IssuedPair, type TokenPair, toTokenPair } from '../token/issued-token.ts'
import { isCompactJws } from '../token/jws.ts'
import { type PayloadOrigin, requireVerifiedBy, type TokenPayload } from '../token/token-payload.ts'
import type { PairOptions, TokenIssuer } from './issue-tokens.ts'
import { checkCallOptions, type IssueArguments, readMoment } from './token-claims.ts'

/** Options of a login that starts a session. */
export interface StartOptions<I> extends PairOptions<I>, LoginLifeOptions {
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
  refresh(payload: TokenPayload<C>): Promise<TokenPair>
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
  refresh(payload: TokenPayload<C>): Promise<IssuedPair>
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

/**
 * Creates the sessions of one application.
 *
 * @param backend null without a store
 * @param leeway forgiven clock skew, in seconds
 * @param origin whose payloads are accepted
 */
export function createSessionApi<C>(
  backend: SessionBackend<C> | null,
  issuer: TokenIssuer<C>,
  leeway: number,
  origin: PayloadOrigin,
): SessionApi<C> {
  const requireBackend = (): SessionBackend<C> => {
    if (backend !== null) return backend
    throw new ConfigurationError(
      'Expected the option `sessions.store`: without a store there are no sessions',
    )
  }
  const issuing: SessionIssuing<C> = {
    async start(subject, options = {}) {
      const { sessions } = requireBackend()
      if (!isOptions(options as unknown)) throw new TypeError(expected('options', 'an object', options))
      const { login, pair } = readLogin(options)
      if (pair.refresh?.expiresIn !== undefined) {
        throw new TypeError(
          'Expected `refresh` without `expiresIn`: a session ends by `sessions.idle` and `sessions.absolute`',
        )
      }
      const claims = await issuer.toPairClaims(subject, pair)
      issuer.checkPair(claims)
      return sessions.start({ ...claims, ...login })
    },
    async refresh(payload) {
      const { sessions } = requireBackend()
      requireVerifiedBy(origin, payload)
      return sessions.refresh(payload)
    },
    async stepUp(payload, verify, options) {
      const { sessions } = requireBackend()
      requireVerifiedBy(origin, payload)
      if (!isCallable(verify)) throw new TypeError(expected('verify', 'a function', verify))
      return sessions.stepUp(payload, verify, readStepUpOptions(options))
    },
  }
  const sessions: AuthSessions<C> = {
    start: async (subject, ...[options]) => toTokenPair(await issuing.start(subject, options)),
    refresh: async (payload) => toTokenPair(await issuing.refresh(payload)),
    stepUp: async (payload, verify, options) => toTokenPair(await issuing.stepUp(payload, verify, options)),
    async get(sid) {
      const { storeClient, settings } = requireBackend()
      requireName('sid', sid)
      const row = await storeClient.call((store) => store.get(sid))
      return row === null || row.realm !== settings.realm ? null : toSessionInfo(row, settings)
    },
    async list(subject) {
      const { storeClient, settings } = requireBackend()
      const owner = { sub: requireName('subject', subject), realm: settings.realm }
      const rows = await storeClient.call((store) => store.list(owner, storeClient.now()))
      return rows.map((row) => toSessionInfo(row, settings))
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

/** Splits the options of a login: what its row keeps, and what its tokens say. */
function readLogin<I>({ provedAt, ip, userAgent, idle, absolute, ...pair }: StartOptions<I>): {
  readonly login: Omit<NewLogin, 'access' | 'refresh'>
  readonly pair: PairOptions<I>
} {
  const login = {
    provedAt: provedAt === undefined ? undefined : readMoment('provedAt', provedAt),
    ip: readNote('ip', ip),
    userAgent: readNote('userAgent', userAgent),
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
    throw new TypeError(`${message} that is a token: verify it, and pass its \`${member}\``)
  throw new TypeError(isRecord(value) && member in value ? `${message}: pass its \`${member}\`` : message)
}

/** Reads what a row keeps of the client. @throws {TypeError} for anything but a text or none */
function readNote(name: string, value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string') return value
  throw new TypeError(expected(name, 'a string, or null for none', value))
}

function readStepUpOptions(options: StepUpOptions = {}): StepUpOptions {
  checkCallOptions(options, ['limit'])
  const { limit = true } = options
  if (typeof limit !== 'boolean') throw new TypeError(expected('limit', 'true or false', limit))
  return { limit }
}
