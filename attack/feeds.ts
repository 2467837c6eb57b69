/**
 * How fast other processes learn of a revocation: with four processes and a stopwatch, and with a
 * feed that is unreachable, repeats entries or reorders them.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { createAuth, type Store } from 'tokenwright'
import { type Attacker, codeOf, type Login } from './attacker.ts'
import { isLongRun } from './capabilities.ts'
import { connectStore, newNamespace } from './connections.ts'
import { toBearerIntent } from './intents.ts'
import { toShort } from './outages.ts'
import type { ServerKind } from './servers.ts'
import { AUDIENCE, ISSUER } from './target.ts'
import { Absent, Unsupported } from './values.ts'

/** The sentences that this file checks. */
export const FEED_SENTENCES = {
  staleness: 'max staleness <= bound (e.g. 1 s local feed; 0 strict)',
  strict: 'strict guards are not affected by the feed',
  stale: 'after maxStale without contact the other guards answer 503 (or go on where whenStale is allow)',
  resync: 'resync from cursor, not from now',
  order: 'entries committed out of order are not missed',
} as const

/** The documented bound of the feed, in milliseconds. */
const BOUND = 1_000

/** The number of trials in a short run, and how many run at once. */
const SHORT_TRIALS = 60
const LANES = 6

/** The time between two requests to a process, in milliseconds. */
const POLL = 25

/** The application's `maxStale` with a disturbed feed, and a read's time, in milliseconds. */
const MAX_STALE = 1_000
const READ_TIME = 600

/** Waits until a process refuses a token. Returns the time since the revocation's response. */
async function watchUntilRefused(token: string, port: number, attacker: Attacker): Promise<number> {
  const acknowledged = performance.now()
  for (;;) {
    const exchange = await attacker.tryRequest(toBearerIntent(token), port)
    const elapsed = performance.now() - acknowledged
    if (exchange.response.status === 401 || elapsed > 10 * BOUND) return elapsed
    await pause(POLL)
  }
}

async function tryOnce(ports: readonly number[], attacker: Attacker): Promise<number> {
  const [here = 0, ...there] = ports
  const { access } = await attacker.login('bob')
  const before = await Promise.all(there.map((port) => attacker.tryRequest(toBearerIntent(access), port)))
  const good = before.every(({ response }) => response.status === 200)
  if (!good) attacker.findings.set('control', 'a token is refused before it is revoked')
  const revoked = await attacker.tryRequest(toBearerIntent(access, '/logout', 'POST'), here)
  if (revoked.response.status !== 204) attacker.findings.set('control', `revoking gets ${toShort(revoked)}`)
  const watched = Promise.all(there.map((port) => watchUntilRefused(access, port, attacker)))
  const strict = await Promise.all(
    there.map((port) => attacker.tryRequest(toBearerIntent(access, '/strict'), port)),
  )
  for (const exchange of strict) {
    const { status } = exchange.response
    attacker.record(FEED_SENTENCES.staleness, status === 401, `a strict guard: ${toShort(exchange)}`)
  }
  return Math.max(...(await watched))
}

/** The `repeat` step that revokes in one process and polls the others. */
export async function measureStaleness(trials: number, attacker: Attacker): Promise<void> {
  const ports = attacker.environment.processes.map(({ port }) => port)
  if (ports.length < 2) throw new Unsupported('a measurement of staleness in one process')
  const count = isLongRun() ? trials : Math.min(trials, SHORT_TRIALS)
  const times: number[] = []
  const lane = async (length: number) => {
    for (let i = 0; i < length; i++) times.push(await tryOnce(ports, attacker))
  }
  await Promise.all(Array.from({ length: LANES }, () => lane(Math.ceil(count / LANES))))
  const most = Math.max(...times)
  attacker.record(FEED_SENTENCES.staleness, most <= BOUND, `${Math.round(most)} ms`)
  const rest = isLongRun() ? '' : ` of ${trials} (ATTACK_LONG=1: all)`
  attacker.notes.push(
    `${times.length} trials${rest}, at most ${Math.round(most)} ms stale; strict guards not at all`,
  )
}

/** What `healFeed` must know of the disturbance. */
interface Disturbed {
  /** A login that is not revoked. */
  readonly bystander: Login
  /** The feed's cursor when the disturbance began. */
  readonly cursor: string | null
  /** How many reads there were before it. */
  readonly reads: number
}

/** Disturbs the feed, and revokes Alice's session as another process would. */
export async function disturbFeed(name: string, attacker: Attacker): Promise<void> {
  const { disturbance } = attacker.environment
  const login = await attacker.savedLogin('A')
  if (disturbance === undefined || login === undefined) throw new Unsupported('no feed to disturb')
  const bystander = await attacker.login('bob')
  await attacker.target.auth.ready()
  // Without an entry in the log there would be no cursor to resume from.
  await disturbance.undisturbed.revokeToken('other', attacker.now() + 900, null)
  await pause(READ_TIME)
  const known = attacker.target.auth.state()
  if (known?.caughtUp !== true) attacker.findings.set('control', 'the feed has not caught up')
  const early = await attacker.tryRequest(toBearerIntent(login.access))
  if (early.response.status !== 200) attacker.findings.set('control', `before: ${toShort(early)}`)
  disturbance.begin(name)
  const cursor = disturbance.reads.at(-1)?.next ?? null
  const reads = disturbance.reads.length
  await disturbance.undisturbed.end(login.sid, 'ended', { logTtl: 1_000, now: null })
  await checkStrict(login, bystander, attacker)
  const down = name === 'feed_down'
  const [refusal] = await Promise.all([checkAllowed(bystander, down, attacker), pause(MAX_STALE + READ_TIME)])
  attacker.record(FEED_SENTENCES.stale, refusal === undefined, `where whenStale is allow: ${refusal}`)
  await checkStale(bystander, down, attacker)
  await checkStrict(login, bystander, attacker)
  attacker.findings.set('disturbed', { bystander, cursor, reads } satisfies Disturbed)
}

async function checkStrict(revoked: Login, bystander: Login, attacker: Attacker): Promise<void> {
  const { strict } = FEED_SENTENCES
  for (const [login, status] of [
    [revoked, 401],
    [bystander, 200],
  ] as const) {
    const exchange = await attacker.tryRequest(toBearerIntent(login.access, '/strict'))
    attacker.record(strict, exchange.response.status === status, `${toShort(exchange)}, expected ${status}`)
  }
}

/** An unreachable feed gives 503. A feed that is disturbed otherwise gives 200. */
async function checkStale(bystander: Login, down: boolean, attacker: Attacker): Promise<void> {
  const { stale } = FEED_SENTENCES
  const exchange = await attacker.tryRequest(toBearerIntent(bystander.access))
  const right = down ? codeOf(exchange) === 'store_unavailable' : exchange.response.status === 200
  attacker.record(stale, right, `a token that is not revoked: ${toShort(exchange)}`)
}

/** Verifies a token in an application with `whenStale: 'allow'`. Returns the error, if any. */
async function checkAllowed(
  bystander: Login,
  down: boolean,
  attacker: Attacker,
): Promise<string | undefined> {
  const { disturbance, target } = attacker.environment
  if (disturbance === undefined || !down) return undefined
  let reachable = true
  const store: Store = {
    ...disturbance.undisturbed,
    readLog: (cursor, limit) =>
      reachable ? disturbance.undisturbed.readLog(cursor, limit) : Promise.reject(new Error('unreachable')),
    // It must not ask the store instead.
    isRevoked: () => Promise.reject(new Error('unreachable')),
  }
  const auth = createAuth({
    secret: target.server.key as Uint8Array,
    issuer: ISSUER,
    audience: AUDIENCE,
    sessions: { store },
    revocation: { mode: 'feed', maxStale: 1, whenStale: 'allow' },
  })
  try {
    await auth.ready()
    reachable = false
    await pause(MAX_STALE + READ_TIME)
    await auth.verifyToken(bystander.access)
    return undefined
  } catch (error) {
    return String(error)
  } finally {
    await auth.close()
  }
}

/** Heals the feed. It must resume at its cursor and so learn of the revocation. */
export async function healFeed(attacker: Attacker): Promise<void> {
  const { disturbance } = attacker.environment
  const { cursor, reads, bystander } = attacker.findings.get('disturbed') as Disturbed
  attacker.findings.delete('disturbed')
  disturbance?.end()
  const { resync, order } = FEED_SENTENCES
  await Promise.all([pause(READ_TIME), checkOrder(order, attacker)])
  const login = await attacker.savedLogin('A')
  const exchange = await attacker.tryRequest(toBearerIntent(login?.access ?? ''))
  const refused = codeOf(exchange) === 'token_revoked'
  attacker.record(resync, refused, `a token revoked meanwhile: ${toShort(exchange)}`)
  const other = await attacker.tryRequest(toBearerIntent(bystander.access))
  attacker.record(resync, other.response.status === 200, `a token that is not revoked: ${toShort(other)}`)
  // Until a read succeeds, each starts at the cursor from before, and not later.
  const since = disturbance?.reads.slice(reads) ?? []
  const untilHealed = since.slice(0, since.findIndex(({ next }) => next !== null) + 1)
  const ahead = untilHealed.find((read) => Number(read.cursor) > Number(cursor ?? 0))
  const readOn = untilHealed.length > 0 && ahead === undefined
  attacker.record(resync, readOn, `it reads on from ${ahead?.cursor ?? 'nowhere'}, not ${cursor}`)
}

/** Stores whose writers overlap. */
const OVERLAPPING: readonly ServerKind[] = ['postgres', 'mysql', 'redis', 'sqlite']
const WRITERS = 20
const ENTRIES = 600

/** A reader that follows many concurrent writers must see each entry. */
async function checkOrder(sentence: string, attacker: Attacker): Promise<void> {
  await Promise.all(
    OVERLAPPING.map(async (kind) => {
      try {
        const missed = await raceOn(kind, attacker)
        attacker.record(sentence, missed === 0, `${kind}: ${missed} of ${ENTRIES} entries missed`)
      } catch (error) {
        if (!(error instanceof Absent)) throw error
        attacker.notes.push(`entries out of order: SKIPPED on ${kind}, ${error.message}`)
      }
    }),
  )
  if (!attacker.records.has(sentence)) throw new Absent('no store here whose writers overlap')
}

async function raceOn(kind: ServerKind, attacker: Attacker): Promise<number> {
  const { address } = await attacker.environment.servers.get(kind)
  const options = { namespace: newNamespace() }
  const [writer, reader] = [await connectStore(address, options), await connectStore(address, options)]
  try {
    return await race(writer.store, reader.store)
  } finally {
    await writer.close()
    await reader.close()
  }
}

/** How long a call is tried again: four engines at once may be slow to lend a connection. */
const PATIENCE = 20_000

/** Does what may be done twice, again where it was not done in time. */
async function untilDone<T>(work: () => Promise<T>): Promise<T> {
  const end = performance.now() + PATIENCE
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (performance.now() > end) throw error
    }
  }
}

async function race(writer: Store, reader: Store): Promise<number> {
  const seen = new Set<string>()
  let cursor: string | null = null
  let writing = true
  async function read(): Promise<void> {
    const page = await untilDone(() => reader.readLog(cursor, 50))
    for (const { key } of page.entries) seen.add(key)
    cursor = page.cursor
  }
  async function follow(): Promise<void> {
    while (writing) await read()
  }
  const following = follow()
  const far = Math.floor(Date.now() / 1000) + 900
  const write = async (lane: number) => {
    for (let i = 0; i < ENTRIES / WRITERS; i++)
      await untilDone(() => writer.revokeToken(`${lane}-${i}`, far, null))
  }
  await Promise.all(Array.from({ length: WRITERS }, (_, lane) => write(lane)))
  writing = false
  await following
  for (let i = 0; i < 1 + ENTRIES / 50; i++) await read()
  return ENTRIES - seen.size
}
