/**
 * The metrics of `tokenwright/otel` in the text format of Prometheus, on a port of their own: what
 * an application gets of `@opentelemetry/exporter-prometheus`, in as much as is used here, because
 * `npm start` works without development packages. The port is for operators: keep it from the
 * internet.
 */
import { createServer, type Server } from 'node:http'
import type { Auth } from 'tokenwright'
import {
  instrument,
  type OtelAttributes,
  type OtelMeter,
  type OtelMetricOptions,
  type OtelResult,
} from 'tokenwright/otel'

/** Counts and measures, and writes it down. */
interface TextMeter extends OtelMeter {
  /** The text of all series. */
  write(): string
}

/** Measures applications, and serves `GET /metrics`; no other path. */
export function createMetricsServer(auth: Auth, demo: Auth | undefined): Server {
  const meter = createTextMeter()
  instrument(auth, { meter })
  if (demo !== undefined) instrument(demo, { meter, attributes: { 'tokenwright.realm': 'demo' } })
  return createServer((request, response) => {
    const isKnown = request.method === 'GET' && request.url === '/metrics'
    response.writeHead(isKnown ? 200 : 404, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
    response.end(isKnown ? meter.write() : '')
  })
}

/** Creates the meter. What several applications make under one name is one metric. */
function createTextMeter(): TextMeter {
  const counters = new Map<string, TextCounter>()
  const histograms = new Map<string, TextHistogram>()
  const gauges = new Map<string, TextGauge>()
  return {
    createCounter: (name, options = {}) => findOr(counters, name, () => new TextCounter(name, options)),
    createHistogram: (name, options = {}) => findOr(histograms, name, () => new TextHistogram(name, options)),
    createObservableGauge: (name, options = {}) => findOr(gauges, name, () => new TextGauge(name, options)),
    write() {
      const metrics = [counters, gauges, histograms].flatMap((made) => [...made.values()])
      return metrics.flatMap((metric) => [...metric.write(), '']).join('\n')
    },
  }
}

function findOr<T>(made: Map<string, T>, name: string, make: () => T): T {
  const metric = made.get(name) ?? make()
  made.set(name, metric)
  return metric
}

/** What stands above the series of a metric. */
function toHeader(name: string, type: string, { description = name }: OtelMetricOptions): readonly string[] {
  return [`# HELP ${name} ${description}`, `# TYPE ${name} ${type}`]
}

/** A counter. */
class TextCounter {
  readonly #name: string
  readonly #header: readonly string[]
  readonly #counts = new Map<string, number>()

  constructor(name: string, options: OtelMetricOptions) {
    this.#name = `${toName(name)}_total`
    this.#header = toHeader(this.#name, 'counter', options)
  }

  add(value: number, attributes: OtelAttributes = {}): void {
    const labels = toLabels(attributes)
    this.#counts.set(labels, (this.#counts.get(labels) ?? 0) + value)
  }

  write(): readonly string[] {
    return [...this.#header, ...[...this.#counts].map(([labels, count]) => `${this.#name}${labels} ${count}`)]
  }
}

/** A gauge, which asks for its values when it is written. */
class TextGauge {
  readonly #name: string
  readonly #header: readonly string[]
  readonly #callbacks = new Set<(result: OtelResult) => void>()

  constructor(name: string, options: OtelMetricOptions) {
    this.#name = toName(name)
    this.#header = toHeader(this.#name, 'gauge', options)
  }

  addCallback(callback: (result: OtelResult) => void): void {
    this.#callbacks.add(callback)
  }

  removeCallback(callback: (result: OtelResult) => void): void {
    this.#callbacks.delete(callback)
  }

  write(): readonly string[] {
    const lines = [...this.#header]
    const result: OtelResult = {
      observe: (value, attributes = {}) => void lines.push(`${this.#name}${toLabels(attributes)} ${value}`),
    }
    for (const callback of this.#callbacks) callback(result)
    return lines
  }
}

/** A histogram, whose buckets each count what is at most so large. */
class TextHistogram {
  readonly #name: string
  readonly #header: readonly string[]
  readonly #bounds: readonly number[]
  readonly #series = new Map<string, { buckets: number[]; sum: number; attributes: OtelAttributes }>()

  constructor(name: string, options: OtelMetricOptions) {
    this.#name = toName(name)
    this.#header = toHeader(this.#name, 'histogram', options)
    this.#bounds = [...(options.advice?.explicitBucketBoundaries ?? []), Number.POSITIVE_INFINITY]
  }

  record(value: number, attributes: OtelAttributes = {}): void {
    const key = toLabels(attributes)
    const series = this.#series.get(key) ?? { buckets: this.#bounds.map(() => 0), sum: 0, attributes }
    this.#series.set(key, series)
    series.sum += value
    series.buckets = series.buckets.map((count, index) => count + Number(value <= (this.#bounds[index] ?? 0)))
  }

  write(): readonly string[] {
    const lines = [...this.#series].flatMap(([labels, { buckets, sum, attributes }]) => [
      ...this.#bounds.map((bound, index) => {
        const le = bound === Number.POSITIVE_INFINITY ? '+Inf' : String(bound)
        return `${this.#name}_bucket${toLabels({ ...attributes, le })} ${buckets[index]}`
      }),
      `${this.#name}_sum${labels} ${sum}`,
      `${this.#name}_count${labels} ${buckets.at(-1)}`,
    ])
    return [...this.#header, ...lines]
  }
}

function toName(name: string): string {
  return name.replaceAll('.', '_')
}

/** `{name="value",...}`; nothing without attributes. */
function toLabels(attributes: OtelAttributes): string {
  const labels = Object.entries(attributes).map(
    ([name, value]) => `${toName(name)}=${JSON.stringify(String(value))}`,
  )
  return labels.length === 0 ? '' : `{${labels.join(',')}}`
}
