/**
 * Authenticates the requests and tokens of one application: at once where that is possible, by the
 * pipeline otherwise, and before the eyes of who watches. Refusals are reported here.
 */
import { type ErrorCode, isAuthError } from '../errors.ts'
import type { CookieSettings } from '../http/cookie-options.ts'
import { isOneWord } from '../http/extract-token.ts'
import { deleteAfterRefusal } from '../http/repeated-cookies.ts'
import type { RequestPort } from '../http/request-port.ts'
import type { HeaderRow } from '../http/token-sources.ts'
import type { Operation, OperationFacts } from '../internal/diagnostics.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import type { TokenType } from '../token/token-type.ts'
import type { Verifier } from '../token/verify.ts'
import type { AuthenticatedRequest, Pipeline } from './authenticate.ts'
import type { RefusalReporter } from './refusal-reporter.ts'
import type { PreparedRequirement, PrepareRequirement } from './requirement.ts'

/**
 * One request or bare token that is authenticated: the message of the tracing channel
 * `tokenwright:authenticate`. It holds no token and nothing of the token's claims.
 */
export interface AuthenticateFacts extends OperationFacts {
  /** The method of the request; null for a bare token. */
  readonly method: string | null
  /** The type of token that is required. */
  readonly type: TokenType | 'any'
  /**
   * What became of it: `anonymous` without a token where none is needed, `refused` with an
   * `AuthError`, `failed` because of a defect; null until it has ended.
   */
  outcome: 'verified' | 'anonymous' | 'refused' | 'failed' | null
  /** The code of the error; null without one. */
  code: ErrorCode | null
  /** Whether the token was known from an operation before: its signature was not computed. */
  cached: boolean
}

/** The dependencies of `createRequestApi`. */
export interface RequestDependencies<C> {
  /** The path of every request that is not decided at once. */
  readonly pipeline: Pipeline<C>
  /** Verifies tokens that need nothing asynchronous. */
  readonly verifier: Verifier<C>
  /** Whether the application has a blocklist, which must be asked each time. */
  readonly hasBlocklist: boolean
  /** Prepares requirements. */
  readonly prepare: PrepareRequirement
  /** The header of the token. */
  readonly header: HeaderRow
  /** The cookies of tokens. */
  readonly cookies: CookieSettings
  /** Reports refused requests. */
  readonly refusals: RefusalReporter
  /** Shows what is authenticated to who watches. */
  readonly operation: Operation<AuthenticateFacts>
}

/** Authenticates requests, at once or by the pipeline, and reports refusals. */
export class RequestAuthenticator<C> {
  readonly #deps: RequestDependencies<C>
  /** The payloads that were seen while someone watched: the cache returns the same object again. */
  readonly #seen = new WeakSet<object>()

  constructor(deps: RequestDependencies<C>) {
    this.#deps = deps
  }

  /**
   * The path of a token in the header, without a promise. Nothing is parsed for a token that is
   * cached: a value that equals the text of a verified token in every character is that token.
   *
   * @returns undefined for any request that needs more, which takes the pipeline
   */
  authenticateAtOnce(request: RequestPort, requirement: PreparedRequirement): TokenPayload<C> | undefined {
    if (!requirement.isHeaderOnly) return undefined
    const { header } = this.#deps
    const value = request.header(header.name)
    if (typeof value !== 'string' || !value.startsWith(header.prefix)) return undefined
    try {
      return this.verifyAtOnce(value, header.prefix.length, requirement)
    } catch (error) {
      // What is no single word is refused for that, by the pipeline.
      return isOneWord(value, header.prefix.length) ? this.report(error, request) : undefined
    }
  }

  /**
   * Verifies a token where nothing asynchronous is needed. A cached one is looked up, and what may
   * have changed since is checked.
   *
   * @param start where the token begins in the text
   * @returns undefined with a schema for the custom claims, for a token whose revocation must be
   *   asked elsewhere, and while someone watches
   */
  verifyAtOnce(text: string, start: number, requirement: PreparedRequirement): TokenPayload<C> | undefined {
    const { verifier, pipeline, hasBlocklist, operation } = this.#deps
    if (operation.isWatched || hasBlocklist || requirement.check !== null || typeof text !== 'string')
      return undefined
    const raw = { text, start }
    const payload = verifier.lookup(raw, requirement) ?? verifier.verifyAtOnce(raw, requirement)
    if (payload === undefined || !pipeline.isKnownGood(payload, requirement)) return undefined
    return pipeline.authorize(payload, requirement)
  }

  /** Authenticates a request by the pipeline. */
  authenticate(
    request: RequestPort,
    requirement: PreparedRequirement,
  ): Promise<AuthenticatedRequest<C> | null> {
    const run = (): Promise<AuthenticatedRequest<C> | null> =>
      this.#deps.pipeline
        .authenticate(request, requirement)
        .catch((error: unknown) => this.report(error, request))
    return this.#deps.operation.isWatched
      ? this.#watch({ method: request.method, requirement }, run, (found) => found?.payload)
      : run()
  }

  /** Verifies a bare token by the pipeline. */
  verifyToken(token: string, requirement: PreparedRequirement): Promise<TokenPayload<C>> {
    const run = (): Promise<TokenPayload<C>> => this.#deps.pipeline.verifyToken(token, requirement)
    return this.#deps.operation.isWatched
      ? this.#watch({ method: null, requirement }, run, (found) => found)
      : run()
  }

  /** Authenticates before the eyes of who watches, and writes down what became of it. */
  #watch<T>(
    { method, requirement: { type } }: { method: string | null; requirement: PreparedRequirement },
    run: () => Promise<T>,
    toPayload: (found: T) => TokenPayload<C> | undefined,
  ): Promise<T> {
    const facts: AuthenticateFacts = {
      method,
      type,
      outcome: null,
      code: null,
      cached: false,
      duration: null,
    }
    return this.#deps.operation.run(facts, async () => {
      try {
        const found = await run()
        const payload = toPayload(found)
        facts.outcome = payload === undefined ? 'anonymous' : 'verified'
        facts.cached = payload !== undefined && this.#seen.has(payload)
        if (payload !== undefined) this.#seen.add(payload)
        return found
      } catch (error) {
        facts.outcome = isAuthError(error) ? 'refused' : 'failed'
        if (isAuthError(error)) facts.code = error.code
        throw error
      }
    })
  }

  /** Reports a refusal, and throws it on. */
  report(error: unknown, request: RequestPort): never {
    if (!isAuthError(error)) {
      this.#deps.refusals.reportFailure(error, request)
      throw error
    }
    this.#deps.refusals.report(error, request)
    const lines = deleteAfterRefusal(error, request, this.#deps.cookies)
    if (lines.length > 0) request.setCookies?.(lines)
    throw error
  }
}
