/** What an operator sees of a running server in trouble: in its log, its metrics and its health. */
import { execFileSync } from 'node:child_process'
import { Redis } from 'ioredis'
import { describe, expect, it, onTestFinished } from 'vitest'
import { HAS_PROMETHEUS } from '../otel/prometheus.ts'
import { freePort, HAS_REDIS, startRedis, waitFor } from '../stores/redis-server.ts'
import { startServer } from './process.ts'

interface Tokens {
  readonly access_token: string
  readonly refresh_token: string
}

async function setUp() {
  const redis = await startRedis()
  onTestFinished(() => redis.close())
  const client = new Redis({ port: redis.port })
  onTestFinished(() => client.disconnect())
  const port = await freePort()
  const server = await startServer({
    REDIS_URL: `redis://127.0.0.1:${redis.port}`,
    METRICS_PORT: String(port),
    TOKENWRIGHT_LOG: 'json',
  })
  const text = (): string => server.stdout() + server.stderr()
  const lines = (): Record<string, unknown>[] =>
    text()
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line))
  const metrics = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  /** The sum of all series of a metric with these labels. */
  const sum = async (name: string, labels = ''): Promise<number> =>
    (await metrics())
      .split('\n')
      .filter((line) => line.startsWith(name) && line.includes(labels))
      .reduce((total, line) => total + Number(line.split(' ').at(-1)), 0)
  const post = (path: string, body: object, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${server.url}/auth/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': 'probe/1', ...headers },
      body: JSON.stringify(body),
    })
  return {
    client,
    server,
    text,
    metrics,
    post,
    async login(id: string): Promise<Tokens> {
      const response = await post('login', { username: 'test', password: 'test' }, { 'x-request-id': id })
      expect(response.headers.get('x-request-id')).toBe(id)
      return (await response.json()) as Tokens
    },
    /** Waits for a line of the log with these facts. */
    logged: (facts: Record<string, unknown>): Promise<void> =>
      waitFor(async () =>
        lines().some((line) => Object.entries(facts).every(([name, value]) => line[name] === value)),
      ),
    counted: (name: string, labels: string, least: number): Promise<void> =>
      waitFor(async () => (await sum(name, labels)) >= least),
    /** Waits until the server says that it is (not) ready, because of a problem. */
    ready: (status: number, code: string): Promise<void> =>
      waitFor(async () => {
        const response = await fetch(`${server.url}/readyz`)
        const { problems } = (await response.json()) as { problems: { code: string }[] }
        return response.status === status && problems.some((problem) => problem.code === code)
      }),
  }
}

describe.skipIf(!HAS_REDIS)('a server in trouble', { timeout: 60_000 }, () => {
  it('tells of it in its log, its metrics and its health', async () => {
    const { client, server, text, metrics, login, post, logged, counted, ready } = await setUp()
    const first = await login('from-the-proxy')
    await logged({ event: 'started', sub: 'test', request: 'from-the-proxy', agent: 'probe/1' })

    // Passwords are guessed.
    const wrong = await post('login', { username: 'test', password: 'hunter2' }, { 'x-request-id': 'a b' })
    const request = wrong.headers.get('x-request-id')
    expect(request).toMatch(/^[\da-f-]{36}$/)
    for (let i = 0; i < 7; i++) await post('login', { username: 'guessed', password: `hunter2-${i}` })
    await logged({ event: 'refused', code: 'credentials_invalid', request, level: 'warn' })
    await logged({ event: 'refused', code: 'rate_limited', level: 'warn' })
    await counted('tokenwright_refusals_total', 'error_type="credentials_invalid"', 5)
    await counted('tokenwright_refusals_total', 'error_type="rate_limited"', 1)

    // All sessions of a user are ended.
    const authorization = `Bearer ${first.access_token}`
    for (let i = 0; i < 3; i++) await login(`more-${i}`)
    await fetch(`${server.url}/auth/sessions`, { method: 'DELETE', headers: { authorization } })
    await logged({ event: 'ended', why: 'ended', sub: 'test', count: 3, route: '/auth/sessions' })
    await counted('tokenwright_sessions_ended_total', 'tokenwright_reason="ended"', 3)

    // The store is wiped.
    await fetch(`${server.url}/readyz`)
    await client.flushall()
    await post('refresh', { refresh_token: first.refresh_token })
    await logged({ event: 'unknown', sub: 'test', level: 'warn', route: '/auth/refresh' })
    await counted('tokenwright_sessions_unknown_total', '', 1)
    await ready(200, 'writes_lost')

    // It is a replica, and takes no writes.
    await client.replicaof('127.0.0.1', 1)
    await post('login', { username: 'test', password: 'test' })
    await logged({ event: 'refused', code: 'store_unavailable', cause: 'READONLY', level: 'error' })
    await counted('tokenwright_refusals_total', 'http_response_status_code="503"', 1)
    await ready(503, 'READONLY')

    for (const secret of ['hunter2', first.refresh_token, first.access_token])
      expect(text() + (await metrics())).not.toContain(secret)
    if (HAS_PROMETHEUS)
      execFileSync('promtool', ['check', 'metrics'], {
        input: await metrics(),
        stdio: ['pipe', 'pipe', 'pipe'],
      })
    expect((await server.stop()).code).toBe(0)
  })
})
