/** Metrics and spans, by the SDK of OpenTelemetry itself. */
import { context, metrics, trace } from '@opentelemetry/api'
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus'
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { type Auth, createAuth, type TokenPair } from '../../src/index.ts'
import { instrument, type OtelMeter, type OtelTracer } from '../../src/otel.ts'
import { authRoutes } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'

class Reader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

const spans = new InMemorySpanExporter()
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] })
provider.register()
afterEach(() => spans.reset())
afterAll(() => provider.shutdown())

/** The measurements, as Prometheus would read them, without their texts of help. */
function collectFrom(reader: Reader): () => Promise<string[]> {
  return async () => {
    const { resourceMetrics } = await reader.collect()
    const text = new PrometheusSerializer('', false).serialize(resourceMetrics)
    const lines = text
      .replaceAll(/,?otel_scope_name="tokenwright"/g, '')
      .replaceAll('{}', '')
      .split('\n')
    return lines.filter((line) => !line.startsWith('#'))
  }
}

function setUp({ store = memoryStore(), attributes = {} } = {}) {
  let now = 1_700_000_000
  const auth = createAuth({
    secret: SECRET,
    clock: () => now,
    sessions: { store, overlap: 1 },
  })
  const reader = new Reader()
  const meters = new MeterProvider({ readers: [reader] })
  const stop = instrument(auth, {
    meter: meters.getMeter('tokenwright'),
    tracer: trace.getTracer('tokenwright'),
    attributes,
  })
  const routes = authRoutes(auth, {
    verifyCredentials: ({ username, password }) => (password === 'right' ? { subject: username } : null),
  })
  const post = (path: string, body: object): Promise<Response> =>
    routes(
      new Request(`http://localhost/auth/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
      { address: '192.0.2.7' },
    )
  const login = async (): Promise<TokenPair> =>
    toPair(await post('login', { username: 'alice', password: 'right', delivery: 'body' }))
  const pass = (seconds: number): void => {
    now += seconds
  }
  return { auth, store, stop, post, login, pass, collect: collectFrom(reader) }
}

const toPair = async (response: Response): Promise<TokenPair> => (await response.json()) as TokenPair

const authenticate = (auth: Auth, token?: string, optional = false) =>
  auth.authenticate(
    new Request(
      'http://localhost/',
      token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
    ),
    { optional },
  )

describe('metrics', () => {
  it('count what is issued, checked, refused and refreshed', async () => {
    const { auth, post, login, collect } = setUp()
    const { access_token, refresh_token } = await login()
    for (let i = 0; i < 3; i++) await authenticate(auth, access_token)
    await authenticate(auth, undefined, true)
    await authenticate(auth, 'a.b.c').catch(() => undefined)
    await post('refresh', { refresh_token })
    await post('login', { username: 'alice', password: 'wrong' })
    const lines = await collect()
    expect(lines).toContain('tokenwright_tokens_issued_total{tokenwright_token_type="access"} 2')
    expect(lines).toContain(
      'tokenwright_authentications_total{tokenwright_outcome="verified",tokenwright_cached="false"} 2',
    )
    expect(lines).toContain(
      'tokenwright_authentications_total{tokenwright_outcome="verified",tokenwright_cached="true"} 2',
    )
    expect(lines).toContain(
      'tokenwright_authentications_total{tokenwright_outcome="anonymous",tokenwright_cached="false"} 1',
    )
    expect(lines).toContain(
      'tokenwright_authentications_total{tokenwright_outcome="refused",tokenwright_cached="false"} 1',
    )
    expect(lines).toContain(toRefusal('token_malformed', 401, false, 1))
    expect(lines).toContain(toRefusal('credentials_invalid', 401, true, 1))
    expect(lines).toContain('tokenwright_refreshes_total{tokenwright_result="rotated"} 1')
    expect(lines).toContain('tokenwright_sessions_started_total 1')
  })

  it('tell how sessions end, and that the store was wiped', async () => {
    const { auth, post, login, pass, collect, store } = setUp()
    const first = await login()
    pass(60)
    const second = await toPair(await post('refresh', { refresh_token: first.refresh_token }))
    pass(60)
    await post('refresh', { refresh_token: second.refresh_token })
    pass(60)
    await post('refresh', { refresh_token: first.refresh_token })
    const other = await auth.verifyToken((await login()).access_token)
    await auth.sessions.end(other.sid as string)
    await login()
    await login()
    await auth.revokeSubject('alice')
    pass(60)
    const lost = await login()
    store.rotate = async () => ({ word: 'unknown', row: null, now: 0 })
    await post('refresh', { refresh_token: lost.refresh_token })
    const lines = await collect()
    expect(lines).toContain('tokenwright_refreshes_total{tokenwright_result="reused"} 1')
    expect(lines).toContain('tokenwright_sessions_ended_total{tokenwright_reason="refresh_reused"} 1')
    expect(lines).toContain('tokenwright_sessions_ended_total{tokenwright_reason="ended"} 1')
    expect(lines).toContain('tokenwright_sessions_ended_total{tokenwright_reason="subject_revoked"} 2')
    expect(lines).toContain('tokenwright_refreshes_total{tokenwright_result="unknown"} 1')
    expect(lines).toContain('tokenwright_sessions_unknown_total 1')
  })

  it('measure each step of the store by what became of it', async () => {
    const { auth, login, collect, store } = setUp()
    await login()
    store.rotate = () => Promise.reject(Object.assign(new Error('down'), { code: 'READONLY' }))
    const { refresh_token } = await login()
    const payload = await auth.verifyToken(refresh_token, { type: 'refresh' })
    await auth.sessions.refresh(payload).catch(() => undefined)
    const lines = await collect()
    const labels = (step: string, outcome: string): string =>
      `tokenwright_store_name="memory",tokenwright_store_step="${step}",tokenwright_outcome="${outcome}"`
    expect(lines).toContain(`tokenwright_store_call_duration_count{${labels('start', 'ok')}} 2`)
    expect(lines).toContain(`tokenwright_store_call_duration_count{${labels('rotate', 'failed')}} 1`)
    expect(lines).toContain(`tokenwright_store_call_duration_bucket{${labels('start', 'ok')},le="5"} 2`)
    expect(lines).toContain('tokenwright_refreshes_total{tokenwright_result="unavailable"} 1')
  })

  it('show the state of the feed, the calls and the keys', async () => {
    const { auth, collect, stop } = setUp({ attributes: { 'tokenwright.realm': 'staff' } })
    await auth.ready()
    const lines = await collect()
    expect(lines).toContain('tokenwright_feed_caught_up{tokenwright_realm="staff"} 1')
    expect(lines).toContain('tokenwright_feed_entries{tokenwright_realm="staff"} 0')
    expect(lines).toContain('tokenwright_store_up{tokenwright_realm="staff"} 1')
    expect(lines).toContain('tokenwright_store_calls_in_flight{tokenwright_realm="staff"} 0')
    expect(lines.filter((line) => line.startsWith('tokenwright_feed_age{'))).toHaveLength(1)
    const keys = lines.filter((line) => line.startsWith('tokenwright_keys{'))
    expect(keys).toEqual([
      expect.stringMatching(/tokenwright_key_use="sign",tokenwright_key_id="[\w-]+"} 1$/),
      expect.stringMatching(/tokenwright_key_use="verify",tokenwright_key_id="[\w-]+"} 1$/),
    ])
    expect(lines.join('\n')).not.toContain(SECRET)
    stop()
    await auth.createTokenPair('alice')
    expect(await collect()).toContain('tokenwright_sessions_started_total{tokenwright_realm="staff"} 0')
    await auth.close()
  })

  it('begin at 0 where an alert watches', async () => {
    const { collect } = setUp()
    const lines = await collect()
    expect(lines).toContain('tokenwright_refreshes_total{tokenwright_result="reused"} 0')
    expect(lines).toContain('tokenwright_refreshes_total{tokenwright_result="shadowed"} 0')
    expect(lines).toContain('tokenwright_sessions_unknown_total 0')
    expect(lines).toContain(toRefusal('store_unavailable', 503, false, 0))
    expect(lines).toContain(toRefusal('rate_limited', 429, true, 0))
  })
})

describe('spans', () => {
  it('are children of the active span, those of the store of the operation around them', async () => {
    const { auth, login } = setUp()
    const { access_token } = await login()
    spans.reset()
    await trace.getTracer('test').startActiveSpan('GET /', async (span) => {
      await auth.authenticate(
        new Request('http://localhost/', { headers: { authorization: `Bearer ${access_token}` } }),
        {
          revocation: 'strict',
        },
      )
      span.end()
    })
    const [root, authenticated, asked] = [
      'GET /',
      'tokenwright.authenticate',
      'tokenwright.store.isRevoked',
    ].map(find)
    expect(authenticated?.parentSpanContext?.spanId).toBe(root?.spanContext().spanId)
    expect(asked?.parentSpanContext?.spanId).toBe(authenticated?.spanContext().spanId)
    expect(authenticated?.attributes).toEqual({
      'http.request.method': 'GET',
      'tokenwright.outcome': 'verified',
      'tokenwright.cached': false,
    })
    expect(asked?.attributes).toEqual({
      'tokenwright.store.name': 'memory',
      'tokenwright.store.step': 'isRevoked',
      'tokenwright.outcome': 'ok',
    })
  })

  it('fail for an outage, and not for a bad token', async () => {
    const { auth, login, store } = setUp()
    await authenticate(auth, 'a.b.c').catch(() => undefined)
    expect(find('tokenwright.authenticate')).toMatchObject({
      status: { code: 0 },
      attributes: { 'error.type': 'token_malformed', 'tokenwright.outcome': 'refused' },
    })
    const { access_token } = await login()
    spans.reset()
    store.isRevoked = () => Promise.reject(new Error('down'))
    await auth.verifyToken(access_token, { revocation: 'strict' }).catch(() => undefined)
    expect(find('tokenwright.store.isRevoked')).toMatchObject({ status: { code: 2 } })
    expect(find('tokenwright.authenticate')).toMatchObject({
      status: { code: 2 },
      attributes: { 'error.type': 'store_unavailable' },
    })
  })

  it('hold no token, subject or session', async () => {
    const { auth, login } = setUp()
    const { access_token } = await login()
    const { sid } = await auth.verifyToken(access_token)
    const text = JSON.stringify(
      spans.getFinishedSpans().map(({ name, attributes }) => ({ name, attributes })),
    )
    for (const secret of [access_token.split('.')[2] as string, 'alice', sid as string])
      expect(text).not.toContain(secret)
  })
})

describe('instrument', () => {
  it('takes nothing that does not work', async () => {
    const { auth, login } = setUp()
    const broken = () => {
      throw new Error('broken')
    }
    const meter = metrics.getMeter('broken')
    const stops = [
      instrument(auth, { tracer: { startActiveSpan: broken } as OtelTracer }),
      instrument(auth, { meter: { ...toObject(meter), createCounter: () => ({ add: addNothing(broken) }) } }),
    ]
    const { access_token } = await login()
    await expect(authenticate(auth, access_token)).resolves.toMatchObject({ sub: 'alice' })
    for (const stop of stops) stop()
  })

  it.each([
    [{}, /`meter`, `tracer` or both/],
    [{ meter: {} }, /Expected `meter` to be `metrics.getMeter/],
    [{ tracer: {} }, /Expected `tracer` to be `trace.getTracer/],
    [{ tracer: trace.getTracer('x'), attribute: {} }, /attributes/],
    [{ tracer: trace.getTracer('x'), attributes: 'realm' }, /Expected `attributes` to be an object/],
  ])('refuses %j', (options, message) => {
    expect(() => instrument(createAuth({ secret: SECRET }), options as never)).toThrow(message)
  })

  it('leaves the active context as it was', async () => {
    const { login } = setUp()
    const before = context.active()
    await login()
    expect(context.active()).toBe(before)
  })
})

/** A counter that works when it is made, and breaks when something happens. */
function addNothing(broken: () => never): (value: number) => void {
  return (value) => {
    if (value > 0) broken()
  }
}

function toObject(meter: OtelMeter): OtelMeter {
  return {
    createCounter: (name, options) => meter.createCounter(name, options),
    createHistogram: (name, options) => meter.createHistogram(name, options),
    createObservableGauge: (name, options) => meter.createObservableGauge(name, options),
  }
}

function find(name: string): ReadableSpan | undefined {
  return spans.getFinishedSpans().findLast((span) => span.name === name)
}

function toRefusal(code: string, status: number, hasPassword: boolean, count: number): string {
  return `tokenwright_refusals_total{error_type="${code}",http_response_status_code="${status}",tokenwright_password="${hasPassword}"} ${count}`
}
