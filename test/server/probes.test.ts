/** `/livez` and `/readyz`, a store that is waited for, and a rolling restart that loses no request. */
import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request } from 'node:http'
import { type AddressInfo, createServer as createSocketServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openInTime, StoppedError } from '../../server/wait.ts'
import { ConfigurationError } from '../../src/index.ts'
import { freePort, HAS_REDIS, type RedisServer, startRedis, waitFor } from '../stores/redis-server.ts'
import { ROOT, type RunningServer, runServer, spawnServer, startServer, temporaryFolder } from './process.ts'

async function probe(url: string): Promise<readonly [status: number, body: Record<string, unknown>]> {
  const response = await fetch(url)
  return [response.status, (await response.json()) as Record<string, unknown>]
}

async function startOwnRedis(): Promise<RedisServer> {
  const server = await startRedis()
  onTestFinished(() => server.close())
  return server
}

describe.skipIf(!HAS_REDIS)(`probes${HAS_REDIS ? '' : ': NO REDIS, NOT TESTED'}`, () => {
  it('of a server whose Redis takes no writes say why; it is alive', async () => {
    const redis = await startOwnRedis()
    const server = await startServer({ REDIS_URL: `redis://127.0.0.1:${redis.port}` })
    expect(await probe(`${server.url}/readyz`)).toEqual([200, { status: 'ok', problems: [] }])
    const operator = new Redis(redis.port, '127.0.0.1')
    onTestFinished(() => operator.disconnect())
    await operator.replicaof('127.0.0.1', 1)
    await waitFor(async () => (await probe(`${server.url}/readyz`))[0] === 503)
    expect(await probe(`${server.url}/readyz`)).toEqual([
      503,
      {
        status: 'unavailable',
        problems: [
          { part: 'store', severity: 'error', code: 'READONLY', reason: 'it is a read-only replica' },
        ],
      },
    ])
    expect(await probe(`${server.url}/livez`)).toEqual([200, { status: 'ok' }])
    expect((await probe(`${server.url}/healthz`))[0]).toBe(503)
    await operator.replicaof('NO', 'ONE')
    await waitFor(async () => (await probe(`${server.url}/readyz`))[0] === 200)
  }, 60_000)

  it('say that the server starts while it waits for its store, which it says once', async () => {
    const redis = await startOwnRedis()
    await redis.kill()
    const port = await freePort()
    const env = { REDIS_URL: `redis://127.0.0.1:${redis.port}`, TOKENWRIGHT_WAIT: '60s', PORT: String(port) }
    const starting = startServer(env)
    const url = `http://127.0.0.1:${port}`
    await waitFor(async () => (await probe(`${url}/readyz`).catch(() => [0]))[0] === 503, 30)
    expect((await probe(`${url}/readyz`))[1]).toEqual({ status: 'starting', problems: [] })
    expect(await probe(`${url}/livez`)).toEqual([200, { status: 'ok' }])
    const [status, body] = await probe(`${url}/protected`)
    expect([status, body['code']]).toEqual([503, 'starting'])
    // It has tried once when this has refused it.
    const refusing = createSocketServer((socket) => socket.destroy()).listen(redis.port, '127.0.0.1')
    await once(refusing, 'connection')
    await new Promise((resolve) => refusing.close(resolve))
    await redis.restart()
    const server = await starting
    expect((await probe(`${url}/readyz`))[0]).toBe(200)
    const lines = server.stderr().split('\n')
    expect(lines.filter((line) => line.startsWith('Waiting '))).toEqual([
      expect.stringMatching(
        /^Waiting for up to 60 s: sessions cannot be kept in redis:\/\/127\.0\.0\.1:\d+: /,
      ),
    ])
  }, 60_000)
})

describe('a server whose store is down', () => {
  it('ends with one line, where no waiting was asked, and where it was in vain', async () => {
    const port = await freePort()
    for (const wait of ['0s', '0.5s']) {
      const ended = await runServer({ REDIS_URL: `redis://127.0.0.1:${port}`, TOKENWRIGHT_WAIT: wait })
      expect(ended.code).toBe(1)
      expect(ended.stderr.trim().split('\n').at(-1)).toMatch(/^Tokenwright cannot start: .*no server listens/)
    }
  }, 30_000)

  it('waits for no other failure, and stops when it is told to', async () => {
    const never = new Promise<never>(() => undefined)
    const fail = (code: string) => async () => {
      throw new ConfigurationError('no', { cause: Object.assign(new Error('no'), { code }) })
    }
    const lines: string[] = []
    const patience = { seconds: 60, stopped: never }
    await expect(openInTime(fail('28P01'), patience, (line) => lines.push(line))).rejects.toThrow('no')
    expect(lines).toEqual([])
    const stopped = { seconds: 60, stopped: Promise.resolve() }
    await expect(openInTime(fail('57P03'), stopped, (line) => lines.push(line))).rejects.toThrow(StoppedError)
    expect(lines).toEqual(['Waiting for up to 60 s: no'])
  })
})

describe('SIGTERM', () => {
  it('is told by /readyz while requests are served; a second one ends that', async () => {
    const server = await startServer({ TOKENWRIGHT_DRAIN: '60s' })
    server.child.kill('SIGTERM')
    await waitFor(async () => (await probe(`${server.url}/readyz`))[0] === 503)
    expect(await probe(`${server.url}/readyz`)).toEqual([503, { status: 'stopping', problems: [] }])
    const response = await fetch(`${server.url}/healthz`)
    expect([response.status, response.headers.get('connection')]).toEqual([200, 'close'])
    expect(await server.stop()).toMatchObject({ code: 0, stderr: '' })
  }, 30_000)
})

/** A load balancer: it asks `/readyz`, and sends each request once, to the next server that is ready. */
async function startBalancer(ports: readonly number[]) {
  const servers = ports.map((port) => ({ port, isReady: false, agent: new Agent({ keepAlive: true }) }))
  let turn = 0
  const balancer = createServer((incoming, outgoing) => {
    const ready = servers.filter(({ isReady }) => isReady)
    const next = ready[turn++ % ready.length]
    const fail = (error: Error) => void outgoing.writeHead(502).end(error.message)
    if (next === undefined) {
      fail(new Error('none is ready'))
      return
    }
    const { method, url: path, headers } = incoming
    const onward = request({ port: next.port, agent: next.agent, method, path, headers }, (response) => {
      // Whether a connection stays is between two neighbors.
      const { connection: _, ...others } = response.headers
      outgoing.writeHead(response.statusCode ?? 502, others)
      response.pipe(outgoing)
    })
    onward.once('error', fail)
    incoming.pipe(onward)
  })
  const look = async (server: (typeof servers)[number]) => {
    const response = await fetch(`http://127.0.0.1:${server.port}/readyz`).catch(() => undefined)
    server.isReady = response?.status === 200
    await response?.body?.cancel()
  }
  const looking = setInterval(() => servers.forEach((server) => void look(server)), 50)
  await new Promise<void>((resolve) => balancer.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    clearInterval(looking)
    balancer.closeAllConnections()
    balancer.close()
    for (const { agent } of servers) agent.destroy()
  })
  return {
    url: `http://127.0.0.1:${(balancer.address() as AddressInfo).port}`,
    areReady: async () => servers.every(({ isReady }) => isReady),
  }
}

/** What a user sends. */
interface Sent {
  readonly path: string
  readonly method?: string
  readonly token?: string | undefined
  readonly body?: string
}

/** Sends one request over a connection that is kept. Resolves to what went wrong, or the body. */
function send(agent: Agent, url: string, { path, method = 'GET', token, body }: Sent) {
  return new Promise<{ readonly fault?: string; readonly text: string }>((resolve) => {
    const headers = {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }),
    }
    const sent = request(url + path, { agent, method, headers }, (response: IncomingMessage) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      response.once('end', () => {
        const fault = `${method} ${path}: ${response.statusCode} ${text}`
        resolve(response.statusCode === 200 ? { text } : { fault, text })
      })
    })
    sent.once('error', (error) => resolve({ fault: `${method} ${path}: ${error.message}`, text: '' }))
    sent.end(body)
  })
}

/** A user who goes on until told to stop. */
async function use(url: string, faults: string[], goesOn: () => boolean): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  let count = 0
  const ask = async (what: Sent) => {
    const { fault, text } = await send(agent, url, what)
    count++
    if (fault !== undefined) faults.push(fault)
    return fault === undefined ? (JSON.parse(text) as Record<string, string>) : undefined
  }
  let tokens = await ask({ path: '/auth/login', method: 'POST', body: 'username=test&password=test' })
  for (let i = 1; goesOn(); i++) {
    await ask({ path: '/protected', token: tokens?.['access_token'] })
    if (i % 10 === 0)
      tokens = await ask({ path: '/auth/refresh', method: 'POST', token: tokens?.['refresh_token'] })
    await pause(2)
  }
  agent.destroy()
  return count
}

describe.skipIf(!HAS_REDIS)('a rolling restart', () => {
  it('of four processes under load loses no request', async () => {
    const redis = await startOwnRedis()
    const cwd = temporaryFolder()
    const ports = await Promise.all([1, 2, 3, 4].map(() => freePort()))
    const command = [
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      join(ROOT, 'server/dist/main.js'),
    ]
    const start = (port: number): Promise<RunningServer> =>
      spawnServer(
        {
          PORT: String(port),
          REDIS_URL: `redis://127.0.0.1:${redis.port}`,
          TOKENWRIGHT_DRAIN: '0.4s',
        },
        cwd,
        command,
        onTestFinished,
      )
    const servers = await Promise.all(ports.map(start))
    const balancer = await startBalancer(ports)
    await waitFor(balancer.areReady)

    const faults: string[] = []
    let goesOn = true
    const users = Array.from({ length: 6 }, () => use(balancer.url, faults, () => goesOn))
    for (const [i, port] of ports.entries()) {
      expect((await servers[i]?.stop())?.code).toBe(0)
      await start(port)
      await waitFor(balancer.areReady, 30)
    }
    goesOn = false
    const counts = await Promise.all(users)
    expect(faults.slice(0, 5)).toEqual([])
    expect(Math.min(...counts)).toBeGreaterThan(50)
  }, 90_000)
})

it('opens the port before the databases, so that a port in use is said first', async () => {
  const other = createSocketServer().listen(0, '127.0.0.1')
  onTestFinished(() => void other.close())
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const cwd = temporaryFolder()
  const env = { PORT: String(port), DATABASE_URL: 'postgres://127.0.0.1:1/none', TOKENWRIGHT_WAIT: '60s' }
  expect((await runServer(env, cwd)).stderr).toMatch(/the port is in use/)
}, 30_000)
