/**
 * `npm run bench:http [-- <framework>]`: what it costs to authenticate a request, as a share of the same application with a middleware that
 * does nothing. Each application is a process of its own; they take turns under load, and what counts is the
 * processor time of the process for each request, so that neither the load nor the rest of the machine is in it.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { cpus } from 'node:os'
import { median } from '../measure.ts'
import { APPS, type App, BARE, createApplication } from './apps.ts'
import { probe, run, toRequests } from './load.ts'

const ROUNDS = 7
const REQUESTS = 6_000
const TOKENS = 1_000

/** An application that listens. */
interface Running {
  readonly app: App
  readonly child: ChildProcess
  readonly port: number
  /** Microseconds of processor time for each request, by round. */
  readonly costs: number[]
}

async function ask<T>(child: ChildProcess): Promise<T> {
  const [message] = await once(child, 'message')
  return message as T
}

async function start(app: App, secret: string): Promise<Running> {
  const child = fork(new URL('server.js', import.meta.url), [String(APPS.indexOf(app)), secret])
  const { port } = await ask<{ port: number }>(child)
  return { app, child, port, costs: [] }
}

async function readUsed({ child }: Running): Promise<number> {
  child.send('used?')
  return (await ask<{ used: number }>(child)).used
}

/** One turn: microseconds of processor time for each request. */
async function measureTurn(running: Running, requests: readonly Buffer[]): Promise<number> {
  const before = await readUsed(running)
  await run(running.port, requests, REQUESTS)
  return ((await readUsed(running)) - before) / REQUESTS
}

/** Whoever guards must accept the pool's tokens and refuse another; otherwise nothing is compared. */
async function checkAnswers({ app, port }: Running, requests: readonly Buffer[]): Promise<void> {
  const good = requests[0] ?? Buffer.alloc(0)
  const bad = Buffer.from(good.toString('latin1').replace(/.{8}\r\n\r\n$/, 'AAAAAAAA\r\n\r\n'))
  const statuses = [await probe(port, good), await probe(port, bad)]
  const expected = app.guard === BARE ? [200, 200] : [200, 401]
  if (String(statuses) !== String(expected)) {
    throw new Error(`${app.framework} behind ${app.guard} answers ${statuses} instead of ${expected}`)
  }
}

function print(running: readonly Running[]): void {
  console.log(`Node ${process.versions.node}, ${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown'}.`)
  console.log(
    `Medians of ${ROUNDS} interleaved rounds of ${REQUESTS} requests, ${TOKENS} tokens at random.\n`,
  )
  console.log('| framework | guarded by | us per request | share of bare |')
  console.log('|---|---|---:|---:|')
  for (const { app, costs } of running) {
    const bare = running.find((other) => other.app.framework === app.framework && other.app.guard === BARE)
    const share = median(costs.map((cost, round) => (bare?.costs[round] ?? Number.NaN) / cost))
    console.log(`| ${app.framework} | ${app.guard} | ${median(costs).toFixed(1)} | ${share.toFixed(2)} |`)
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
const running: Running[] = []
for (const app of APPS.filter(({ framework }) => framework.includes(filter)))
  running.push(await start(app, secret))
for (const each of running) await checkAnswers(each, requests)
for (let round = -1; round < ROUNDS; round++) {
  for (let turn = 0; turn < running.length; turn++) {
    const each = running[(turn + round + 1) % running.length]
    const cost = each && (await measureTurn(each, requests))
    if (cost !== undefined && round >= 0) each?.costs.push(cost) // the first round only warms up
  }
}
print(running)
for (const { child } of running) child.disconnect()
