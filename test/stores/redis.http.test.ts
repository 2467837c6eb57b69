/**
 * Redis over HTTP, as Upstash has it: a server of our own with its protocol, and the function that
 * the guide shows. Each command may reach Redis by another connection.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { Redis } from 'ioredis'
import { storeSuite } from 'tokenwright-store-suite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuth } from '../../src/index.ts'
import type { Store } from '../../src/session/store.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { HAS_REDIS, type RedisServer, startRedis, tally, toCall, toDraft, together } from './redis-server.ts'

const TOKEN = 'of-the-service'

let redis: RedisServer
let connections: Redis[]
let server: Server
/** What the server does with a request: by default it passes the command on. */
let fault: ((request: IncomingMessage) => { status: number; body: string } | null) | null = null

async function respond(request: IncomingMessage): Promise<{ status: number; body: string }> {
  const broken = fault?.(request)
  if (broken) return broken
  if (request.headers.authorization !== `Bearer ${TOKEN}`)
    return { status: 401, body: '{"error":"WRONGPASS invalid or missing auth token"}' }
  const [command = '', ...args] = JSON.parse(await text(request)) as string[]
  const connection = connections[Math.floor(Math.random() * connections.length)]
  try {
    return { status: 200, body: JSON.stringify({ result: await connection?.call(command, ...args) }) }
  } catch (error) {
    return { status: 400, body: JSON.stringify({ error: (error as Error).message }) }
  }
}

/** The function of docs/sessions/engines.md. */
function overHttp(url: string, token: string): (command: string[]) => Promise<unknown> {
  return async (command) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}` },
      body: JSON.stringify(command),
      signal: AbortSignal.timeout(2000),
    })
    const { result, error } = (await response.json()) as { result?: unknown; error?: string }
    if (!response.ok) throw new Error(error ?? `status ${response.status}`)
    return result
  }
}

const url = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

describe.skipIf(!HAS_REDIS)('Redis over HTTP', () => {
  let store: Store

  beforeAll(async () => {
    redis = await startRedis()
    connections = Array.from({ length: 4 }, () => new Redis(redis.port))
    server = createServer(async (request, response) => {
      const { status, body } = await respond(request)
      response.writeHead(status, { 'content-type': 'application/json' }).end(body)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    store = redisStore(overHttp(url(), TOKEN), { prefix: 'http' })
  })
  afterAll(async () => {
    server?.close()
    for (const connection of connections ?? []) connection.disconnect()
    await redis?.close()
  })

  storeSuite(async () => ({ store }), { describe, it })

  it('rotates once for any number of parallel calls', async () => {
    const { sid } = toDraft()
    await store.start(toDraft({ sid }), null)
    const words = (await together(100, () => store.rotate(toCall(sid, 0)))).map(({ word }) => word)
    expect(tally(words)).toEqual({ rotated: 1, replayed: 99 })
  })

  it.each([
    ['a wrong token', () => ({ status: 401, body: '{"error":"WRONGPASS invalid or missing auth token"}' })],
    ['a gateway that fails', () => ({ status: 502, body: '<html>Bad gateway</html>' })],
    ['a limit of the service', () => ({ status: 429, body: '{"error":"ERR max requests limit exceeded"}' })],
  ])('is out of reach with %s, and heals', async (_, broken) => {
    const auth = createAuth({ secret: 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu', sessions: { store } })
    fault = broken
    await expect(auth.sessions.start('alice')).rejects.toMatchObject({ code: 'store_unavailable' })
    fault = null
    expect(await auth.sessions.start('alice')).toHaveProperty('refresh_token')
    await auth.close()
  })

  it('waits for no replicas, as another connection may be asked', () => {
    expect(() => redisStore(overHttp(url(), TOKEN), { replicas: 1 })).toThrow(/one connection/)
  })
})
