/**
 * The one place where a proof is tried: within the limits, within a deadline, and with a look at
 * what the application's function returned. Login and step-up share it, and so share the limits.
 */
import { AuthError } from '../errors.ts'
import type { Awaitable } from '../internal/awaitable.ts'
import { withDeadline } from '../internal/with-deadline.ts'
import type { ContinuationPurpose, Continuations, EarlierProofs } from './continuations.ts'
import { type LoginContext, type ProofWanted, requireClaims } from './credentials.ts'
import type { Throttle } from './throttle/throttle.ts'

/** How long the application's function may take, in seconds: hashing waits in queues. */
const DEADLINE = 10

/** A request that brings a proof. */
export interface ProofRequest {
  /** The request as it came. */
  readonly request: Request
  /** The client's address; undefined where it is unknown. */
  readonly address: () => Promise<string | undefined>
}

/** One attempt to prove something. */
export interface ProofAttempt<T> {
  /** What it is for. */
  readonly purpose: ContinuationPurpose
  /** The username whose limits count it; undefined where none is known. */
  readonly account: string | undefined
  /** The proofs before; null for none. */
  readonly earlier: EarlierProofs | null
  /** The session of a step-up. */
  readonly sid?: string | undefined
  /** The option that is called, for messages. */
  readonly option: string
  /**
   * Calls the application's function and checks what it returned; null for wrong credentials. What
   * wants one more proof has `next`.
   */
  readonly verify: (context: LoginContext) => Awaitable<unknown>
  /** Checks what `verify` returned. @throws {ConfigurationError} for anything else */
  readonly check: (result: unknown) => Awaitable<T | ProofWanted | null>
}

/** What a proof says of the user and how the user authenticated. */
export interface ProvedBy {
  /** The user; undefined for a step-up, which is about the token's user. */
  readonly subject?: string
  /** How the user authenticated. */
  readonly amr?: readonly string[] | undefined
}

/**
 * Tries a proof.
 *
 * @throws {AuthError} `rate_limited`, `credentials_invalid`, `proof_required`,
 *   `continuation_invalid`; `subject_mismatch` for a proof of another user than the proofs before;
 *   `store_unavailable` also when no result came in time
 * @throws {ConfigurationError} when the application's function returned something else; the attempt
 *   is counted
 */
export type ProofCheck = <T extends ProvedBy>(attempt: ProofAttempt<T>, from: ProofRequest) => Promise<T>

/** What the check of proofs builds on. */
export interface ProofCheckDependencies {
  /** Limits the attempts. */
  readonly throttle: Throttle
  /** Signs the wish for one more proof. */
  readonly continuations: Continuations
  /** Checks how the user authenticated. @throws {TypeError} */
  readonly checkMethods: (proof: ProvedBy & { readonly acr?: unknown }) => void
}

/** Prepares the check of proofs. */
export function createProofCheck({
  throttle,
  continuations,
  checkMethods,
}: ProofCheckDependencies): ProofCheck {
  return async <T extends ProvedBy>(attempt: ProofAttempt<T>, from: ProofRequest): Promise<T> => {
    const { purpose, account, earlier, sid, option, verify, check } = attempt
    const { request } = from
    const address = await from.address()
    const userAgent = request.headers.get('user-agent') ?? undefined
    const proved = earlier && { subject: earlier.subject, amr: earlier.amr, state: earlier.state }
    return throttle.run({ username: account, address }, async (countAgainst) => {
      const context = { request, address, userAgent, proved, countAgainst }
      const result = await check(await withDeadline(option, DEADLINE, () => verify(context)))
      if (result === null) return null
      await requireClaims(option, () => checkMethods(toMethods(result)))
      if (earlier !== null && result.subject !== undefined && result.subject !== earlier.subject)
        throw new AuthError('subject_mismatch')
      await earlier?.spend()
      const amr = joinMethods(earlier, result.amr)
      // Thrown, so that it is no success: the password before a code must not forgive wrong codes.
      if (isWanted(result)) throw await continuations.want(purpose, { ...result, amr, account, sid })
      return { ...result, ...(amr && { amr }) }
    })
  }
}

/** How the user authenticated; an empty value counts as absent. */
function toMethods({ amr, acr }: ProvedBy & { readonly acr?: unknown }) {
  return { ...(amr && { amr }), ...(Boolean(acr) && { acr }) }
}

function isWanted(result: ProvedBy | ProofWanted): result is ProofWanted {
  return 'next' in result && result.next !== undefined
}

/** The methods of all proofs, each once. */
function joinMethods(
  earlier: EarlierProofs | null,
  amr: readonly string[] | undefined,
): readonly string[] | undefined {
  return earlier === null ? amr : [...new Set([...earlier.amr, ...(amr ?? [])])]
}
