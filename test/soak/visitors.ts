/**
 * Visitors of an application: each has one session and does what people do, through whichever node.
 * A visitor knows what must be so, and counts what is not.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Outcome } from '../processes/node/messages.ts'
import type { Node } from '../processes/nodes.ts'

/** What all visitors have seen together. */
export interface Tally {
  /** How often each call had each result, as `refresh ok`. */
  readonly results: Map<string, number>
  /** How long calls took, in milliseconds. */
  readonly times: number[]
  /** Sessions that ended though no one had ended them, with the code that said so. */
  readonly lost: string[]
  /** Sessions that were ended and went on. */
  readonly alive: string[]
}

/** What a visitor needs. */
export interface Surroundings {
  /** The nodes that are up. */
  readonly nodes: readonly Node[]
  readonly tally: Tally
  /** Whether visitors go on. */
  readonly goesOn: () => boolean
}

/** Refusals that end nothing: the store is out of reach, or the node has died. */
const PASSING = new Set(['store_unavailable', 'node_died'])

/** The pause between two calls of a visitor, in milliseconds, at most. */
const THINKS = 120

/** Lives until `goesOn` says no. */
export async function visit(name: string, surroundings: Surroundings): Promise<void> {
  const { tally, goesOn } = surroundings
  let session: Required<Outcome> | null = null
  for (let round = 0; goesOn(); round++) {
    await pause(Math.random() * THINKS)
    session ??= await login(`${name}-${round}`, surroundings)
    if (session === null) continue
    const dice = Math.random()
    if (dice < 0.4) session = await refresh(session, surroundings)
    else if (dice < 0.5) session = await refreshInTwoTabs(session, surroundings)
    else if (dice < 0.85) await judge(session, surroundings)
    else if (dice < 0.93) session = await stepUp(session, surroundings)
    else {
      await logout(session, surroundings)
      session = null
    }
  }
  // What is left must still be there.
  while (session !== null && !(await endures(session, surroundings))) await pause(200)
  tally.results.set('visitors', (tally.results.get('visitors') ?? 0) + 1)
}

/** Makes a call at some node, and counts how long it took and what came of it. */
async function call(
  what: string,
  { nodes, tally }: Surroundings,
  work: (node: Node) => Promise<Outcome | string>,
): Promise<Outcome> {
  const node = nodes[Math.floor(Math.random() * nodes.length)]
  const begun = performance.now()
  const outcome = await (node === undefined
    ? { code: 'node_died' }
    : work(node).catch((error: Error) => ({ code: toCode(error) })))
  const { code, ...tokens } = typeof outcome === 'string' ? { code: outcome } : outcome
  if (!PASSING.has(code)) tally.times.push(performance.now() - begun)
  const key = `${what} ${code}`
  tally.results.set(key, (tally.results.get(key) ?? 0) + 1)
  return { code, ...tokens }
}

/** Only a killed node is no fault. */
function toCode(error: Error): string {
  if (/has died|ERR_IPC_CHANNEL_CLOSED|Channel closed/.test(`${error.message}`)) return 'node_died'
  throw error
}

async function login(name: string, surroundings: Surroundings): Promise<Required<Outcome> | null> {
  const outcome = await call('login', surroundings, (node) => node.ask('login', name))
  return outcome.code === 'ok' ? (outcome as Required<Outcome>) : null
}

/** Keeps the tokens that are the newest; null where the session has ended. */
function keep(
  what: string,
  session: Required<Outcome>,
  { tally }: Surroundings,
  { code, access, refresh }: Outcome,
): Required<Outcome> | null {
  if (code === 'ok') return { code, access: access ?? '', refresh: refresh ?? session.refresh }
  if (PASSING.has(code)) return session
  tally.lost.push(`${what}: ${code}`)
  return null
}

async function refresh(session: Required<Outcome>, surroundings: Surroundings) {
  const way = Math.random() < 0.5 ? 'api' : 'http'
  const outcome = await call('refresh', surroundings, (node) => node.ask('refresh', session.refresh, way))
  return keep('refresh', session, surroundings, outcome)
}

/** Two tabs refresh at once, through two nodes: both get the same successor. */
async function refreshInTwoTabs(session: Required<Outcome>, surroundings: Surroundings) {
  const ask = () => call('two tabs', surroundings, (node) => node.ask('refresh', session.refresh))
  const [one, two] = await Promise.all([ask(), ask()])
  const best = one.code === 'ok' || PASSING.has(two.code) ? one : two
  const other = best === one ? two : one
  if (other.code !== 'ok' && !PASSING.has(other.code)) surroundings.tally.lost.push(`two tabs: ${other.code}`)
  return keep('two tabs', session, surroundings, best)
}

async function judge(session: Required<Outcome>, surroundings: Surroundings): Promise<void> {
  const judging = Math.random() < 0.9 ? 'feed' : 'strict'
  const { code } = await call(judging, surroundings, (node) => node.ask('judge', session.access, judging))
  if (code !== 'ok' && !PASSING.has(code)) surroundings.tally.lost.push(`${judging}: ${code}`)
}

async function stepUp(session: Required<Outcome>, surroundings: Surroundings) {
  const outcome = await call('step-up', surroundings, (node) => node.ask('stepUp', session.access))
  return keep('step-up', session, surroundings, outcome)
}

/** A logout that is confirmed holds everywhere: within a second by the feed, and at once for a refresh. */
async function logout(session: Required<Outcome>, surroundings: Surroundings): Promise<void> {
  const claims = Buffer.from(session.access.split('.')[1] ?? '', 'base64url').toString()
  const { sid } = JSON.parse(claims) as { sid: string }
  const { code } = await call('logout', surroundings, (node) => node.ask('end', sid))
  if (code !== 'ok') return
  const after = await call('refresh after logout', surroundings, (node) =>
    node.ask('refresh', session.refresh),
  )
  if (after.code === 'ok') surroundings.tally.alive.push('refreshed after its logout')
}

/** Whether it is known to be there; counts it where it is lost. */
async function endures(session: Required<Outcome>, surroundings: Surroundings): Promise<boolean> {
  const outcome = await call('last refresh', surroundings, (node) => node.ask('refresh', session.refresh))
  keep('last refresh', session, surroundings, outcome)
  return !PASSING.has(outcome.code)
}
