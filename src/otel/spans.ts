/**
 * Spans of the operations of an application, children of the span that is active: of the request,
 * or of the operation around a call of the store. What a process does by itself has none, as the
 * reading of the log goes on for longer than the request that has begun it.
 */
import type { AuthenticateFacts } from '../auth/request-authenticator.ts'
import { ERRORS } from '../errors.ts'
import type { StoreCallFacts, StoreStep } from '../session/store-client.ts'
import type { OtelAttributes, OtelSpan, OtelTracer } from './api.ts'
import { ATTRIBUTES } from './names.ts'

/** The steps that a process takes by itself. */
const BACKGROUND: readonly StoreStep[] = ['readLog', 'prune']

/** The status of a span that has failed. */
const FAILED = { code: 2 } as const

/** Makes the spans of one application. */
export class Spans {
  readonly #tracer: OtelTracer
  readonly #attributes: OtelAttributes

  /** @param attributes those of every span */
  constructor(tracer: OtelTracer, attributes: OtelAttributes) {
    this.#tracer = tracer
    this.#attributes = attributes
  }

  /** Authenticates in a span. What a client has sent is no failure of the service. */
  authenticate<T>(facts: AuthenticateFacts, run: () => Promise<T>): Promise<T> {
    const { method } = facts
    const attributes: OtelAttributes = method === null ? {} : { [ATTRIBUTES.method]: method }
    return this.#run('tokenwright.authenticate', attributes, run, (span) => {
      const { outcome, cached, code } = facts
      span.setAttributes({
        [ATTRIBUTES.outcome]: outcome ?? 'failed',
        [ATTRIBUTES.cached]: cached,
        ...(code !== null && { [ATTRIBUTES.error]: code }),
      })
      if (outcome === 'failed' || (code !== null && ERRORS[code].status >= 500)) span.setStatus(FAILED)
    })
  }

  /** Calls the store in a span. */
  storeCall<T>(facts: StoreCallFacts, run: () => Promise<T>): Promise<T> {
    const { step, store } = facts
    if (BACKGROUND.includes(step)) return run()
    const attributes = { [ATTRIBUTES.store]: store, [ATTRIBUTES.step]: step }
    return this.#run(`tokenwright.store.${step}`, attributes, run, (span) => {
      const { outcome, word } = facts
      span.setAttributes({
        [ATTRIBUTES.outcome]: outcome ?? 'failed',
        ...(word !== null && { [ATTRIBUTES.result]: word }),
      })
      if (outcome !== 'ok') span.setStatus(FAILED)
    })
  }

  /** Runs in a span; without one if the tracer throws. */
  #run<T>(
    name: string,
    attributes: OtelAttributes,
    run: () => Promise<T>,
    finish: (span: OtelSpan) => void,
  ): Promise<T> {
    let running: Promise<T> | undefined
    try {
      this.#tracer.startActiveSpan(name, { attributes: { ...this.#attributes, ...attributes } }, (span) => {
        running = run()
        const end = (): void => {
          finish(span)
          span.end()
        }
        running.then(end, end).catch(() => undefined)
      })
    } catch {
      // Neither delays nor fails the operation.
    }
    return running ?? run()
  }
}
