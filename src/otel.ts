/**
 * Entry point `tokenwright/otel`: metrics and spans of an application by OpenTelemetry. It imports
 * nothing of it: the application passes a meter and a tracer of its own SDK.
 */
import type { Auth } from './auth/auth.ts'
import type { AuthenticateFacts } from './auth/request-authenticator.ts'
import {
  ConfigurationError,
  checkKnownKeys,
  checkMethod,
  expected,
  isOptions,
} from './internal/configuration-error.ts'
import type { Observer, OperationFacts } from './internal/diagnostics.ts'
import { keysOf } from './internal/read-options.ts'
import type { OtelAttributes, OtelMeter, OtelTracer } from './otel/api.ts'
import { createGauges } from './otel/gauges.ts'
import { Metrics } from './otel/metrics.ts'
import { Spans } from './otel/spans.ts'
import type { StoreCallFacts } from './session/store-client.ts'

export type {
  OtelAttributes,
  OtelCounter,
  OtelGauge,
  OtelHistogram,
  OtelMeter,
  OtelMetricOptions,
  OtelResult,
  OtelSpan,
  OtelTracer,
} from './otel/api.ts'

/** What `instrument` takes. At least one of `meter` and `tracer`. */
export interface InstrumentOptions {
  /** Makes the metrics: `metrics.getMeter('tokenwright')`. Default: no metrics. */
  readonly meter?: OtelMeter
  /** Makes the spans: `trace.getTracer('tokenwright')`. Default: no spans. */
  readonly tracer?: OtelTracer
  /**
   * Attributes of every measurement and span, such as the realm where a process has several
   * applications: without them their series would be one. Default: none.
   */
  readonly attributes?: OtelAttributes
}

const OPTION_NAMES = keysOf<InstrumentOptions>({ meter: true, tracer: true, attributes: true })

/**
 * Shows an application to OpenTelemetry until the function is called that this returns. No
 * measurement and no span contains a token, a key, a password, a subject or a session. A meter or a
 * tracer that throws neither delays nor fails a request.
 *
 * @param auth of `createAuth`, or one of realms
 * @returns stops it
 * @throws {ConfigurationError} for options of the wrong shape, and without a meter and a tracer
 *
 * @example
 * ```ts
 * import { metrics, trace } from '@opentelemetry/api'
 * import { createAuth } from 'tokenwright'
 * import { instrument } from 'tokenwright/otel'
 *
 * const auth = createAuth({ secret: process.env['AUTH_SECRET'] ?? '' })
 * instrument(auth, {
 *   meter: metrics.getMeter('tokenwright'),
 *   tracer: trace.getTracer('tokenwright'),
 * })
 * ```
 */
export function instrument<C, U>(auth: Auth<C, U>, options: InstrumentOptions): () => void {
  checkMethod('auth', 'what `createAuth` returns', auth, 'verifyToken')
  const { meter, tracer, attributes } = readOptions(options)
  const metrics = meter === undefined ? null : new Metrics(meter, attributes)
  const spans = tracer === undefined ? null : new Spans(tracer, attributes)
  let isStoreUp = true
  const observer: Observer = {
    event(name, event) {
      if (name === 'storeDown' || name === 'storeUp') isStoreUp = name === 'storeUp'
      metrics?.event(name, event)
    },
    around(channel, facts, run) {
      const isStore = channel === 'tokenwright:store'
      const running = runInSpan(isStore, spans, facts, run)
      const count = (): void => {
        if (isStore) metrics?.storeCalled(facts as StoreCallFacts)
        else metrics?.authenticated(facts as AuthenticateFacts)
      }
      running.then(count, count).catch(() => undefined)
      return running
    },
  }
  const stopObserving = auth.internals.observe(observer)
  const source = { state: auth.state, issuers: auth.issuers, keyIds: auth.internals.keyIds }
  const stopGauges = meter && createGauges(meter, source, attributes, () => isStoreUp)
  return () => {
    stopObserving()
    stopGauges?.()
  }
}

function runInSpan<T>(
  isStore: boolean,
  spans: Spans | null,
  facts: OperationFacts,
  run: () => Promise<T>,
): Promise<T> {
  if (spans === null) return run()
  return isStore
    ? spans.storeCall(facts as StoreCallFacts, run)
    : spans.authenticate(facts as AuthenticateFacts, run)
}

function readOptions(
  options: InstrumentOptions,
): InstrumentOptions & { readonly attributes: OtelAttributes } {
  if (!isOptions(options as unknown))
    throw new ConfigurationError(expected('instrument(auth, options)', 'given an object', options))
  checkKnownKeys('', options, OPTION_NAMES)
  const { meter, tracer, attributes = {} } = options
  if (meter === undefined && tracer === undefined)
    throw new ConfigurationError('Expected `instrument` to be given `meter`, `tracer` or both')
  if (meter !== undefined) checkMethod('meter', "`metrics.getMeter('tokenwright')`", meter, 'createCounter')
  if (tracer !== undefined)
    checkMethod('tracer', "`trace.getTracer('tokenwright')`", tracer, 'startActiveSpan')
  if (!isOptions(attributes as unknown))
    throw new ConfigurationError(expected('attributes', 'an object', attributes))
  return { ...options, attributes: { ...attributes } }
}
