/**
 * Outages: what requests and refreshes get while something is broken and when it is whole again, and the attacks on a whole
 * store: SIGSTOP, SIGKILL, and a Redis that keeps no more than its last snapshot.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { type Attacker, codeOf, type Exchange, type Login } from './attacker.ts'
import { isLongRun } from './capabilities.ts'
import type { JsonObject } from './cases.ts'
import { type Intent, toBearerIntent, toLoginIntent, toRefreshIntent } from './intents.ts'
import { until } from './servers.ts'
import { Unsupported } from './values.ts'
import { headerValues } from './wire.ts'

/** The sentences on which this file rules. */
export const OUTAGE_SENTENCES = {
  strict:
    'strict mode: 503 + Retry-After within the deadline (default 2 s), never 200, never 401 that logs the client out',
  stateless: 'stateless mode: 200',
  healed: 'after heal: 200 without restart, within 5 s',
  resurrected: 'no revoked session resurrects as valid',
  replayed: 'rotated token replay refused (generation/epoch check) or documented',
  said: 'startup check reports appendonly=no',
} as const

/** The deadline of a store call, and what a busy machine may add to it, in milliseconds. */
const DEADLINE = 2_000
const GRACE = 500

/** How long an application may take until it works again, in milliseconds. */
const RECOVERY = 5_000

/** How many requests come at once while the store is out of reach. */
const CROWD = 10

/** How long a store stays stopped when there is time for it, in milliseconds. */
const LONG_HANG = 30_000

/** An answer in short. */
export function toShort(exchange: Exchange): string {
  const { status, elapsed } = exchange.answer
  return `${status} ${codeOf(exchange) ?? ''} after ${Math.round(elapsed)} ms`
}

function isUnavailable({ answer }: Exchange): boolean {
  const [wait = ''] = headerValues(answer, 'retry-after')
  return answer.status === 503 && /^[1-9]\d*$/.test(wait) && answer.elapsed <= DEADLINE + GRACE
}

/** Whether the whole store is out of reach, and not only a feed, a connection or a process. */
const isOutage = ({ server, fleet, tap }: Attacker['world']): boolean =>
  server !== undefined && fleet.length === 0 && tap === undefined

/** A 503 is what the case expects during an outage; its other statuses are about the time after it. */
function isAbout(phase: Attacker['phase'], { attack, world }: Attacker): boolean {
  const { status } = attack.expect
  return isOutage(world) ? status.some((one) => (one === 503) === (phase === 'broken')) : status.length > 0
}

/** Asks again until somebody answers who can tell; the last answer counts. */
async function askUntilTold(intent: Intent, attacker: Attacker): Promise<Exchange> {
  const started = performance.now()
  for (;;) {
    const exchange = await attacker.ask(intent)
    const { status } = exchange.answer
    const told = status !== 503 && status !== 0
    const elapsed = performance.now() - started
    if (told || elapsed > RECOVERY) {
      const { healed } = OUTAGE_SENTENCES
      attacker.rule(healed, status === 200 && elapsed <= RECOVERY, `${intent.path}: ${toShort(exchange)}`)
      attacker.findings.set(`${intent.path} after heal`, `${status} in ${Math.round(elapsed)} ms`)
      return exchange
    }
    await pause(50)
  }
}

/** The responses that the case's expectation is about in this phase, unless their step has its own. */
export function expectInPhase(exchanges: readonly Exchange[], attacker: Attacker): void {
  if (isAbout(attacker.phase, attacker)) attacker.judged.push(...exchanges)
}

/** What every kind of guard says while the store is out of reach; returns what the strict ones say. */
async function requestInOutage(token: string, attacker: Attacker): Promise<Exchange[]> {
  const { strict, stateless } = OUTAGE_SENTENCES
  const paths = [...Array.from({ length: CROWD }, () => '/strict'), '/stateless', '/protected']
  const asked = paths.map((path) => attacker.ask(toBearerIntent(token, path)))
  const [login, exchanges] = await Promise.all([attacker.ask(toLoginIntent('bob')), Promise.all(asked)])
  for (const exchange of exchanges) {
    if (exchange.request.path === '/strict') {
      attacker.rule(strict, isUnavailable(exchange), `/strict: ${toShort(exchange)}`)
    } else {
      // A guard that follows the feed goes on for `maxStale`, which is a minute here.
      const { status } = exchange.answer
      attacker.rule(stateless, status === 200, `${exchange.request.path}: ${toShort(exchange)}`)
    }
  }
  attacker.rule(strict, isUnavailable(login), `a login: ${toShort(login)}`)
  return exchanges.filter(({ request }) => request.path === '/strict')
}

/** The `request` step while something is broken, or whole again; returns the responses that count. */
export async function requestInPhase(token: string, attacker: Attacker): Promise<Exchange[]> {
  const { phase, world } = attacker
  if (world.disturbance !== undefined) return [await askUntilJudged(token, attacker)]
  if (!isOutage(world)) return [await attacker.ask(toBearerIntent(token))]
  return phase === 'broken'
    ? requestInOutage(token, attacker)
    : [await askUntilTold(toBearerIntent(token, '/strict'), attacker)]
}

/** A feed that is back needs a reading to know what it missed. */
async function askUntilJudged(token: string, attacker: Attacker): Promise<Exchange> {
  return attacker.phase === 'broken'
    ? attacker.ask(toBearerIntent(token))
    : askUntilTold(toBearerIntent(token), attacker)
}

/** The `refresh` step while something is broken, or whole again. */
export async function refreshInPhase(login: Login, attacker: Attacker): Promise<Exchange> {
  const { phase, world } = attacker
  const intent = toRefreshIntent(login.refresh)
  const exchange = phase === 'broken' ? await attacker.ask(intent) : await askUntilTold(intent, attacker)
  if (phase === 'broken' && isOutage(world)) {
    attacker.rule(OUTAGE_SENTENCES.strict, isUnavailable(exchange), `a refresh: ${toShort(exchange)}`)
  }
  return exchange
}

/** Stops or kills the store. */
export async function breakStore(action: JsonObject, attacker: Attacker): Promise<void> {
  const { server } = attacker.world
  if (server === undefined) throw new Unsupported('a fault of a store that has no server')
  // The feed is to be caught up: otherwise its guards would be strict ones.
  await attacker.target.auth.ready()
  if (action['config'] === 'default') await loseAfterSnapshot(attacker)
  if (action['signal'] === 'SIGSTOP') {
    const started = performance.now()
    server.stop()
    attacker.findings.set('stopped at', started)
  } else if (action['signal'] === 'SIGKILL') await server.kill()
  else throw new Unsupported(`fault ${JSON.stringify(action)}`)
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
  await attacker.world.server?.heal()
  const lost = attacker.findings.get('lost')
  attacker.findings.delete('lost')
  if (lost !== undefined) await judgeLoss(lost as Lost, attacker)
}

/** What a Redis without a log of its writes will have forgotten. */
interface Lost {
  /** A session that was started and revoked after the snapshot. */
  readonly revoked: Login
  /** A session that is in the snapshot, and was revoked after it. */
  readonly revived: Login
  /** A session that is in the snapshot, and its tokens before and after a rotation that is not. */
  readonly before: Login
  readonly after: Login
}

/** Takes the snapshot that a timer would have taken, and does what is not in it. Alice's login becomes one of those. */
async function loseAfterSnapshot(attacker: Attacker): Promise<void> {
  const { connection, target } = attacker.world
  const [revived, before] = [await attacker.login('bob'), await attacker.login('bob')]
  const alice = await attacker.savedLogin('A')
  await connection?.command('SAVE')
  // The case's own login is newer than the snapshot, as the case has it.
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
  const { said } = OUTAGE_SENTENCES
  attacker.rule(
    said,
    warnings.join().includes('appendonly'),
    `inspect() says ${warnings.join() || 'nothing'}`,
  )
}

/** What became of the sessions of which the store has lost something. */
async function judgeLoss({ revoked, revived, before, after }: Lost, attacker: Attacker): Promise<void> {
  const { resurrected, replayed } = OUTAGE_SENTENCES
  const { store, heard } = attacker.target
  await until(
    () =>
      store.now().then(
        () => true,
        () => false,
      ),
    5,
    'the store',
  )
  const intents = [
    toBearerIntent(revoked.access, '/strict'),
    toBearerIntent(revoked.access),
    toRefreshIntent(revoked.refresh),
    // The row is live again in the store; this process knows better.
    toBearerIntent(revived.access),
    toBearerIntent(revived.access, '/strict'),
    toRefreshIntent(revived.refresh),
  ]
  for (const intent of intents) {
    const exchange = await attacker.ask(intent)
    attacker.rule(resurrected, exchange.answer.status === 401, `${intent.path}: ${toShort(exchange)}`)
  }
  const goesOn = await attacker.ask(toRefreshIntent(after.refresh))
  attacker.rule(replayed, goesOn.answer.status === 200, `the client's own token: ${toShort(goesOn)}`)
  attacker.rule(
    replayed,
    heard.some(({ event, sid }) => event === 'healed' && sid === before.sid),
    'no word of it',
  )
  const thief = await attacker.ask(toRefreshIntent(before.refresh))
  const refused = codeOf(thief) === 'refresh_reused'
  attacker.rule(replayed, refused, `the token before the rotation: ${toShort(thief)}`)
}
