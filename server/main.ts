/**
 * The process of the reference server. It reads the configuration, opens the databases, gets the
 * secret, builds the app and listens. Run it with `npm start`.
 *
 * The port is open from the beginning, and responds with 503 until everything is. A bad setting or
 * an unreachable database prints one line on standard error and exits with 1. SIGTERM and SIGINT
 * let running requests finish, close everything and exit with 0; after SIGTERM requests are served
 * for a while, so that load balancers learn of it first.
 */
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createAdaptorServer } from '@hono/node-server'
import type { Store } from 'tokenwright'
import { type Auth, ConfigurationError, createAuth } from 'tokenwright'
import { announce } from './announcement.ts'
import { type Audit, createAudit } from './audit.ts'
import { readConfig, type ServerConfig } from './config.ts'
import { openDatabase } from './database.ts'
import { type Drained, prepareDrain } from './drain.ts'
import { createHealth } from './health.ts'
import { createPasskeys } from './passkeys.ts'
import { createPasswords } from './passwords.ts'
import { createStartingApp, type Stage } from './probes.ts'
import { createRunQuery } from './queries.ts'
import { reasonOf } from './reason.ts'
import { currentRequest } from './request-context.ts'
import { createSecondFactors } from './second-factor.ts'
import { type LoadedKeys, loadKeys } from './secret.ts'
import { openStore, pruneRegularly, watchStore } from './store.ts'
import { createUsers, type Users } from './users.ts'
import { openInTime, StoppedError } from './wait.ts'

/** How long running requests may take after a signal, in milliseconds. */
const DRAIN_DEADLINE = 10_000
/** How long closing the database may take after that, in milliseconds. */
const CLOSE_DEADLINE = 2000

/** How long requests are served after SIGTERM in production, in seconds. */
const PRODUCTION_DRAIN = 5

/** The handlers are set before the start, so that an early signal does not kill the process. */
const signals = waitForSignals('SIGTERM', 'SIGINT')

try {
  refuseArguments(process.argv.length - 2)
  const stop = await start(readConfig(process.env, process.cwd()))
  await signals.first
  if ((await stop()) === 'cut off') console.error('Requests still open after 10 seconds were cut off.')
  process.exit(0)
} catch (error) {
  if (error instanceof StoppedError) process.exit(0)
  if (!(error instanceof ConfigurationError)) throw error
  console.error(`Tokenwright cannot start: ${error.message.replace(/\s+/g, ' ')}`)
  process.exit(1)
}

/** An argument is a setting in the wrong place. It is not repeated, as it may be a secret. */
function refuseArguments(many: number): void {
  if (many > 0)
    throw new ConfigurationError(
      'the server takes no arguments; settings are variables, as in `PORT=9000 npm start`, and docs/reference/environment.md lists all',
    )
}

/** Starts everything in order. Returns the function that stops it. */
async function start(config: ServerConfig): Promise<() => Promise<Drained>> {
  let fetchApp = createStartingApp().fetch
  let stage: Stage = 'starting'
  const server = createAdaptorServer({ fetch: (request, env) => fetchApp(request, env) }) as Server
  const drain = prepareDrain(server)
  await listen(server, config)

  const { log = process.stdout.isTTY ? 'text' : 'json' } = config
  const audit = createAudit({ format: log, request: currentRequest })
  const patience = { seconds: config.wait, stopped: signals.first }
  const database = await openInTime(() => openDatabase(config.database), patience)
  const sessions = await openInTime(() => openStore(config, database), patience)
  const store = watchStore(sessions.store, (cause) => audit.failed('sessions', cause))
  const keys = await loadKeys(config, process.cwd())
  const run = createRunQuery((cause) => audit.failed('users', cause))
  const users = createUsers(database, createPasswords(), run)
  // The routes are loaded while other threads hash passwords, which takes as long.
  const [demoUsers, { createApp }] = await Promise.all([findDemoUsers(users, config), import('./app.ts')])
  const auth = createServerAuth(config, { keys, store, users, audit })
  const demo = config.production
    ? undefined
    : createServerAuth(shortenLifetimes(config), { keys, store, users, audit })
  const health = createHealth({ auth, users, config, demo: !config.production && demoUsers.length > 0 })
  const app = createApp({
    auth,
    demo,
    users,
    passkeys: createPasskeys({ database, run, auth }),
    secondFactors: createSecondFactors({ database, run, now: auth.now }),
    siteOf: ({ url }) => ({ origin: config.origin ?? new URL(url).origin }),
    audit,
    health,
    stage: () => stage,
    trustedProxies: config.trustedProxies,
  })
  const closeMetrics = await serveMetrics(config, auth, demo)
  // From here on, a revocation check reads local memory. An earlier request asks the store.
  await Promise.all([auth.ready(), demo?.ready()])
  fetchApp = app.fetch
  stage = 'running'
  for (const warning of sessions.warnings) console.error(`Warning: ${warning}`)
  announce(server.address() as AddressInfo, { config, demoUsers, secretOrigin: keys.origin })
  const pruning = pruneRegularly(store)

  return async () => {
    stage = 'stopping'
    drain.sendAway()
    await pauseBeforeClosing(config)
    const outcome = await drain.finish(DRAIN_DEADLINE)
    clearInterval(pruning)
    closeMetrics()
    await Promise.all([auth.close(), demo?.close()])
    sessions.close()
    // A database that hangs must not keep the process alive.
    await Promise.race([database.destroy(), sleep(CLOSE_DEADLINE)])
    return outcome
  }
}

/** Serves the metrics where that is asked for. Returns what ends it. */
async function serveMetrics(
  { host, metricsPort: port }: ServerConfig,
  auth: Auth,
  demo: Auth | undefined,
): Promise<() => void> {
  if (port === undefined) return () => undefined
  const { createMetricsServer } = await import('./metrics.ts')
  const server = createMetricsServer(auth, demo)
  await listen(server, { host, port })
  return () => {
    server.close()
    server.closeAllConnections()
  }
}

/** Adds the demo users where they belong, and finds those whose password is known. */
async function findDemoUsers(users: Users, { production }: ServerConfig): Promise<readonly string[]> {
  if (!production) await users.addDemoUsers()
  return users.findDemoUsers()
}

/** The lifetimes of the page: short enough to watch, and never longer than the configured ones. */
function shortenLifetimes(config: ServerConfig): ServerConfig {
  return {
    ...config,
    accessTtl: Math.min(config.accessTtl, 15),
    freshnessWindow: Math.min(config.freshnessWindow, 10),
    overlap: Math.min(config.overlap, 1),
  }
}

/** Creates the token authentication of this server. */
function createServerAuth(
  { options, origin, accessTtl, freshnessWindow, overlap }: ServerConfig,
  dependencies: {
    readonly keys: LoadedKeys
    readonly store: Store
    readonly users: Users
    readonly audit: Audit
  },
): Auth {
  const { keys, store, users, audit } = dependencies
  return createAuth({
    locations: ['header', 'cookie'],
    ...options,
    ...keys.options,
    ...(origin !== undefined && { origin }),
    access: { expiresIn: accessTtl },
    freshness: { window: freshnessWindow },
    sessions: { ...options.sessions, store, overlap, rights: (subject) => users.rightsOf(subject) },
    on: audit.on,
  })
}

/** Waits until the server listens. @throws {ConfigurationError} when host or port is unusable */
async function listen(server: Server, { host, port }: Pick<ServerConfig, 'host' | 'port'>): Promise<void> {
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

/** Requests are served meanwhile. Whoever presses Ctrl-C, or signals twice, waits for nothing. */
async function pauseBeforeClosing({ drain, production }: ServerConfig): Promise<void> {
  const seconds = drain ?? (production ? PRODUCTION_DRAIN : 0)
  if ((await signals.first) === 'SIGTERM') await Promise.race([sleep(seconds * 1000), signals.second])
}

/** Resolves to the first signal, and with the second. */
function waitForSignals(...names: NodeJS.Signals[]): {
  readonly first: Promise<NodeJS.Signals>
  readonly second: Promise<void>
} {
  const received: NodeJS.Signals[] = []
  let onFirst: (name: NodeJS.Signals) => void
  let onSecond: () => void
  const first = new Promise<NodeJS.Signals>((resolve) => {
    onFirst = resolve
  })
  const second = new Promise<void>((resolve) => {
    onSecond = resolve
  })
  // `on`, not `once`: under npm, Ctrl-C reaches the server twice. The second must not kill it.
  for (const name of names)
    process.on(name, () => {
      if (received.push(name) === 1) onFirst(name)
      else onSecond()
    })
  return { first, second }
}
