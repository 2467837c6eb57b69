/**
 * `npm run bench:http [-- <framework>]`: what it costs to authenticate a request, as a share of the same application with a middleware that
 * does nothing. Each application runs in processes of its own, which take turns under load, and what counts is the processor time of
 * the process for each request, so that neither the load nor the rest of the machine is in it. Two processes of one program differ by
 * some percent for as long as they live, by how V8 came to compile them and where their data lies: so there are several of each, and the
 * median is taken over all of them.
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
const WARM_UP = 25_000
const ROUNDS = 7
/** Requests of a turn, to each copy: each token comes often enough that it is not the machine's caches that are measured. */
const REQUESTS = 12_000

/** One process of an application. */
interface Copy {
  readonly child: ChildProcess
  readonly port: number
}

/** An application that listens, in several processes. */
interface Running {
  readonly app: App
  readonly copies: readonly Copy[]
  /** Microseconds of processor time for each request, of every copy in every round. */
  readonly costs: number[]
}

async function ask<T>(child: ChildProcess): Promise<T> {
  const [message] = await once(child, 'message')
  return message as T
}

async function startCopy(app: App, secret: string): Promise<Copy> {
  const child = fork(new URL('server.js', import.meta.url), [String(APPS.indexOf(app)), secret], {
    // Express prints what it refuses, except here.
    env: { ...process.env, NODE_ENV: 'test' },
  })
  const { port } = await ask<{ port: number }>(child)
  pin(child.pid ?? 0, 'application')
  return { child, port }
}

async function start(app: App, secret: string): Promise<Running> {
  const copies: Copy[] = []
  while (copies.length < app.copies) copies.push(await startCopy(app, secret))
  return { app, copies, costs: [] }
}

/** Microseconds of processor time that a process has used. */
async function readUsed({ child }: Copy): Promise<number> {
  child.send('used?')
  return (await ask<{ used: number }>(child)).used
}

/** One turn of all copies. */
async function takeTurn({ copies, costs }: Running, requests: readonly Buffer[]): Promise<void> {
  for (const copy of copies) {
    const before = await readUsed(copy)
    await run(copy.port, requests, REQUESTS)
    costs.push(((await readUsed(copy)) - before) / REQUESTS)
  }
}

/** Whoever guards must accept the pool's tokens and refuse another; otherwise nothing is compared. */
async function checkAnswers({ app, copies }: Running, requests: readonly Buffer[]): Promise<void> {
  const good = requests[0] ?? Buffer.alloc(0)
  const bad = Buffer.from(good.toString('latin1').replace(/.{8}\r\n\r\n$/, 'AAAAAAAA\r\n\r\n'))
  const expected = app.guard === BARE || app.guard === LEAST ? [200, 200] : [200, 401]
  for (const { port } of copies) {
    const statuses = [await probe(port, good), await probe(port, bad)]
    if (String(statuses) === String(expected)) continue
    throw new Error(`${app.framework} behind ${app.guard} answers ${statuses} instead of ${expected}`)
  }
}

/** Measures the applications of one framework against each other. */
async function compare(apps: readonly App[], secret: string, requests: readonly Buffer[]): Promise<void> {
  const running: Running[] = []
  for (const app of apps) running.push(await start(app, secret))
  for (const each of running) await checkAnswers(each, requests)
  for (const { port } of running.flatMap(({ copies }) => copies)) await run(port, requests, WARM_UP)
  for (let round = 0; round < ROUNDS; round++) {
    for (let turn = 0; turn < running.length; turn++) {
      const each = running[(turn + round) % running.length]
      if (each !== undefined) await takeTurn(each, requests)
    }
  }
  print(running)
  for (const { child } of running.flatMap(({ copies }) => copies)) child.disconnect()
}

/** Prints a row for each application; the first one is the bare one. */
function print(running: readonly Running[]): void {
  const bare = median(running[0]?.costs ?? [])
  for (const { app, costs } of running) {
    const cost = median(costs)
    console.log(`| ${app.framework} | ${app.guard} | ${cost.toFixed(1)} | ${(bare / cost).toFixed(2)} |`)
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
  `Medians of ${ROUNDS} interleaved rounds of ${REQUESTS} requests to each process, ${TOKENS} tokens at random.\n`,
)
console.log('| framework | guarded by | us per request | share of bare |')
console.log('|---|---|---:|---:|')
for (const framework of new Set(APPS.map((app) => app.framework))) {
  const apps = APPS.filter((app) => app.framework === framework && framework.includes(filter))
  if (apps.length > 0) await compare(apps, secret, requests)
}
