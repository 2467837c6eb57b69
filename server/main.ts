/**
 * The reference server's process: configuration, databases, secret, app, listening, and a clean
 * end. A bad setting, or a database that cannot be reached, is one line on standard error and exit
 * 1. SIGTERM and SIGINT let running requests finish, close what is open and exit 0. Run it with
 * `npm start`.
 */
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createAdaptorServer } from '@hono/node-server'
import type { Store } from 'tokenwright'
import { type Auth, ConfigurationError, createAuth } from 'tokenwright'
import { announce } from './announcement.ts'
import { createApp } from './app.ts'
import { type Audit, createAudit } from './audit.ts'
import { readConfig, type ServerConfig } from './config.ts'
import { openDatabase } from './database.ts'
import { type Drained, prepareDrain } from './drain.ts'
import { createHealth } from './health.ts'
import { createPasswords } from './passwords.ts'
import { reasonOf } from './reason.ts'
import { findSecret } from './secret.ts'
import { openStore, pruneRegularly, watchStore } from './store.ts'
import { createUsers, type Users } from './users.ts'

/**
 * How long running requests may take after a signal, and the closing of connections after that, in
 * milliseconds.
 */
const DRAIN_DEADLINE = 10_000
const CLOSE_DEADLINE = 2000

/** Listening begins early, so that a signal during the start is kept and not fatal. */
const stopped = waitForSignal('SIGTERM', 'SIGINT')

try {
  const stop = await start(readConfig(process.env, process.cwd()))
  await stopped
  if ((await stop()) === 'cut off') console.error('Requests still open after 10 seconds were cut off.')
  process.exit(0)
} catch (error) {
  if (!(error instanceof ConfigurationError)) throw error
  console.error(`Tokenwright cannot start: ${error.message.replace(/\s+/g, ' ')}`)
  process.exit(1)
}

/** Brings everything up in order; answers how to bring it down. */
async function start(config: ServerConfig): Promise<() => Promise<Drained>> {
  const audit = createAudit()
  const database = await openDatabase(config.database)
  const sessions = await openStore(config, database)
  const store = watchStore(sessions.store, (cause) => audit.failed('sessions', cause))
  const found = findSecret(config, process.cwd())
  const users = createUsers(database, createPasswords(), (cause) => audit.failed('users', cause))
  if (!config.production) await users.addDemoUsers()
  const auth = createServerAuth(config, { secret: found.secret, store, users, audit })
  const demoUsers = await users.findDemoUsers()
  const health = createHealth({
    auth,
    users,
    store,
    config,
    demo: !config.production && demoUsers.length > 0,
  })
  const server = createAdaptorServer({
    fetch: createApp({ auth, users, health }).fetch,
  }) as Server
  const drain = prepareDrain(server)
  // From here on a check is a lookup; a request that comes earlier asks the store.
  await auth.ready()
  await listen(server, config)
  for (const warning of sessions.warnings) console.error(`Warning: ${warning}`)
  announce(server.address() as AddressInfo, { config, demoUsers, secretOrigin: found.origin })
  const pruning = pruneRegularly(store)

  return async () => {
    const outcome = await drain(DRAIN_DEADLINE)
    clearInterval(pruning)
    await auth.close()
    sessions.close()
    // A database that hangs must not keep the process.
    await Promise.race([database.destroy(), sleep(CLOSE_DEADLINE)])
    return outcome
  }
}

/** Token authentication as this server does it. */
function createServerAuth(
  { accessTtl, freshnessWindow, overlap }: ServerConfig,
  parts: { readonly secret: string; readonly store: Store; readonly users: Users; readonly audit: Audit },
): Auth {
  const { secret, store, users, audit } = parts
  return createAuth({
    secret,
    access: { expiresIn: accessTtl },
    freshness: { window: freshnessWindow },
    locations: ['header', 'cookie'],
    sessions: { store, overlap, rights: (subject) => users.rightsOf(subject) },
    on: audit.on,
  })
}

/** Waits until the server listens. @throws {ConfigurationError} when host or port cannot be had */
async function listen(server: Server, { host, port }: ServerConfig): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, resolve)
    })
  } catch (error) {
    throw new ConfigurationError(
      `cannot listen on host ${JSON.stringify(host)} port ${port}: ${reasonOf(error)}`,
    )
  }
}

function waitForSignal(...signals: NodeJS.Signals[]): Promise<void> {
  // `on`, not `once`: Ctrl-C reaches the server twice under npm, and the second must not kill it.
  return new Promise((resolve) => {
    for (const signal of signals) process.on(signal, () => resolve())
  })
}
