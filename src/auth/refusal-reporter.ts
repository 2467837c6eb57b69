/**
 * Notifies the application's listeners of refused requests, of each once, from guards and routes.
 * A store that is out of order must not stay unknown, so where no listener does the process warns
 * of it.
 */

import type { AuthError } from '../errors.ts'
import { toIpPrefix } from '../http/ip-prefix.ts'
import type { RequestPort } from '../http/request-port.ts'
import type { Clock } from '../internal/duration.ts'
import { describeFailure, explainFailure } from '../internal/failure.ts'
import { emit, type Listeners } from '../internal/listeners.ts'
import { createWarnOnce } from '../internal/warn.ts'
import type { AuthEvents } from './events.ts'

/** What a route knows of a refused request beyond the request. */
export interface RefusalFacts {
  /** The account that a password was tried for: a hash, alike for all spellings of a name. */
  readonly account?: string | undefined
  /** The subject of a verified token. */
  readonly sub?: string | undefined
  /** The client's address, where the application says it. */
  readonly address?: string | undefined
}

/** Reports the refusals of one application. */
export class RefusalReporter {
  readonly #on: Listeners<AuthEvents>
  readonly #clock: Clock
  readonly #reported = new WeakSet<AuthError>()
  readonly #failures = new WeakSet<object>()
  readonly #warnOnce = createWarnOnce()

  /** @param on the listeners */
  constructor(on: Listeners<AuthEvents>, clock: Clock) {
    this.#on = on
    this.#clock = clock
  }

  /** Reports a refusal, unless it was reported before. */
  report(error: AuthError, request: RequestPort, facts: RefusalFacts = {}): void {
    if (this.#reported.has(error)) return
    this.#reported.add(error)
    if (error.status === 503 && this.#on.refused === undefined) this.#warn(error)
    const { account = null, sub = null, address = request.address ?? null } = facts
    const userAgent = request.header('user-agent')
    emit(this.#on, 'refused', {
      code: error.code,
      method: request.method,
      cause: error.cause,
      time: this.#clock(),
      route: toPath(request.url),
      address,
      network: address === null ? null : toIpPrefix(address),
      userAgent: typeof userAgent === 'string' ? userAgent.slice(0, MAX_USER_AGENT) : null,
      account,
      sub,
    })
  }

  /** Tells of a request that failed because of a defect, unless it was told already. */
  reportFailure(error: unknown, request: RequestPort): void {
    if (typeof error === 'object' && error !== null) {
      if (this.#failures.has(error)) return
      this.#failures.add(error)
    }
    emit(this.#on, 'failed', {
      error,
      method: request.method,
      time: this.#clock(),
      route: toPath(request.url),
    })
    const { name, message } = Object(error) as { readonly name?: unknown; readonly message?: unknown }
    // Other messages may hold what a request brought; the framework shows them to whom it should.
    if (this.#on.failed !== undefined || name !== 'ConfigurationError') return
    this.#warnOnce('TOKENWRIGHT_MISCONFIGURED', String(message), String(message))
  }

  #warn({ code, cause }: AuthError): void {
    const why = cause === undefined ? '' : `: ${describeFailure(cause)}`
    const name = `TOKENWRIGHT_${code.toUpperCase()}`
    this.#warnOnce(
      name,
      `The response to a request was 503 \`${code}\`${why}. Give \`on.refused\` to learn of each.`,
      // Each trouble once: a store that was down may be full later.
      `${name} ${explainFailure(cause)?.code}`,
    )
  }
}

const MAX_USER_AGENT = 256

/** The path of a request target, without its query, which may hold a token. */
function toPath(url: string): string {
  const path = url.startsWith('/') ? url : url.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, '')
  return path.split(/[?#]/, 1)[0] || '/'
}
