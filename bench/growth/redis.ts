/** A Redis server of its own, filled by a script that copies one session. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { redisStore } from 'tokenwright/stores/redis'
import type { Grown } from './grown.ts'

const PREFIX = 'growth'
const BATCH = 10_000

/** Copies a session and the index of its subject: \`s\` and \`u\` are the letters of their keys. */
const COPY_SESSIONS = `
local sid, sub, from, to = unpack(ARGV)
local ends = redis.call('ZSCORE', '{growth}:u:' .. sub, sid)
local expires = redis.call('PTTL', '{growth}:u:' .. sub)
for i = from, to do
  redis.call('COPY', '{growth}:s:' .. sid, '{growth}:s:' .. sid .. i)
  local index = '{growth}:u:' .. sub .. i
  redis.call('ZADD', index, ends, sid .. i)
  redis.call('PEXPIRE', index, expires)
end`

const COPY_ENTRIES = `
local first = redis.call('XRANGE', '{growth}:log', '-', '+', 'COUNT', 1)[1][2]
local at
for field = 1, #first, 2 do if first[field] == 'key' then at = field + 1 end end
local sid = first[at]
for i = ARGV[1], ARGV[2] do
  first[at] = sid .. i
  redis.call('XADD', '{growth}:log', '*', unpack(first))
end`

async function findPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Starts a server that writes nothing to disk. Rejects with `ENOENT` without its program. */
async function startServer(): Promise<{ port: number; stop(): void }> {
  const port = await findPort()
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
  const server = spawn('redis-server', args, { stdio: 'ignore' })
  await once(server, 'spawn')
  return { port, stop: () => void server.kill('SIGKILL') }
}

/** Redis, in a server of its own. Rejects with `ENOENT` where it is not installed. */
export async function openRedis(): Promise<Grown> {
  const server = await startServer()
  const client = new Redis({ port: server.port, host: '127.0.0.1', retryStrategy: () => 50 })
  client.on('error', () => undefined)
  await client.ping()
  const repeat = async (script: string, words: readonly string[], count: number): Promise<void> => {
    for (let done = 0; done < count; done += BATCH)
      await client.eval(script, 0, ...words, done + 1, Math.min(done + BATCH, count))
  }
  const used = async (): Promise<number> =>
    Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1] ?? 0)
  return {
    open: () => redisStore(client, { prefix: PREFIX }),
    async addSessions({ sid, sub }, count) {
      const before = await used()
      await repeat(COPY_SESSIONS, [sid, sub], count)
      return ((await used()) - before) / count
    },
    addEntries: (count) => repeat(COPY_ENTRIES, [], count),
    scans: async () => null,
    async close() {
      client.disconnect()
      server.stop()
      await pause(0)
    },
  }
}
