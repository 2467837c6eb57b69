/**
 * Outages: what requests and refreshes get during a fault and after it, and the faults of a whole
 * store: SIGSTOP, SIGKILL, and a Redis that restarts from an old snapshot.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { type Attacker, codeOf, type Exchange, type Login } from './attacker.ts'
import { isLongRun } from './capabilities.ts'
import type { JsonObject } from './cases.ts'
import { type Intent, toBearerIntent, toLoginIntent, toRefreshIntent } from './intents.ts'
import { headerValues } from './raw-http.ts'
import { until } from './servers.ts'
import { Unsupported } from './values.ts'

/** The sentences that this file checks. */
export const OUTAGE_SENTENCES = {
  strict:
    'strict mode: 503 + Retry-After within the deadline (default 2 s), never 200, never 401 that logs the client out',
  stateless: 'stateless mode: 200',
  healed: 'after heal: 200 without restart, within 5 s',
  resurrected: 'no revoked session resurrects as valid',
  replayed: 'rotated token replay refused (generation/epoch check) or documented',
  warned: 'startup check reports appendonly=no',
} as const

/** The deadline of a store call, and the tolerance for a busy machine, in milliseconds. */
const DEADLINE = 2_000
const GRACE = 500

/** The time in which an application must work again, in milliseconds. */
const RECOVERY = 5_000

/** The number of concurrent requests while the store is unreachable. */
const CROWD = 10

/** How long the store stays stopped in a long run, in milliseconds. */
const LONG_HANG = 30_000

/** A response in short. */
export function toShort(exchange: Exchange): string {
  const { status, elapsed } = exchange.response
  return `${status} ${codeOf(exchange) ?? ''} after ${Math.round(elapsed)} ms`
}

function isUnavailable({ response }: Exchange): boolean {
  const [wait = ''] = headerValues(response, 'retry-after')
  return response.status === 503 && /^[1-9]\d*$/.test(wait) && response.elapsed <= DEADLINE + GRACE
}

/** Whether the fault is about the whole store, not a feed, a connection or a process. */
const isOutage = ({ server, processes, proxy }: Attacker['environment']): boolean =>
  server !== undefined && processes.length === 0 && proxy === undefined

/** During an outage the case's 503 counts, and after it the other statuses. */
function isAbout(phase: Attacker['phase'], { attack, environment }: Attacker): boolean {
  const { status } = attack.expect
  return isOutage(environment)
    ? status.some((one) => (one === 503) === (phase === 'broken'))
    : status.length > 0
}

/** Repeats a request until the status is neither 503 nor 0. The last response counts. */
async function requestUntilDecided(intent: Intent, attacker: Attacker): Promise<Exchange> {
  const started = performance.now()
  for (;;) {
    const exchange = await attacker.tryRequest(intent)
    const { status } = exchange.response
    const told = status !== 503 && status !== 0
    const elapsed = performance.now() - started
    if (told || elapsed > RECOVERY) {
      const { healed } = OUTAGE_SENTENCES
      attacker.record(healed, status === 200 && elapsed <= RECOVERY, `${intent.path}: ${toShort(exchange)}`)
      attacker.findings.set(`${intent.path} after heal`, `${status} in ${Math.round(elapsed)} ms`)
      return exchange
    }
    await pause(50)
  }
}

/** Records responses that the case's expectation is about, if it is in this phase. */
export function expectInPhase(exchanges: readonly Exchange[], attacker: Attacker): void {
  if (isAbout(attacker.phase, attacker)) attacker.decisive.push(...exchanges)
}

/** Sends a token to each kind of guard in an outage. Returns the responses of strict guards. */
async function requestInOutage(token: string, attacker: Attacker): Promise<Exchange[]> {
  const { strict, stateless } = OUTAGE_SENTENCES
  const paths = [...Array.from({ length: CROWD }, () => '/strict'), '/stateless', '/protected']
  const asked = paths.map((path) => attacker.tryRequest(toBearerIntent(token, path)))
  const [login, exchanges] = await Promise.all([
    attacker.tryRequest(toLoginIntent('bob')),
    Promise.all(asked),
  ])
  for (const exchange of exchanges) {
    if (exchange.request.path === '/strict') {
      attacker.record(strict, isUnavailable(exchange), `/strict: ${toShort(exchange)}`)
    } else {
      // A guard with a feed works for `maxStale`, which is a minute here.
      const { status } = exchange.response
      attacker.record(stateless, status === 200, `${exchange.request.path}: ${toShort(exchange)}`)
    }
  }
  attacker.record(strict, isUnavailable(login), `a login: ${toShort(login)}`)
  return exchanges.filter(({ request }) => request.path === '/strict')
}

/** The `request` step during or after a fault. Returns the responses that count. */
export async function requestInPhase(token: string, attacker: Attacker): Promise<Exchange[]> {
  const { phase, environment } = attacker
  if (environment.disturbance !== undefined) return [await requestThroughFeed(token, attacker)]
  if (!isOutage(environment)) return [await attacker.tryRequest(toBearerIntent(token))]
  return phase === 'broken'
    ? requestInOutage(token, attacker)
    : [await requestUntilDecided(toBearerIntent(token, '/strict'), attacker)]
}

/** After the fault, the feed must read the log once before it knows what it missed. */
async function requestThroughFeed(token: string, attacker: Attacker): Promise<Exchange> {
  return attacker.phase === 'broken'
    ? attacker.tryRequest(toBearerIntent(token))
    : requestUntilDecided(toBearerIntent(token), attacker)
}

/** The `refresh` step during or after a fault. */
export async function refreshInPhase(login: Login, attacker: Attacker): Promise<Exchange> {
  const { phase, environment } = attacker
  const intent = toRefreshIntent(login.refresh)
  const exchange =
    phase === 'broken' ? await attacker.tryRequest(intent) : await requestUntilDecided(intent, attacker)
  if (phase === 'broken' && isOutage(environment)) {
    attacker.record(OUTAGE_SENTENCES.strict, isUnavailable(exchange), `a refresh: ${toShort(exchange)}`)
  }
  return exchange
}

/** Stops or kills the store. */
export async function breakStore(action: JsonObject, attacker: Attacker): Promise<void> {
  const { server } = attacker.environment
  if (server === undefined) throw new Unsupported('the store has no server to break')
  // Until the feed has caught up, its guards are strict.
  await attacker.target.auth.ready()
  if (action['config'] === 'default') await loseAfterSnapshot(attacker)
  if (action['signal'] === 'SIGSTOP') {
    const started = performance.now()
    server.stop()
    attacker.findings.set('stopped at', started)
  } else await server.kill()
}

/** Heals the store. */
export async function healStore(attacker: Attacker): Promise<void> {
  const stopped = Number(attacker.findings.get('stopped at'))
  attacker.findings.delete('stopped at')
  if (Number.isFinite(stopped)) {
    const left = LONG_HANG - (performance.now() - stopped)
    if (isLongRun() && left > 0) await pause(left)
    const seconds = Math.round((performance.now() - stopped) / 1000)
    attacker.notes.push(`stopped for ${seconds} s${isLongRun() ? '' : ' (ATTACK_LONG=1: 30 s)'}`)
  }
  await attacker.environment.server?.heal()
  const lost = attacker.findings.get('lost')
  attacker.findings.delete('lost')
  if (lost !== undefined) await checkLoss(lost as Lost, attacker)
}

/** What a Redis without an append-only file loses. */
interface Lost {
  /** A session that started and ended after the snapshot. */
  readonly revoked: Login
  /** A session from before the snapshot that was revoked after it. */
  readonly revived: Login
  /** A session from before the snapshot: its tokens before and after a later rotation. */
  readonly before: Login
  readonly after: Login
}

/** Takes a snapshot, and does things that are not in it, Alice's new login among them. */
async function loseAfterSnapshot(attacker: Attacker): Promise<void> {
  const { connection, target } = attacker.environment
  const [revived, before] = [await attacker.login('bob'), await attacker.login('bob')]
  const alice = await attacker.savedLogin('A')
  await connection?.command('SAVE')
  // The case requires that its login is newer than the snapshot.
  const login = await attacker.login(alice?.user ?? 'alice')
  attacker.saved.set('A', login)
  const revoked = await attacker.login('bob')
  for (const { access } of [revoked, revived]) {
    await attacker.request(toBearerIntent(access, '/logout', 'POST'))
  }
  const rotated = await attacker.request(toRefreshIntent(before.refresh))
  const lost: Lost = { revoked, revived, before, after: attacker.toLogin('bob', rotated) }
  attacker.findings.set('lost', lost)
  const warnings = await target.store.inspect()
  const { warned } = OUTAGE_SENTENCES
  attacker.record(
    warned,
    warnings.join().includes('appendonly'),
    `inspect() says ${warnings.join() || 'nothing'}`,
  )
}

/** Checks the sessions of which the store has lost something. */
async function checkLoss({ revoked, revived, before, after }: Lost, attacker: Attacker): Promise<void> {
  const { resurrected, replayed } = OUTAGE_SENTENCES
  const { store, notices } = attacker.target
  await until(
    () =>
      store.now().then(
        () => true,
        () => false,
      ),
    5,
    'the store to respond',
  )
  const intents = [
    toBearerIntent(revoked.access, '/strict'),
    toBearerIntent(revoked.access),
    toRefreshIntent(revoked.refresh),
    // The store's row is live again, but this process remembers the revocation.
    toBearerIntent(revived.access),
    toBearerIntent(revived.access, '/strict'),
    toRefreshIntent(revived.refresh),
  ]
  for (const intent of intents) {
    const exchange = await attacker.tryRequest(intent)
    attacker.record(resurrected, exchange.response.status === 401, `${intent.path}: ${toShort(exchange)}`)
  }
  const goesOn = await attacker.tryRequest(toRefreshIntent(after.refresh))
  attacker.record(replayed, goesOn.response.status === 200, `the client's own token: ${toShort(goesOn)}`)
  attacker.record(
    replayed,
    notices.some(({ event, sid }) => event === 'healed' && sid === before.sid),
    'it is not reported',
  )
  const thief = await attacker.tryRequest(toRefreshIntent(before.refresh))
  const refused = codeOf(thief) === 'refresh_reused'
  attacker.record(replayed, refused, `the token before the rotation: ${toShort(thief)}`)
}
