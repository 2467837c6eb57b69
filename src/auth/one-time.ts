/**
 * `auth.oneTime`: tokens for one purpose that are redeemed once over all processes, for mail
 * verification, password resets, magic links and invitations.
 */
import { AuthError, toReason } from '../errors.ts'
import {
  asTypeError,
  ConfigurationError,
  checkKnownKeys,
  expected,
  isOptions,
  isRecord,
  misuse,
} from '../internal/configuration-error.ts'
import { type Duration, toSeconds } from '../internal/duration.ts'
import { findJsonMisfit } from '../internal/json.ts'
import { keysOf } from '../internal/read-options.ts'
import { withDeadline } from '../internal/with-deadline.ts'
import type { AttemptCounter } from '../session/attempt-counter.ts'
import type { OneTimeTokens } from '../token/one-time-token.ts'
import { checkSubjectName } from './token-claims.ts'

/** Options of a one-time token. */
export interface OneTimeOptions {
  /** How long it can be redeemed: at least a second, at most 30 days. Default `'1h'`. */
  readonly expiresIn?: Duration
  /** Whatever belongs to it, as JSON. Whoever has the token reads it. Default none. */
  readonly data?: Readonly<Record<string, unknown>>
  /**
   * A text that must not have changed when the token is redeemed, such as the hash of the password
   * that is to be reset: then a token is void once the password was changed. It must be hard to
   * guess. Default none.
   */
  readonly bind?: string
}

/** Options of redeeming. */
export interface RedeemOptions {
  /**
   * The text of `bind` as it is now; or a function that returns it for the token's subject,
   * undefined for one who is gone. Required for a token that was made with `bind`. 5 s at most.
   */
  readonly bind?: string | ((subject: string) => string | undefined | Promise<string | undefined>)
}

/** A one-time token that was redeemed. */
export interface RedeemedToken {
  /** Whom it is about. */
  readonly subject: string
  /** What belongs to it; `{}` for nothing. */
  readonly data: Readonly<Record<string, unknown>>
}

/** One-time tokens. Every method rejects with a `ConfigurationError` without a session store. */
export interface AuthOneTime {
  /**
   * Creates a token. No guard accepts it. It is short enough for a link.
   *
   * @param purpose what it is for, such as `'reset-password'`: 1 to 64 letters, digits and `-_.:`
   * @throws {TypeError} for arguments of the wrong shape
   */
  create(purpose: string, subject: string, options?: OneTimeOptions): Promise<string>
  /**
   * Redeems a token: of any number of calls in any number of processes, one succeeds. A mail
   * scanner opens links, so redeem on POST and never on GET.
   *
   * @throws {AuthError} `token_malformed` also for another purpose, `signature_invalid`,
   *   `token_expired`, `token_revoked` for one that was redeemed or is void, `store_unavailable`
   */
  redeem(purpose: string, token: string, options?: RedeemOptions): Promise<RedeemedToken>
}

/** The default life of a one-time token, and the bounds of it, in seconds. */
export const ONE_TIME_LIFE: Duration = '1h'
const LIFE_BOUNDS = { min: 1, max: 30 * 86_400 }

/** How much longer a redeemed token is remembered than it could be used, in seconds. */
const MARGIN = 120

/** How long `bind` may take, in seconds. */
const DEADLINE = 5

/** The deepest `data`. */
const DATA_DEPTH = 8

const CREATE_KEYS = keysOf<OneTimeOptions>({ expiresIn: true, data: true, bind: true })
const REDEEM_KEYS = keysOf<RedeemOptions>({ bind: true })

/** What `createOneTime` builds on. */
export interface OneTimeDependencies {
  /** Issues and verifies. */
  readonly tokens: OneTimeTokens
  /** Counts in the session store; null without one. */
  readonly attempts: AttemptCounter | null
  /** Forgiven clock skew, in seconds. */
  readonly leeway: number
  /** The time in epoch seconds. */
  readonly now: () => number
}

/** Creates the one-time tokens of one application. */
export function createOneTime({ tokens, attempts, leeway, now }: OneTimeDependencies): AuthOneTime {
  function requireAttempts(): AttemptCounter {
    if (attempts !== null) return attempts
    throw new ConfigurationError(
      'Expected the option `sessions.store`: without a store nothing knows which tokens were redeemed',
    )
  }

  return {
    async create(purpose, subject, options = {}) {
      requireAttempts()
      checkPurpose(purpose)
      checkOptions(options, CREATE_KEYS)
      checkSubjectName(subject)
      const { data, bind, expiresIn = ONE_TIME_LIFE } = options
      if (bind !== undefined && (typeof bind !== 'string' || bind === ''))
        throw misuse(`Expected \`bind\` to be a non-empty string, got ${typeof bind}`)
      if (data !== undefined) checkData(data)
      return tokens.issue({ purpose, subject, data, bind, lifetime: readLife(expiresIn) })
    },
    async redeem(purpose, token, options = {}) {
      const counter = requireAttempts()
      checkPurpose(purpose)
      checkOptions(options, REDEEM_KEYS)
      if (typeof token !== 'string') throw new AuthError('token_malformed')
      const { jti, subject, data, exp, isBoundTo } = await tokens.verify(purpose, token)
      if (!isBoundTo(await readBinding(options.bind, subject)))
        throw new AuthError('token_revoked', { cause: toReason('What the token is bound to has changed') })
      const window = Math.max(0, exp - now()) + 2 * leeway + MARGIN
      const { allowed } = await counter.count(`one-time ${jti}`, 1, window)
      if (!allowed) throw new AuthError('token_revoked', { cause: toReason('The token was redeemed before') })
      return { subject, data }
    },
  }
}

function readBinding(
  bind: RedeemOptions['bind'],
  subject: string,
): Promise<string | undefined> | string | undefined {
  return typeof bind === 'function' ? withDeadline('bind', DEADLINE, () => bind(subject)) : bind
}

function checkPurpose(purpose: unknown): void {
  if (typeof purpose === 'string' && /^[\w.:-]{1,64}$/.test(purpose)) return
  throw misuse(expected('purpose', "a name such as 'reset-password'", purpose))
}

function checkOptions(options: unknown, known: readonly string[]): void {
  if (!isOptions(options)) throw misuse(expected('options', 'an object', options))
  asTypeError(() => checkKnownKeys('', options, known))
}

function checkData(data: unknown): void {
  if (!isRecord(data)) throw misuse(expected('data', 'an object', data))
  const misfit = findJsonMisfit(data, DATA_DEPTH)
  if (misfit === undefined) return
  throw misuse(
    `Expected \`${['data', ...misfit.path].join('.').slice(0, 80)}\` to be plain JSON, got ${misfit.got}`,
  )
}

function readLife(expiresIn: Duration): number {
  return asTypeError(() => toSeconds('expiresIn', expiresIn, LIFE_BOUNDS))
}
