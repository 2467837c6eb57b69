/**
 * Keys in a database that several processes share: they make the first one together, rotate it
 * every 30 days, and sign no one out. Start it twice, with different ports:
 *
 *     psql -c 'create table auth_keys (id integer primary key, keys text)'
 *     KEYS=postgres://localhost/postgres PORT=8001 npm run example -- stored-keys
 *     KEYS=postgres://localhost/postgres PORT=8002 npm run example -- stored-keys
 *
 * or with `KEYS=redis://localhost`. Without `KEYS` they are in memory. A token of one is good at
 * the other:
 *
 *     curl -X POST --json '{"username":"test","password":"test"}' http://localhost:8001/auth/login
 *     curl -H "Authorization: Bearer $ACCESS_TOKEN" http://localhost:8002/me
 *
 * A key retires when the last token that it signed has ended, so `RETIRE` is the life of a refresh
 * token, too. `ANNOUNCE` is longer than `EVERY` and the five minutes for which others keep the
 * JWKS.
 */
import { Hono } from 'hono'
import { Redis } from 'ioredis'
import { Pool } from 'pg'
import { createAuth, type RotateKeysOptions } from 'tokenwright'
import { guards } from 'tokenwright/hono'
import { authRoutes } from 'tokenwright/routes'
import { serve } from './shared/serve.ts'
import {
  createStoredRing,
  keysInMemory,
  keysInPostgres,
  keysInRedis,
  rotateStored,
  type StoredKeys,
} from './shared/stored-keys.ts'
import { verifyCredentials } from './shared/users.ts'

const { KEYS = '', EVERY = '60s', ANNOUNCE = '1h', RETIRE = '20d', OLDER_THAN = '30d' } = process.env
const stored = openKeys()
const rotation = { announce: ANNOUNCE, retire: RETIRE, olderThan: OLDER_THAN } as RotateKeysOptions

function openKeys(): StoredKeys {
  if (KEYS === '') return keysInMemory()
  return KEYS.startsWith('redis:')
    ? keysInRedis(new Redis(KEYS))
    : keysInPostgres(new Pool({ connectionString: KEYS }))
}

/** Makes the first key, and those after it. A database that is down changes nothing. */
async function rotate(): Promise<void> {
  if (await rotateStored(stored, rotation)) console.log('A new key was announced')
}
await rotate()
const timer = setInterval(() => void rotate().catch(console.error), Number.parseFloat(EVERY) * 1000)

const auth = createAuth({
  keys: createStoredRing(stored, EVERY as `${number}s`),
  refresh: { expiresIn: RETIRE as `${number}d` },
})
await auth.ready()
const guard = guards(auth)
const routes = authRoutes(auth, { verifyCredentials, delivery: 'body' })

const app = new Hono()
app.get('/me', guard.access(), (c) => c.json({ sub: c.var.auth.sub }))
app.all('*', (c) => routes(c.req.raw, c.env))

for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.once(signal, () => {
    clearInterval(timer)
    void stored.close()
  })
serve(app.fetch)
