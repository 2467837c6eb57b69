/**
 * Continuations: what connects the requests of a login or a step-up that takes several proofs. A
 * continuation is a one-time token that says what was proved so far. The proof that succeeds uses
 * it up, so a wrong code can be corrected; the limits of attempts count those.
 */
import { AuthError, isAuthError, toReason } from '../errors.ts'
import { isOutage } from '../internal/outage.ts'
import type { AttemptCounter } from '../session/attempt-counter.ts'
import type { OneTimeTokens, VerifiedOneTimeToken } from '../token/one-time-token.ts'
import type { ProofWanted, ProvedSoFar } from './credentials.ts'

/** What a continuation goes on with. The purposes of applications have no spaces. */
export type ContinuationPurpose = 'continue login' | 'continue step-up'

/** The proofs before, as their continuation says. */
export interface EarlierProofs extends ProvedSoFar {
  /** The username whose limits count the attempts; undefined for a proof without a name. */
  readonly account: string | undefined
  /** The session of a step-up; undefined for a login. */
  readonly sid: string | undefined
  /** Uses it up. @throws {AuthError} `continuation_invalid` where another request has */
  spend(): Promise<void>
}

/** What a proof that is not the last one found. */
export interface ProofSoFar extends Pick<ProofWanted, 'next' | 'subject' | 'amr' | 'state'> {
  /** As in `EarlierProofs`. */
  readonly account: string | undefined
  /** As in `EarlierProofs`. */
  readonly sid?: string | undefined
}

/** Makes and reads continuations. */
export interface Continuations {
  /** The error that asks the client for one more proof. */
  want(purpose: ContinuationPurpose, step: ProofSoFar): Promise<AuthError>
  /**
   * Reads a continuation of a request.
   *
   * @param value the member of the body
   * @returns null where the request has none
   * @throws {AuthError} `continuation_invalid`
   */
  read(purpose: ContinuationPurpose, value: unknown): Promise<EarlierProofs | null>
}

/** How long a continuation can be used, and how much longer a used one is remembered: seconds. */
const LIFE = 600
const MARGIN = 300

/** What continuations build on. */
export interface ContinuationDependencies {
  /** Issues and verifies. */
  readonly tokens: OneTimeTokens
  /** Counts in the session store; null for the memory of this process. */
  readonly attempts: AttemptCounter | null
  /** The time in epoch seconds. */
  readonly now: () => number
}

/** Prepares the continuations of one handler. */
export function createContinuations({ tokens, attempts, now }: ContinuationDependencies): Continuations {
  const spent = new SpentContinuations(now)
  const takeOnce = async (jti: string): Promise<boolean> =>
    attempts === null
      ? spent.add(jti)
      : (await attempts.count(`continuation ${jti}`, 1, LIFE + MARGIN)).allowed

  return {
    async want(purpose, { next, subject, amr = [], state = {}, account, sid }) {
      const data = { amr, state, account, sid }
      const continuation = await tokens.issue({ purpose, subject, lifetime: LIFE, data })
      return new AuthError('proof_required', { detail: { next, continuation, expires_in: LIFE } })
    },
    async read(purpose, value) {
      if (value === undefined) return null
      const { jti, subject, data } = await verify(tokens, purpose, value)
      const { amr, state, account, sid } = data as unknown as ProofSoFar
      return {
        subject,
        amr: amr ?? [],
        state: state ?? {},
        account,
        sid,
        async spend() {
          if (await takeOnce(jti)) return
          throw new AuthError('continuation_invalid', { cause: toReason('The continuation was used before') })
        },
      }
    },
  }
}

async function verify(tokens: OneTimeTokens, purpose: string, value: unknown): Promise<VerifiedOneTimeToken> {
  try {
    if (typeof value !== 'string') throw new AuthError('token_malformed')
    return await tokens.verify(purpose, value)
  } catch (cause) {
    if (!isAuthError(cause) || isOutage(cause)) throw cause
    throw new AuthError('continuation_invalid', { cause })
  }
}

/** The most used continuations that a process without a store remembers. */
const MAX_SPENT = 50_000

/** The used continuations of a process without a store. */
class SpentContinuations {
  readonly #ends = new Map<string, number>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  /**
   * Remembers one; false for one that was used before.
   *
   * @throws {AuthError} `rate_limited` when too many were used: none may be forgotten early
   */
  add(jti: string): boolean {
    const now = this.#now()
    // The oldest come first, and all live equally long.
    for (const [old, end] of this.#ends) {
      if (end > now) break
      this.#ends.delete(old)
    }
    if (this.#ends.has(jti)) return false
    if (this.#ends.size >= MAX_SPENT) throw new AuthError('rate_limited', { detail: { retryAfter: 60 } })
    this.#ends.set(jti, now + LIFE + MARGIN)
    return true
  }
}
