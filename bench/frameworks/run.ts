/**
 * `npm run bench:http [-- <framework>]`: an application with a middleware that does nothing, as a share of the same one behind a guard. What counts
 * is the processor time of the server's process for each request, so that neither the load nor the rest of the machine is in it. Two processes
 * of one program differ by some percent for as long as they live, by how V8 came to compile them and where their data lies: so the
 * applications of a framework are served by one process, are loaded in turn, and are compared within one round of turns; and there are
 * several such processes, each of which gives a figure of its own, as luck differs from one to the next.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { cpus } from 'node:os'
import { median } from '../measure.ts'
import { APPS, type App, BARE, createApplication, LEAST } from './apps.ts'
import { type Load, openLoad, probe, toRequests } from './load.ts'
import { pin } from './pin.ts'

const TOKENS = 1_000
/** Rounds of all applications before anything is measured: V8 compiles what they share for all of them. */
const WARM_UP = 4
const PROCESSES = 3
const ROUNDS = 16
/** Who costs far more than the rest takes part in every so many rounds: their figures need no such care. */
const SELDOM = 4
/** Requests of a turn: few enough that a machine which is now faster and now slower is the same for all of a round, and so many that most tokens come again. */
const REQUESTS = 3_000

/** One process, which serves every application of a framework. */
interface Server {
  readonly child: ChildProcess
  /** The load of each application. */
  readonly loads: readonly Load[]
}

/** What one application costs. */
interface Figures {
  readonly app: App
  /** Which of the server's loads is its. */
  readonly index: number
  /** Microseconds of processor time for each request, of every round of this process. */
  readonly costs: number[]
  /** The share that the bare application has of it, in the same rounds. */
  readonly shares: number[]
  /** The medians of each process. */
  readonly medians: { readonly cost: number; readonly share: number }[]
}

async function ask<T>(child: ChildProcess): Promise<T> {
  const [message] = await once(child, 'message')
  return message as T
}

async function start(apps: readonly App[], secret: string, requests: readonly Buffer[]): Promise<Server> {
  const child = fork(new URL('server.js', import.meta.url), [apps[0]?.framework ?? '', secret], {
    execArgv: ['--expose-gc'],
    // Express prints what it refuses, except here.
    env: { ...process.env, NODE_ENV: 'test' },
  })
  const { ports } = await ask<{ ports: number[] }>(child)
  pin(child.pid ?? 0, 'application')
  for (const [at, app] of apps.entries()) await checkAnswers(app, ports[at] ?? 0, requests)
  return { child, loads: ports.map((port) => openLoad(port, requests)) }
}

/** Microseconds of processor time that a process has used. */
async function readUsed(child: ChildProcess): Promise<number> {
  child.send('used?')
  return (await ask<{ used: number }>(child)).used
}

/** Loads one application for a turn; answers microseconds of processor time for each request. */
async function takeTurn({ child, loads }: Server, index: number): Promise<number> {
  const before = await readUsed(child)
  await loads[index]?.run(REQUESTS)
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

/** One round, in an order of its own: whoever comes next finds what the one before has left in the caches, and that must not always be the same. */
async function takeRound(server: Server, figures: readonly Figures[]): Promise<void> {
  const turns = figures.map((figure) => ({ ...figure, cost: 0 }))
  for (const turn of shuffle(turns)) turn.cost = await takeTurn(server, turn.index)
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
async function compare(apps: readonly App[], secret: string, requests: readonly Buffer[]): Promise<void> {
  const figures = apps.map((app, index): Figures => ({ app, index, costs: [], shares: [], medians: [] }))
  const close = figures.filter(({ app }) => app.close)
  for (let count = 0; count < PROCESSES; count++) {
    const server = await start(apps, secret, requests)
    for (let round = 0; round < WARM_UP; round++) await takeRound(server, figures)
    for (const { costs, shares } of figures) costs.length = shares.length = 0
    for (let round = 0; round < ROUNDS; round++) {
      await takeRound(server, round % SELDOM === 0 ? figures : close)
    }
    for (const { costs, shares, medians } of figures) {
      medians.push({ cost: median(costs), share: median(shares) })
    }
    for (const load of server.loads) load.close()
    server.child.disconnect()
  }
  print(figures)
}

/** Prints a row for each application; the first one is the bare one. */
function print(figures: readonly Figures[]): void {
  for (const { app, medians } of figures) {
    const shares = medians.map(({ share }) => share)
    const each = shares.map((share) => share.toFixed(2)).join(', ')
    const cost = median(medians.map(({ cost }) => cost))
    console.log(
      `| ${app.framework} | ${app.guard} | ${cost.toFixed(1)} | ${median(shares).toFixed(2)} | ${each} |`,
    )
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
console.log('| framework | guarded by | us per request | share of bare | of each process |')
console.log('|---|---|---:|---:|---:|')
for (const framework of new Set(APPS.map((app) => app.framework))) {
  if (!framework.includes(filter)) continue
  const apps = APPS.filter((app) => app.framework === framework)
  await compare(apps, secret, requests)
}
