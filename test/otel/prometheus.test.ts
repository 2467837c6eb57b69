/** An application, its metrics at a real Prometheus, and what an operator sees there of what goes wrong. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuth, type TokenPair } from '../../src/index.ts'
import { instrument } from '../../src/otel.ts'
import { authRoutes } from '../../src/routes.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { freePort, HAS_REDIS, startRedis, waitFor } from '../stores/redis-server.ts'
import { HAS_PROMETHEUS, OPERATIONS, type Prometheus, startPrometheus } from './prometheus.ts'

const closers: (() => Promise<unknown>)[] = []
afterAll(async () => {
  for (const close of closers.reverse()) await close()
})

/** An application on a Redis of its own, whose metrics are at a port. */
async function startApp() {
  const redis = await startRedis()
  const client = new Redis({ port: redis.port })
  client.on('error', () => undefined)
  const auth = createAuth({
    secret: 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu',
    sessions: { store: redisStore(client) },
  })
  const port = await freePort()
  const exporter = new PrometheusExporter({ port, host: '127.0.0.1', appendTimestamp: false })
  const meters = new MeterProvider({ readers: [exporter] })
  instrument(auth, { meter: meters.getMeter('tokenwright') })
  closers.push(
    () => redis.close(),
    async () => client.disconnect(),
    () => auth.close(),
    () => meters.shutdown(),
  )
  const handle = authRoutes(auth, {
    verifyCredentials: ({ username, password }) => (password === 'right' ? { subject: username } : null),
    throttle: false,
  })
  const post = (path: string, body: object): Promise<Response> =>
    handle(
      new Request(`http://localhost/auth/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    )
  const login = async (username: string, password = 'right'): Promise<TokenPair> =>
    (await (await post('login', { username, password, delivery: 'body' })).json()) as TokenPair
  const refresh = async ({ refresh_token }: TokenPair): Promise<number> =>
    (await post('refresh', { refresh_token })).status
  return { auth, client, login, refresh, port }
}

const many = <T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => work(index)))

/** The queries of the dashboard, as Grafana would send them. */
const QUERIES = JSON.parse(readFileSync(join(OPERATIONS, 'grafana-dashboard.json'), 'utf8'))
  .panels.flatMap((panel: { title: string; targets?: { expr: string }[] }) =>
    (panel.targets ?? []).map(({ expr }) => [panel.title, expr]),
  )
  .map(([title, expr]: [string, string]) => [
    title,
    expr.replaceAll('$job', 'app').replaceAll('$instance', '.*').replaceAll('$__rate_interval', '1m'),
  ]) as [string, string][]

describe.skipIf(!HAS_PROMETHEUS || !HAS_REDIS)('at a real Prometheus', { timeout: 60_000 }, () => {
  let app: Awaited<ReturnType<typeof startApp>>
  let prometheus: Prometheus
  beforeAll(async () => {
    app = await startApp()
    await app.auth.ready()
    prometheus = await startPrometheus(app.port)
    closers.push(() => prometheus.close())
  }, 60_000)

  it('nothing alerts while all is well', async () => {
    const pairs = await many(20, (index) => app.login(`user-${index}`))
    expect(new Set(await Promise.all(pairs.map(app.refresh)))).toEqual(new Set([200]))
    await app.login('user-0', 'wrong')
    const isSeen = async (): Promise<boolean> =>
      (await prometheus.query('tokenwright_sessions_started_total == 20')).length > 0
    await waitFor(isSeen, 20)
    expect(await prometheus.alerts()).toEqual([])
  })

  it('a credential stuffing, a mass logout, a wiped store and a read-only one alert', async () => {
    const before = await many(80, (index) => app.login(`user-${index}`))
    await many(400, (index) => app.login(`guess-${index}`, 'wrong'))
    for (const { access_token } of before.slice(20)) {
      const { sid } = await app.auth.verifyToken(access_token)
      await app.auth.sessions.end(sid as string)
    }
    await app.client.flushall()
    expect(new Set(await Promise.all(before.slice(0, 20).map(app.refresh)))).toEqual(new Set([401]))
    const last = await app.login('last')
    await app.client.replicaof('127.0.0.1', 1)
    expect(new Set(await many(20, () => app.refresh(last)))).toEqual(new Set([503]))
    const expected = ['CredentialStuffing', 'MassLogout', 'StoreWiped', 'Unavailable'].map(
      (name) => `Tokenwright${name}`,
    )
    await waitFor(async () => {
      const alerts = await prometheus.alerts()
      return expected.every((name) => alerts.includes(name))
    }, 30)
    await app.client.replicaof('NO', 'ONE')
  })

  it.each(QUERIES)('the dashboard shows: %s', async (title, expr) => {
    const found = await prometheus.query(expr)
    // This application has no other issuers.
    expect(found.length > 0).toBe(title !== 'Issuers')
  })
})
