// The databases of check-create: a schema of its own in PostgreSQL, and a Redis of its own.
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { createClient } from 'redis'
import { ended, freePort, start } from './processes.mjs'

const SCHEMA = `create_check_${process.pid}`
const DATABASE = 'postgres://root@127.0.0.1:5432/test'
/** How long Redis may take to listen, in milliseconds. */
const START = 20_000

async function runSql(text) {
  const client = new pg.Client(DATABASE)
  await client.connect()
  await client.query(text)
  await client.end()
}

/** Starts them. `env` is what projects find them by. */
export async function startServices() {
  const port = await freePort()
  const redis = start('/', 'redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', ''])
  const url = `redis://127.0.0.1:${port}`
  await runSql(`create schema ${SCHEMA}`)
  await untilRedis(url)
  return {
    env: { REDIS_URL: url, DATABASE_URL: `${DATABASE}?options=-csearch_path%3D${SCHEMA}` },
    async stop() {
      await runSql(`drop schema ${SCHEMA} cascade`)
      await ended(redis)
    },
  }
}

async function untilRedis(url) {
  for (const end = Date.now() + START; ; await pause(50)) {
    const client = createClient({ url, socket: { reconnectStrategy: false } })
    client.on('error', () => {})
    try {
      await client.connect()
      client.destroy()
      return
    } catch (error) {
      if (Date.now() > end) throw error
    }
  }
}
