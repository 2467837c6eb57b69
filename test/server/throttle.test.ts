/**
 * How often the reference server lets passwords be tried: over one process, and over two that share
 * a Redis.
 */
import { describe, expect, it, onTestFinished } from 'vitest'
import { HAS_REDIS, startRedis } from '../stores/redis-server.ts'
import { type RunningServer, startServer, temporaryFolder } from './process.ts'

/** One login. Returns its status and code, and when to try again. */
async function tryLogin({ url }: RunningServer, username: string, password: string) {
  const body = JSON.stringify({ username, password })
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`${url}/auth/login`, { method: 'POST', headers, body })
  return {
    status: response.status,
    retryAfter: response.headers.get('retry-after'),
    body: await response.json(),
  }
}

/** Sends a hundred wrong logins at once. Returns how many passwords were checked. */
async function flood(servers: readonly RunningServer[]): Promise<number> {
  const tries = Array.from({ length: 100 }, (_, i) => servers[i % servers.length] as RunningServer)
  const responses = await Promise.all(tries.map((server) => tryLogin(server, 'test', 'wrong')))
  const refused = responses.filter(({ status }) => status === 429)
  for (const { retryAfter, body } of refused)
    expect(body).toMatchObject({ code: 'rate_limited', retry_after: Number(retryAfter) })
  expect(responses.filter(({ status }) => status !== 429 && status !== 401)).toEqual([])
  return responses.length - refused.length
}

describe('a hundred wrong passwords at once', () => {
  it('lead to five password checks', async () => {
    expect(await flood([await startServer()])).toBe(5)
  })

  it.skipIf(!HAS_REDIS)('lead to five checks over two processes that share a Redis', async () => {
    const redis = await startRedis()
    onTestFinished(() => redis.close())
    const env = {
      REDIS_URL: `redis://127.0.0.1:${redis.port}`,
      TOKENWRIGHT_SECRET: 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu',
    }
    const cwd = temporaryFolder()
    const servers = [await startServer(env, cwd), await startServer(env, cwd)]
    expect(await flood(servers)).toBe(5)
  })
})
