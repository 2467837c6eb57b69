/**
 * Notifies the application's listeners of refused requests, of each once, from guards and routes.
 * A store that is out of order must not stay unknown, so where no listener does the process warns
 * of it.
 */
import type { AuthError } from '../errors.ts'
import { toIpPrefix } from '../http/ip-prefix.ts'
import type { RequestPort } from '../http/request-port.ts'
import type { Clock } from '../internal/duration.ts'
import { emit, type Listeners } from '../internal/listeners.ts'
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
  #hasWarned = false

  /** @param on the listeners */
  constructor(on: Listeners<AuthEvents>, clock: Clock) {
    this.#on = on
    this.#clock = clock
  }

  /** Reports a refusal, unless it was reported before. */
  report(error: AuthError, request: RequestPort, facts: RefusalFacts = {}): void {
    if (this.#reported.has(error)) return
    this.#reported.add(error)
    if (error.code === 'store_unavailable' && this.#on.refused === undefined) this.#warn(error)
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

  #warn({ cause }: AuthError): void {
    if (this.#hasWarned) return
    this.#hasWarned = true
    const why = cause instanceof Error ? `: ${cause.message}` : ''
    const message = `The response to a request was 503 \`store_unavailable\`${why}. Give \`on.refused\` to learn of each.`
    if (typeof globalThis.process?.emitWarning === 'function')
      process.emitWarning(message, { type: 'TokenwrightWarning', code: 'TOKENWRIGHT_STORE_UNAVAILABLE' })
    else console.warn(message)
  }
}

const MAX_USER_AGENT = 256

/** The path of a request target, without its query, which may hold a token. */
function toPath(url: string): string {
  const path = url.startsWith('/') ? url : url.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, '')
  return path.split(/[?#]/, 1)[0] || '/'
}
