/**
 * Applications with a login and a refresh, each on Express and on the same PostgreSQL, in its own
 * process. All of them compare the password as it is: a hash takes each of them the same 50 to 100
 * ms, beside which nothing could be seen.
 */
import { createSecretKey, randomBytes, randomUUID } from 'node:crypto'
import express, { type Express } from 'express'
import jwt from 'jsonwebtoken'
import { Kysely, PostgresDialect } from 'kysely'
import { Pool } from 'pg'
import { createAuth } from 'tokenwright'
import { toNodeHandler } from 'tokenwright/node'
import { authRoutes } from 'tokenwright/routes'
import { migrateSql, sqlStore, withDeadlines } from 'tokenwright/stores/sql'

/** The names of the applications, the limit first. */
export const APPS = ['Express, by hand', 'tokenwright', 'tokenwright, no throttle', 'better-auth'] as const

/** The name of an application. */
export type AppName = (typeof APPS)[number]

/** The user of a client: each has its own. */
export function toUser(client: number): { readonly email: string; readonly password: string } {
  return { email: `user-${client}@example.com`, password: 'a long password' }
}

/** How many clients there are. */
export const CLIENTS = 16

/** The users' passwords, by their names. */
const PASSWORDS: ReadonlyMap<unknown, string> = new Map(
  Array.from({ length: CLIENTS }, (_, client) => {
    const { email, password } = toUser(client)
    return [email, password]
  }),
)

/** The connections of each application to the database. */
const CONNECTIONS = 8

/** How long an unused session lives, in milliseconds. */
const IDLE = 7 * 86_400_000

/** Creates an application whose tables are in a schema of its own. */
export async function createApp(name: AppName, schema: string): Promise<Express> {
  const pool = new Pool({
    host: '127.0.0.1',
    user: 'root',
    database: 'test',
    max: CONNECTIONS,
    options: `-c search_path=${schema}`,
  })
  if (name === 'better-auth') return createBetterAuth(pool)
  if (name === 'Express, by hand') return createByHand(pool)
  return createOurs(pool, name === 'tokenwright')
}

/** One row a session and one atomic update a refresh, as a careful engineer writes it by hand. */
async function createByHand(pool: Pool): Promise<Express> {
  const secret = createSecretKey(randomBytes(32))
  await pool.query(`create table sessions (sid text primary key, sub text not null, gen bigint not null,
    idle_ends bigint not null, revoked_at bigint)`)
  const sign = (sub: string, sid: string, gen: number) => ({
    access_token: jwt.sign({ sub, sid, type: 'access' }, secret, { expiresIn: '15m' }),
    refresh_token: jwt.sign({ sub, sid, gen, type: 'refresh' }, secret, { expiresIn: '7d' }),
  })
  const app = express()
  app.post('/login', express.json(), async (req, res) => {
    const { username, password } = req.body as Record<string, unknown>
    if (PASSWORDS.get(username) !== password || password === undefined) return void res.status(401).json({})
    const [sid, sub] = [randomUUID(), String(username)]
    await pool.query('insert into sessions values ($1, $2, 0, $3, null)', [sid, sub, Date.now() + IDLE])
    res.json(sign(sub, sid, 0))
  })
  app.post('/refresh', async (req, res) => {
    const token = req.headers.authorization?.slice('Bearer '.length) ?? ''
    const { sid, gen, type } = jwt.verify(token, secret, { algorithms: ['HS256'] }) as Record<string, unknown>
    const now = Date.now()
    const { rows } = await pool.query(
      `update sessions set gen = gen + 1, idle_ends = $1
       where sid = $2 and gen = $3 and revoked_at is null and idle_ends > $4 returning sub, gen`,
      [now + IDLE, sid, gen, now],
    )
    const [row] = rows as readonly { readonly sub: string; readonly gen: string }[]
    if (type !== 'refresh' || row === undefined) return void res.status(401).json({})
    res.json(sign(row.sub, String(sid), Number(row.gen)))
  })
  return app
}

async function createOurs(pool: Pool, isThrottled: boolean): Promise<Express> {
  const db = new Kysely({ dialect: new PostgresDialect({ pool: withDeadlines(pool) }) })
  await migrateSql(db)
  // Strict single use, so that each refresh rotates, as by hand.
  const sessions = { store: sqlStore(db), overlap: 0 }
  const auth = createAuth({ secret: randomBytes(32).toString('base64url'), sessions })
  const routes = authRoutes(auth, {
    verifyCredentials: ({ username, password }) =>
      PASSWORDS.get(username) === password ? { subject: username } : null,
    ...(isThrottled ? {} : { throttle: false }),
  })
  const app = express()
  app.use('/auth', toNodeHandler(routes))
  return app
}

/** Only the process of this application loads better-auth. */
async function createBetterAuth(pool: Pool): Promise<Express> {
  const { betterAuth } = await import('better-auth')
  const { getMigrations } = await import('better-auth/db/migration')
  const { toNodeHandler: toBetterAuthHandler } = await import('better-auth/node')
  const options = {
    baseURL: 'http://127.0.0.1',
    secret: randomBytes(32).toString('base64url'),
    database: pool,
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    logger: { level: 'error' },
    emailAndPassword: {
      enabled: true,
      password: {
        hash: async (password: string) => password,
        verify: async ({ hash, password }: { hash: string; password: string }) => hash === password,
      },
    },
    // Each look at a session prolongs it.
    session: { updateAge: 0 },
  } as const
  const { runMigrations } = await getMigrations(options)
  await runMigrations()
  const auth = betterAuth(options)
  for (let client = 0; client < CLIENTS; client++)
    await auth.api.signUpEmail({ body: { ...toUser(client), name: 'User' } })
  const app = express()
  app.all('/api/auth/*any', toBetterAuthHandler(auth))
  return app
}
