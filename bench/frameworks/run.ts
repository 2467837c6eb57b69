/**
 * `npm run bench:http [-- <framework>]`: what it costs to authenticate a request, as a share of the same application with a middleware that
 * does nothing. What counts is the processor time of the server's process for each request, so that neither the load nor the rest of the
 * machine is in it. Two processes of one program differ by some percent for as long as they live, by how V8 came to compile them and
 * where their data lies: so the applications of a framework are in one process, which loads them in turn, and are compared within one round
 * of it; and there are several such processes, as luck differs from one to the next.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { cpus } from 'node:os'
import { median } from '../measure.ts'
import { APPS, type App, BARE, createApplication, LEAST } from './apps.ts'
import { probe, run, toRequests } from './load.ts'
import { pin } from './pin.ts'

const TOKENS = 1_000
/** Requests before anything is measured: V8 needs that many until it stops compiling. */
const WARM_UP = 15_000
const PROCESSES = 3
const ROUNDS = 60
/** Who costs far more than the rest takes part in every so many rounds: their figures need no such care. */
const SELDOM = 5
/** Requests of a turn: some 50 ms, so that a machine which is now faster and now slower is the same for all of a round. */
const REQUESTS = 1_000

/** One process, which serves every application of a framework. */
interface Server {
  readonly child: ChildProcess
  /** Where each application listens. */
  readonly ports: readonly number[]
}

/** What one application costs. */
interface Figures {
  readonly app: App
  /** Which of the server's ports is its. */
  readonly index: number
  /** Microseconds of processor time for each request, of every round of every process. */
  readonly costs: number[]
  /** The share that the bare application has of it, in the same rounds. */
  readonly shares: number[]
}

async function ask<T>(child: ChildProcess): Promise<T> {
  const [message] = await once(child, 'message')
  return message as T
}

async function start(framework: string, secret: string): Promise<Server> {
  const child = fork(new URL('server.js', import.meta.url), [framework, secret], {
    // Express prints what it refuses, except here.
    env: { ...process.env, NODE_ENV: 'test' },
  })
  const { ports } = await ask<{ ports: number[] }>(child)
  pin(child.pid ?? 0, 'application')
  return { child, ports }
}

/** Microseconds of processor time that a process has used. */
async function readUsed(child: ChildProcess): Promise<number> {
  child.send('used?')
  return (await ask<{ used: number }>(child)).used
}

/** Loads one application for a turn; answers microseconds of processor time for each request. */
async function takeTurn(child: ChildProcess, port: number, requests: readonly Buffer[]): Promise<number> {
  const before = await readUsed(child)
  await run(port, requests, REQUESTS)
  return ((await readUsed(child)) - before) / REQUESTS
}

/** Whoever guards must accept the pool's tokens and refuse another; otherwise nothing is compared. */
async function checkAnswers(app: App, port: number, requests: readonly Buffer[]): Promise<void> {
  const good = requests[0] ?? Buffer.alloc(0)
  const bad = Buffer.from(good.toString('latin1').replace(/.{8}\r\n\r\n$/, 'AAAAAAAA\r\n\r\n'))
  const expected = app.guard === BARE || app.guard === LEAST ? [200, 200] : [200, 401]
  const statuses = [await probe(port, good), await probe(port, bad)]
  if (String(statuses) === String(expected)) return
  throw new Error(`${app.framework} behind ${app.guard} answers ${statuses} instead of ${expected}`)
}

/** One round, in an order of its own: whoever comes next pays for garbage that was left, and that must not always be the same. */
async function takeRound(
  { child, ports }: Server,
  figures: readonly Figures[],
  requests: readonly Buffer[],
): Promise<void> {
  const turns = figures.map((figure) => ({ ...figure, cost: 0 }))
  for (const turn of shuffle(turns)) turn.cost = await takeTurn(child, ports[turn.index] ?? 0, requests)
  const bare = turns[0]?.cost ?? 0
  for (const { costs, shares, cost } of turns) {
    costs.push(cost)
    shares.push(bare / cost)
  }
}

function shuffle<T>(values: readonly T[]): readonly T[] {
  const keyed = values.map((value) => ({ value, key: Math.random() }))
  return keyed.sort((a, b) => a.key - b.key).map(({ value }) => value)
}

/** Measures the applications of one framework against each other. */
async function compare(framework: string, secret: string, requests: readonly Buffer[]): Promise<void> {
  const figures = APPS.filter((app) => app.framework === framework).map(
    (app, index): Figures => ({ app, index, costs: [], shares: [] }),
  )
  for (let count = 0; count < PROCESSES; count++) {
    const server = await start(framework, secret)
    for (const { app, index } of figures) {
      const port = server.ports[index] ?? 0
      await checkAnswers(app, port, requests)
      await run(port, requests, WARM_UP)
    }
    const few = figures.filter(({ app }) => app.close)
    for (let round = 0; round < ROUNDS; round++) {
      await takeRound(server, round % SELDOM === 0 ? figures : few, requests)
    }
    server.child.disconnect()
  }
  print(figures)
}

/** Prints a row for each application; the first one is the bare one. */
function print(figures: readonly Figures[]): void {
  for (const { app, costs, shares } of figures) {
    const sorted = shares.toSorted((a, b) => a - b)
    const quartile = (part: number): string =>
      (sorted[Math.floor((sorted.length - 1) * part)] ?? 0).toFixed(2)
    const cells = [app.framework, app.guard, median(costs).toFixed(1), median(shares).toFixed(3)]
    console.log(`| ${[...cells, `${quartile(0.25)} - ${quartile(0.75)}`].join(' | ')} |`)
  }
}

const secret = randomBytes(32).toString('base64url')
const auth = createApplication(secret)
const tokens = Array.from({ length: TOKENS }, () =>
  auth.createAccessToken('user-64f1c0ffee5', {
    scopes: ['users:read', 'orders:read', 'orders:write:own'],
    expiresIn: '1h',
  }),
)
const requests = toRequests(await Promise.all(tokens))
const [, , filter = ''] = process.argv
console.log(`Node ${process.versions.node}, ${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown'}.`)
if (!pin(process.pid, 'load')) console.log('No `taskset` here: processes wander, and the figures with them.')
console.log(
  `Medians of ${ROUNDS} rounds in each of ${PROCESSES} processes, ${REQUESTS} requests in a turn, ${TOKENS} tokens at random.\n`,
)
console.log('| framework | guarded by | us per request | share of bare | middle half |')
console.log('|---|---|---:|---:|---:|')
for (const framework of new Set(APPS.map((app) => app.framework))) {
  if (framework.includes(filter)) await compare(framework, secret, requests)
}
