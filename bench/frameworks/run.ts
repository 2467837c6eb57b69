/**
 * `npm run bench:http [-- <framework>]`: the cost of an application without a guard, as a share of
 * the same one behind a guard. The cost is the processor time of the server's process for each
 * request, without the load and the rest of the machine. Each application runs in its own process,
 * as users run it. Two processes of one program differ by some percent for their whole life, as V8
 * compiles them differently and their data lies elsewhere. So each application has many, and the
 * median counts. Blocks of one process for each application take turns, and costs are relative to
 * the block, because the speed of a machine varies.
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
const BLOCKS = 9
/** Applications that cost far more take part in every third block: they need less precision. */
const SELDOM = 3
/** The turns of each process before anything is measured, so that V8 compiles hot code. */
const WARM_UP = 4
/** The turns of each process that count, in interleaved rounds. */
const ROUNDS = 7
const REQUESTS = 3_000

/** A process that serves one application, and its load. */
interface Server {
  readonly app: App
  readonly child: ChildProcess
  readonly load: Load
  /** The processor time for a request, in microseconds, for each turn that counts. */
  readonly costs: number[]
}

async function ask<T>(child: ChildProcess): Promise<T> {
  const [message] = await once(child, 'message')
  return message as T
}

async function start(app: App, secret: string, requests: readonly Buffer[]): Promise<Server> {
  const child = fork(new URL('server.js', import.meta.url), [app.framework, app.guard, secret], {
    execArgv: ['--expose-gc'],
    // Otherwise Express prints errors.
    env: { ...process.env, NODE_ENV: 'test' },
  })
  const { port } = await ask<{ port: number }>(child)
  pin(child.pid ?? 0, 'application')
  await checkResponses(app, port, requests)
  return { app, child, load: openLoad(port, requests), costs: [] }
}

/** The processor time that a process has used, in microseconds. */
async function readUsed(child: ChildProcess): Promise<number> {
  child.send('used?')
  return (await ask<{ used: number }>(child)).used
}

/** Checks that a guard accepts the tokens of the pool and refuses another. */
async function checkResponses(app: App, port: number, requests: readonly Buffer[]): Promise<void> {
  const good = requests[0] ?? Buffer.alloc(0)
  const bad = Buffer.from(good.toString('latin1').replace(/.{8}\r\n\r\n$/, 'AAAAAAAA\r\n\r\n'))
  const expected = app.guard === BARE || app.guard === LEAST ? [200, 200] : [200, 401]
  const statuses = [await probe(port, good), await probe(port, bad)]
  if (String(statuses) === String(expected)) return
  throw new Error(`${app.framework} behind ${app.guard} responds ${statuses} instead of ${expected}`)
}

/** One turn of one application. */
async function takeTurn({ child, load, costs }: Server): Promise<void> {
  const before = await readUsed(child)
  await load.run(REQUESTS)
  costs.push(((await readUsed(child)) - before) / REQUESTS)
}

/** Measures one process of each application. Returns the median of each. */
async function measureBlock(
  apps: readonly App[],
  secret: string,
  requests: readonly Buffer[],
): Promise<readonly { readonly app: App; readonly cost: number }[]> {
  const servers: Server[] = []
  for (const app of apps) servers.push(await start(app, secret, requests))
  for (let turn = 0; turn < WARM_UP; turn++) for (const { load } of servers) await load.run(REQUESTS)
  for (let round = 0; round < ROUNDS; round++) for (const server of shuffle(servers)) await takeTurn(server)
  for (const { load, child } of servers) {
    load.close()
    child.disconnect()
  }
  return servers.map(({ app, costs }) => ({ app, cost: median(costs) }))
}

function shuffle<T>(values: readonly T[]): readonly T[] {
  const keyed = values.map((value) => ({ value, key: Math.random() }))
  return keyed.sort((a, b) => a.key - b.key).map(({ value }) => value)
}

/** The costs of one application, for each of its processes. */
interface Figures {
  /** The processor time for a request, in microseconds. */
  readonly costs: number[]
  /** The same, relative to the pace of its block. */
  readonly paced: number[]
}

/** Compares the applications of one framework. */
async function compare(apps: readonly App[], secret: string, requests: readonly Buffer[]): Promise<void> {
  const all = new Map<App, Figures>(apps.map((app) => [app, { costs: [], paced: [] }]))
  const close = apps.filter((app) => app.close)
  for (let block = 0; block < BLOCKS; block++) {
    const measured = await measureBlock(block % SELDOM === 0 ? apps : close, secret, requests)
    // The machine's speed in this block, from the applications that take part in all blocks.
    const logs = measured.filter(({ app }) => app.close).map(({ cost }) => Math.log(cost))
    const pace = Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length)
    for (const { app, cost } of measured) {
      all.get(app)?.costs.push(cost)
      all.get(app)?.paced.push(cost / pace)
    }
  }
  print(all)
}

/** Prints a row for each application. The first one is the bare one. */
function print(all: ReadonlyMap<App, Figures>): void {
  const [bare] = all.values()
  const limit = median(bare?.paced ?? [])
  for (const [app, { costs, paced }] of all) {
    const each = paced.toSorted((a, b) => a - b).map((one) => (limit / one).toFixed(2))
    const share = (limit / median(paced)).toFixed(2)
    console.log(
      `| ${app.framework} | ${app.guard} | ${median(costs).toFixed(1)} | ${share} | ${each.join(' ')} |`,
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
if (!pin(process.pid, 'load'))
  console.log('No `taskset` here: processes are not pinned, and the figures are less exact.')
console.log(
  `Medians of ${BLOCKS} processes, or ${BLOCKS / SELDOM} where it costs far more, each of ${ROUNDS} interleaved rounds of ${REQUESTS} requests each, ${TOKENS} tokens at random.\n`,
)
console.log('| framework | guarded by | us per request | share of bare | of each process |')
console.log('|---|---|---:|---:|---:|')
for (const framework of new Set(APPS.map((app) => app.framework))) {
  if (!framework.includes(filter)) continue
  const apps = APPS.filter((app) => app.framework === framework)
  await compare(apps, secret, requests)
}
