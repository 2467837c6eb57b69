/**
 * Sessions: one row per login. Start, refresh, step up. `rotation.ts` decides what a refresh does,
 * and the store carries it out in one atomic step; here the words of that decision become tokens
 * and errors.
 */
import { AuthError, type ErrorCode } from '../errors.ts'
import { ConfigurationError, expected, isOptions, isRecord, misuse } from '../internal/configuration-error.ts'
import { toOutage } from '../internal/outage.ts'
import { SHAPES } from '../token/claim-shapes.ts'
import type { IssuedPair, IssueToken } from '../token/issued-token.ts'
import type { TokenClaims } from '../token/sign-token.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import { mintPair, type TokenTimes, toSessionClaims, toTimes, toTokenGeneration } from './mint.ts'
import { type NewDeviceListener, watchForNewDevice } from './new-device.ts'
import { type NewLogin, toNewSession } from './new-login.ts'
import type { Pruner } from './pruner.ts'
import type { Rights, SessionSettings } from './resolve-session-options.ts'
import type { RevocationFeed } from './revocation-feed.ts'
import { decideRotation } from './rotation.ts'
import { type ClientNotes, cutNotes } from './session-details.ts'
import { toCoarseStep } from './session-info.ts'
import type { RevokerDependencies, SessionEventKind, SessionRevoker } from './session-revoker.ts'
import type { SessionRow } from './session-row.ts'
import type { RotationWord } from './store.ts'

/** What a step-up proved. */
export interface Proof {
  /** How the user authenticated: method names (RFC 8176). */
  readonly amr?: readonly string[] | undefined
  /** The authentication context class. */
  readonly acr?: string | undefined
}

/** What sessions build on. */
export interface SessionDependencies<C> extends Pick<RevokerDependencies, 'storeClient' | 'clock' | 'emit'> {
  /** The rules. */
  readonly settings: SessionSettings<C>
  /** Signs tokens. */
  readonly issue: IssueToken
  /** Knows what is revoked, as far as this process was told. */
  readonly revocations: Pick<RevocationFeed, 'knowsRevoked'>
  /** Refuses a user who is gone. @throws {AuthError} `subject_unknown`, `store_unavailable` */
  readonly checkSubject: (payload: TokenPayload<C>) => Promise<void>
  /** Ends sessions. */
  readonly revoker: SessionRevoker
  /** Is told of new devices. */
  readonly newDevice: NewDeviceListener
  /** Begins with the first session that is started or refreshed. */
  readonly pruner: Pick<Pruner, 'start'>
}

/** How a step-up is carried out. */
export interface StepUpOptions {
  /**
   * False where `verify` counts its attempts itself. Default true: 5 failures of a session in 15
   * minutes.
   */
  readonly limit?: boolean
}

/** How often a session may try to step up: attempts, and the window in seconds. */
const STEP_UP_LIMIT = { attempts: 5, window: 900 } as const

/** What `verify` must be, for messages. */
const PROOF = 'a function that resolves to { amr, acr }, to {} or to null for wrong credentials'

/** What the option `rights` must be, for messages. */
const RIGHTS = 'a function that returns { scopes, data }, or null for a user who is gone'

/** The error of each word that gives no tokens. */
const REFUSALS: Readonly<Partial<Record<RotationWord, ErrorCode>>> = {
  reused: 'refresh_reused',
  late: 'store_unavailable',
  expired: 'session_expired',
  revoked: 'session_revoked',
  unknown: 'session_revoked',
}

/** The event of each word that gives tokens. */
const EVENTS: Readonly<Partial<Record<RotationWord, SessionEventKind>>> = {
  kept: 'refreshed',
  rotated: 'refreshed',
  replayed: 'replayed',
  healed: 'healed',
}

/** Starts and continues the sessions of one application; the `SessionRevoker` ends them. */
export class Sessions<C> {
  readonly #deps: SessionDependencies<C>

  /** @param deps what they build on */
  constructor(deps: SessionDependencies<C>) {
    this.#deps = deps
  }

  /**
   * Starts a session for a login.
   *
   * @throws {ConfigurationError} for lives beyond those of `sessions`
   * @throws {AuthError} `session_revoked` when the subject was revoked after `provedAt`,
   *   `session_limit_reached` where `sessions.max` refuses one more
   */
  async start(login: NewLogin): Promise<IssuedPair> {
    const { storeClient, settings, clock, issue } = this.#deps
    this.#deps.pruner.start()
    const { access, refresh } = login
    const session = toNewSession(login, settings)
    const { limit } = settings
    const afterStart = watchForNewDevice(this.#deps.newDevice, storeClient, session)
    const { word, row, ended } = await storeClient.callTimed('start', async (store, { now, toStoreTime }) => {
      const started = { ...session, provedAt: toStoreTime(login.provedAt ?? clock()) }
      if (limit !== null) return store.startLimited(started, limit, now)
      const only = await store.start(started, now)
      return { word: only === null ? 'revoked' : 'started', row: only, ended: [] } as const
    })
    if (row === null) throw new AuthError(word === 'full' ? 'session_limit_reached' : 'session_revoked')
    for (const other of ended) {
      this.#deps.revoker.note('sid', other.sid, true)
      this.#deps.emit({ kind: 'ended', sid: other.sid, sub: other.sub, reason: 'limit', count: 1 })
    }
    this.#emit('started', row)
    afterStart(row, ended)
    try {
      return await mintPair(issue, row, { access, refresh: { ...refresh, ...toTimes(row) } })
    } catch (error) {
      // No one holds a token of it, such as for `data` that is too large.
      await this.#deps.revoker.end(session.sid).catch(() => undefined)
      throw error
    }
  }

  /**
   * Exchanges a refresh token for the tokens that follow it.
   *
   * @param payload a verified refresh token
   * @param client where it was sent from; null for nowhere that is noted
   * @throws {AuthError} `refresh_token_required`, `refresh_reused`, `session_expired`,
   *   `session_revoked`, `store_unavailable`
   */
  async refresh(payload: TokenPayload<C>, client: ClientNotes | null = null): Promise<IssuedPair> {
    const { storeClient, settings, issue } = this.#deps
    this.#deps.pruner.start()
    const { sid, gen } = toTokenGeneration(payload)
    this.#throwIfEnded(payload)
    const rights = await this.currentRights(payload)
    const { overlap, idle, rotation, logTtl } = settings
    const seen = client && { ...cutNotes(client), stretch: toCoarseStep(settings.accessTtl) }
    const { word, row } = await storeClient.callTimed('rotate', (store, { now, notAfter }) =>
      store.rotate({ sid, gen, overlap, idle, rotation, logTtl, seen, now, notAfter }),
    )
    const refusal = REFUSALS[word]
    if (refusal !== undefined || row === null) return this.#throwRefused(word, row, payload)
    this.#emit(EVENTS[word] ?? 'refreshed', row)
    // A kept token keeps its times too. Without rotation its end moves with the session's.
    const { iat = 0, exp } = payload
    const times = word === 'kept' && rotation ? { iat, exp } : toTimes(row)
    const claims = toSessionClaims(payload)
    const life = settings.accessTtl * (1 - settings.jitter * Math.random())
    const access = { ...claims, ...toRights(rights, row), fresh: false, ...this.#toLife(life) }
    const refresh = { ...claims, scopes: payload.scopes, data: payload.data as object, ...times }
    return mintPair(issue, row, { access, refresh }, row.gen === gen && times.exp === exp)
  }

  /**
   * Checks a refresh token by its row, without a rotation. A reuse revokes the session, as a
   * refresh would.
   *
   * @throws {AuthError} as `refresh`
   */
  async checkSession(payload: TokenPayload<C>): Promise<void> {
    const { storeClient, settings } = this.#deps
    const { sid, gen } = toTokenGeneration(payload)
    this.#throwIfEnded(payload)
    const { word } = await storeClient.callTimed('get', async (store, { now, toStoreTime }) => {
      const row = await store.get(sid)
      return { word: decideRotation(row, gen, now ?? toStoreTime(Date.now() / 1000), settings) }
    })
    if (word === 'reused') await this.refresh(payload)
    if (REFUSALS[word] !== undefined) this.#throwRefused(word, null, payload)
  }

  /**
   * Authenticates the user again. The attempt is counted before `verify` runs.
   *
   * @param payload a verified access token with a session
   * @param verify checks the credentials; null when they are wrong
   * @throws {AuthError} `rate_limited`, `credentials_invalid`, `session_expired`,
   *   `session_revoked`, `store_unavailable`
   */
  async stepUp(
    payload: TokenPayload<C>,
    verify: () => Promise<Proof | null>,
    { limit = true }: StepUpOptions = {},
  ): Promise<IssuedPair> {
    const { storeClient, settings, clock, issue } = this.#deps
    const { sid, sub } = payload
    if (payload.type !== 'access') throw new AuthError('access_token_required')
    if (sid === undefined) throw new AuthError('session_revoked')
    this.#throwIfEnded(payload)
    const proof = await (limit ? this.#verifyLimited(`step-up ${sid} ${sub}`, verify) : verify())
    if (proof === null) throw new AuthError('credentials_invalid')
    checkProof(proof)
    const rights = await this.currentRights(payload)
    const { amr = payload.amr, acr = payload.acr } = proof
    const auth_time = Math.floor(clock())
    const { word, row } = await storeClient.callTimed('stepUp', (store, { now, notAfter }) =>
      store.stepUp({ sid, authTime: auth_time, acr: acr ?? null, amr: amr ?? null, now, notAfter }),
    )
    if (word !== 'live' || row === null)
      return this.#throwRefused(word === 'live' ? 'unknown' : word, row, payload)
    this.#emit('steppedUp', row)
    const claims = { ...toSessionClaims(payload), auth_time, acr, amr }
    const access = { ...claims, ...toRights(rights, row), fresh: true, ...this.#toLife(settings.accessTtl) }
    const refresh = { ...claims, scopes: row.scopes, data: row.data, ...toTimes(row) }
    return mintPair(issue, row, { access, refresh })
  }

  /**
   * The user's current rights; null without the option `rights`. Ends the session of a user who has
   * none, and refuses one whom the option `subject` does not find.
   *
   * @throws {AuthError} `session_revoked`, `subject_unknown`, `store_unavailable`
   */
  async currentRights(payload: TokenPayload<C>): Promise<Rights<unknown> | null> {
    // First, as this one ends the session.
    const rights = await this.#loadRights(payload)
    await this.#deps.checkSubject(payload)
    return rights
  }

  async #loadRights(payload: TokenPayload<C>): Promise<Rights<unknown> | null> {
    const { rights } = this.#deps.settings
    if (rights === null) return null
    let current: unknown
    try {
      current = await rights(payload)
    } catch (cause) {
      throw toOutage(cause)
    }
    // A forgotten `return` must not leave a user the rights of the login.
    if (!isRecord(current) && current !== null)
      throw new ConfigurationError(expected('sessions.rights', RIGHTS, current))
    if (current !== null) return current as unknown as Rights<unknown>
    if (payload.sid !== undefined) await this.#deps.revoker.end(payload.sid, 'rights_withdrawn')
    throw new AuthError('session_revoked')
  }

  /** Counts an attempt before it is verified, and takes a right one back. */
  async #verifyLimited(key: string, verify: () => Promise<Proof | null>): Promise<Proof | null> {
    const { storeClient } = this.#deps
    const { attempts, window } = STEP_UP_LIMIT
    const { allowed, retryAfter } = await storeClient.call('countAttempt', (store) =>
      store.countAttempt(key, attempts, window, storeClient.now()),
    )
    if (!allowed) throw new AuthError('rate_limited', { detail: { retryAfter } })
    const proof = await verify()
    if (proof !== null) checkProof(proof)
    // What cannot be taken back makes the next attempts fewer; it is no reason to refuse this one.
    if (proof !== null)
      await storeClient
        .call('forgetAttempts', (store) => store.forgetAttempts(key, 1, storeClient.now()))
        .catch(() => undefined)
    return proof
  }

  /**
   * Refuses what this process knows to have ended: a store that lost its last writes may have
   * forgotten it.
   */
  #throwIfEnded(payload: TokenPayload<C>): void {
    if (this.#deps.revocations.knowsRevoked(payload)) throw new AuthError('session_revoked')
  }

  #throwRefused(word: RotationWord, row: SessionRow | null, { sid, sub }: TokenPayload<C>): never {
    if (word === 'reused' && row !== null) {
      this.#deps.revoker.note('sid', row.sid, true)
      this.#emit(row.revokeReason === 'shadowed' ? 'shadowed' : 'reused', row)
    }
    if (word === 'unknown') this.#deps.emit({ kind: 'unknown', sid: sid ?? null, sub })
    throw new AuthError(REFUSALS[word] ?? 'session_revoked')
  }

  /** The times of an access token that is issued now. */
  #toLife(seconds: number): TokenTimes {
    const iat = Math.floor(this.#deps.clock())
    return { iat, exp: iat + seconds }
  }

  #emit(kind: SessionEventKind, { sid, sub }: SessionRow): void {
    this.#deps.emit({ kind, sid, sub })
  }
}

/**
 * Refuses a result of `verify` that proves nothing, such as false or a forgotten `return`.
 *
 * @throws {TypeError} for anything but an object whose members are right
 */
function checkProof(proof: unknown): void {
  if (!isOptions(proof)) throw misuse(expected('verify', PROOF, proof))
  const { amr, acr } = proof
  if (amr !== undefined && !SHAPES.amr(amr))
    throw misuse(expected('amr', "a list of method names such as 'pwd'", amr))
  if (acr !== undefined && !SHAPES.acr(acr)) throw misuse(expected('acr', 'a non-empty string', acr))
}

/** What an access token grants: what the user may do now, or what was granted at the login. */
function toRights(rights: Rights<unknown> | null, row: SessionRow): Partial<TokenClaims> {
  const { scopes = [], data = {} } = rights ?? row
  return { scopes, data: data as object }
}
