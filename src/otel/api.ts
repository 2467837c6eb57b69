/**
 * What is used of OpenTelemetry, told by its shape: `Meter` and `Tracer` of `@opentelemetry/api`
 * fit, and nothing of that package is imported.
 */

/** The attributes of a measurement or a span. */
export type OtelAttributes = Record<string, string | number | boolean>

/** A counter. */
export interface OtelCounter {
  /** Adds to it. */
  add(value: number, attributes?: OtelAttributes): void
}

/** A histogram. */
export interface OtelHistogram {
  /** Takes in one value. */
  record(value: number, attributes?: OtelAttributes): void
}

/** Takes the values of a gauge when they are collected. */
export interface OtelResult {
  /** Takes one value. */
  observe(value: number, attributes?: OtelAttributes): void
}

/** A gauge that is asked when metrics are collected. */
export interface OtelGauge {
  /** Adds a function that is asked. */
  addCallback(callback: (result: OtelResult) => void): void
  /** Removes one that was added. */
  removeCallback(callback: (result: OtelResult) => void): void
}

/** What is said of a metric when it is made. */
export interface OtelMetricOptions {
  /** What it counts or measures. */
  description?: string
  /** Its unit, in UCUM. */
  unit?: string
  /** What the SDK may make of it. */
  advice?: {
    /** The bounds of a histogram's buckets. */
    explicitBucketBoundaries?: number[]
  }
}

/** Makes metrics: `metrics.getMeter('tokenwright')`. */
export interface OtelMeter {
  /** Makes a counter. */
  createCounter(name: string, options?: OtelMetricOptions): OtelCounter
  /** Makes a histogram. */
  createHistogram(name: string, options?: OtelMetricOptions): OtelHistogram
  /** Makes a gauge. */
  createObservableGauge(name: string, options?: OtelMetricOptions): OtelGauge
}

/** One span. */
export interface OtelSpan {
  /** Sets attributes. */
  setAttributes(attributes: OtelAttributes): unknown
  /** Sets the status; 2 is an error. */
  setStatus(status: { code: number }): unknown
  /** Ends it. */
  end(): void
}

/** Makes spans: `trace.getTracer('tokenwright')`. */
export interface OtelTracer {
  /** Runs a function in a new span, a child of the active one. */
  startActiveSpan<T>(name: string, options: { attributes?: OtelAttributes }, run: (span: OtelSpan) => T): T
}
