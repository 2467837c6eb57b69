/**
 * Sessions: one row per login, and how it lives. Start, refresh, step up. The decision is `rotation.ts`'s, carried out
 * by the store in one atomic step; here the words become tokens and errors.
 */
import { randomId } from '../internal/bytes.ts'
import { AuthError, type ErrorCode } from '../errors.ts'
import type { Draft } from '../token/sign-token.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import { endSession, noteRevoked } from './end-sessions.ts'
import {
  carry,
  mintPair,
  mintRefresh,
  type SessionTokens,
  type TokenTimes,
  toGeneration,
  toTimes,
} from './mint.ts'
import type { Rights, SessionEvent, SessionParts } from './dependencies.ts'
import { decide } from './rotation.ts'
import type { RotationWord, SessionRow } from './store.ts'

/** A login: the drafts of its two tokens, and what the row keeps beside them. */
export interface Login {
  /** The access token. */
  readonly access: Draft
  /** The refresh token. */
  readonly refresh: Draft
  /** The moment before the credentials were checked, epoch seconds; undefined for now. */
  readonly provedAt: number | undefined
  /** The client's address. */
  readonly ip: string | undefined
  /** The client's user agent. */
  readonly userAgent: string | undefined
}

/** What a step-up proved. */
export interface Proof {
  /** How the user authenticated: method names (RFC 8176). */
  readonly amr?: readonly string[]
  /** The authentication context class. */
  readonly acr?: string
}

/** How often a session may try to step up: attempts, and the window in seconds. */
const STEP_UP_LIMIT = { attempts: 5, window: 900 } as const

/** The longest address and user agent that are kept, in characters. */
const MAX_IP = 64
const MAX_USER_AGENT = 256

/** What a client is told when its session gives it nothing. */
const REFUSALS: Readonly<Partial<Record<RotationWord, ErrorCode>>> = {
  reused: 'refresh_reused',
  late: 'store_unavailable',
  expired: 'session_expired',
  revoked: 'session_revoked',
  unknown: 'session_revoked',
}

/** What listeners are told of each word that gives tokens. */
const EVENTS: Readonly<Partial<Record<RotationWord, SessionEvent['kind']>>> = {
  kept: 'refreshed',
  rotated: 'refreshed',
  replayed: 'replayed',
  healed: 'healed',
}

/** Cuts a header's text to what is kept of it. */
function cut(text: string | undefined, length: number): string | null {
  return text === undefined ? null : text.slice(0, length)
}

/** What an access token may do: what the user may do now, or what was granted at the login. */
function toRights(rights: Rights | null, row: SessionRow): Partial<Draft> {
  const { scopes = [], data = {} } = rights ?? row
  return { scopes, data }
}

/** Starts and moves the sessions of one application; `endings.ts` ends them. */
export class Sessions<C> {
  readonly #parts: SessionParts<C>

  /** @param parts what it has at hand */
  constructor(parts: SessionParts<C>) {
    this.#parts = parts
  }

  /**
   * Starts a session for a login.
   *
   * @throws {AuthError} `session_revoked` when the subject was revoked after `provedAt`
   */
  async start(login: Login): Promise<SessionTokens> {
    const { caller, settings, clock, issue } = this.#parts
    const { access, refresh } = login
    const sid = randomId()
    const row = await caller.callTimed((store, { now, toStoreTime }) =>
      store.start(
        {
          sid,
          sub: access.sub,
          realm: settings.realm,
          provedAt: toStoreTime(login.provedAt ?? clock()),
          authTime: access.auth_time ?? null,
          acr: access.acr ?? null,
          amr: access.amr ?? null,
          scopes: access.scopes ?? [],
          data: (access.data ?? {}) as SessionRow['data'],
          ip: cut(login.ip, MAX_IP),
          userAgent: cut(login.userAgent, MAX_USER_AGENT),
          idle: settings.idle,
          absolute: settings.absolute,
        },
        now,
      ),
    )
    if (row === null) throw new AuthError('session_revoked')
    this.#tell('started', row)
    return mintPair(issue, row, access, mintRefresh(issue, row, refresh, toTimes(row)))
  }

  /**
   * Exchanges a refresh token for the tokens that follow it.
   *
   * @param payload a verified refresh token
   * @throws {AuthError} `refresh_token_required`, `refresh_reused`, `session_expired`, `session_revoked`, `store_unavailable`
   */
  async refresh(payload: TokenPayload<C>): Promise<SessionTokens> {
    const { caller, settings, issue } = this.#parts
    const { sid, gen } = toGeneration(payload)
    this.#refuseEnded(payload)
    const rights = await this.askRights(payload)
    const { overlap, idle, rotation, logTtl } = settings
    const { word, row } = await caller.callTimed((store, { now, notAfter }) =>
      store.rotate({ sid, gen, overlap, idle, rotation, logTtl, now, notAfter }),
    )
    const refusal = REFUSALS[word]
    if (refusal !== undefined || row === null) return this.#refuse(word, row, refusal ?? 'session_revoked')
    this.#tell(EVENTS[word] ?? 'refreshed', row)
    const { scopes, data } = payload
    // A token that is kept keeps its times too; without rotation its end moves with the session's.
    const kept = word === 'kept' && rotation
    const times = kept ? { iat: payload.iat ?? 0, exp: payload.exp } : toTimes(row)
    const next = mintRefresh(issue, row, { ...carry(payload), scopes, data: data as object }, times)
    const life = settings.accessTtl * (1 - settings.jitter * Math.random())
    return mintPair(
      issue,
      row,
      { ...carry(payload), ...toRights(rights, row), fresh: false, ...this.#toLife(life) },
      next,
    )
  }

  /**
   * Judges a refresh token by its row without moving it; a reuse revokes the session as a refresh would.
   *
   * @throws {AuthError} as `refresh`
   */
  async judge(payload: TokenPayload<C>): Promise<void> {
    const { caller, settings } = this.#parts
    const { sid, gen } = toGeneration(payload)
    this.#refuseEnded(payload)
    const word = await caller.callTimed(async (store, { now, toStoreTime }) => {
      const row = await store.get(sid)
      return decide(row, gen, now ?? toStoreTime(Date.now() / 1000), settings)
    })
    if (word === 'reused') await this.refresh(payload)
    const refusal = REFUSALS[word]
    if (refusal !== undefined) throw new AuthError(refusal)
  }

  /**
   * Proves once more who the user is. The attempt is counted before `verify` runs.
   *
   * @param payload a verified access token with a session
   * @param verify checks the credentials; null when they are wrong
   * @throws {AuthError} `rate_limited`, `credentials_invalid`, `session_expired`, `session_revoked`, `store_unavailable`
   */
  async stepUp(payload: TokenPayload<C>, verify: () => Promise<Proof | null>): Promise<SessionTokens> {
    const { caller, settings, clock, issue } = this.#parts
    const { sid, sub } = payload
    if (payload.type !== 'access') throw new AuthError('access_token_required')
    if (sid === undefined) throw new AuthError('session_revoked')
    this.#refuseEnded(payload)
    const { attempts, window } = STEP_UP_LIMIT
    const attempt = await caller.call((store) =>
      store.countAttempt(`step-up ${sid} ${sub}`, attempts, window, caller.now()),
    )
    if (!attempt.allowed) throw new AuthError('rate_limited', { detail: { retryAfter: attempt.retryAfter } })
    const proof = await verify()
    if (proof === null) throw new AuthError('credentials_invalid')
    const rights = await this.askRights(payload)
    const { amr = payload.amr, acr = payload.acr } = proof
    const auth_time = Math.floor(clock())
    const { word, row } = await caller.callTimed((store, { now, notAfter }) =>
      store.stepUp({ sid, authTime: auth_time, acr: acr ?? null, amr: amr ?? null, now, notAfter }),
    )
    if (word !== 'live' || row === null)
      return this.#refuse(word === 'live' ? 'unknown' : word, row, 'session_revoked')
    this.#tell('steppedUp', row)
    const said = { ...carry(payload), auth_time, acr, amr }
    const next = mintRefresh(issue, row, { ...said, scopes: row.scopes, data: row.data }, toTimes(row))
    const life = this.#toLife(settings.accessTtl)
    return mintPair(issue, row, { ...said, ...toRights(rights, row), fresh: true, ...life }, next)
  }

  /**
   * Asks for the user's current rights; null when nobody is asked. A user without any has no session any more.
   *
   * @throws {AuthError} `session_revoked`, `store_unavailable`
   */
  async askRights(payload: TokenPayload<C>): Promise<Rights | null> {
    const { rights } = this.#parts.settings
    if (rights === null) return null
    let answer: Rights | null
    try {
      answer = await rights(payload)
    } catch (cause) {
      throw new AuthError('store_unavailable', { cause, detail: { retryAfter: 1 } })
    }
    if (answer !== null) return answer
    if (payload.sid !== undefined) await endSession(this.#parts, payload.sid, 'rights_withdrawn')
    throw new AuthError('session_revoked')
  }

  /** Refuses what this process knows to be over: a store that lost its last writes may have forgotten it. */
  #refuseEnded(payload: TokenPayload<C>): void {
    if (this.#parts.hasHeard(payload)) throw new AuthError('session_revoked')
  }

  #refuse(word: RotationWord, row: SessionRow | null, code: ErrorCode): never {
    if (word === 'reused' && row !== null) {
      noteRevoked(this.#parts, 'sid', row.sid)
      this.#tell('reused', row)
    }
    throw new AuthError(REFUSALS[word] ?? code)
  }

  /** The times of an access token that is issued now. */
  #toLife(seconds: number): TokenTimes {
    const iat = Math.floor(this.#parts.clock())
    return { iat, exp: iat + seconds }
  }

  #tell(kind: SessionEvent['kind'], { sid, sub }: SessionRow): void {
    this.#parts.tell({ kind, sid, sub })
  }
}
