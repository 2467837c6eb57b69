/**
 * Logins and refreshes per second over HTTP, of one process of each application, which take turns.
 * Needs PostgreSQL; skips without it, with a message.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Pool } from 'pg'
import { median } from '../measure.ts'
import { APPS, type AppName, CLIENTS } from './apps.ts'
import { agent, type Client, createClient } from './client.ts'

/** What a client asks for. */
export type Work = 'login' | 'refresh'

/** The results of one application for one kind of work. */
export interface LoginsResult {
  readonly app: AppName
  readonly work: Work
  /** Requests per second. */
  readonly rate: number
  /** As a share of the rate by hand: the median of the rounds. */
  readonly share: number
  /** The processor time of the application for a request, in microseconds. */
  readonly cost: number
}

const ROUNDS = 7
/** The length of a turn, in milliseconds. */
const TURN = 1000

interface Running {
  readonly app: AppName
  readonly child: ChildProcess
  readonly clients: readonly Client[]
  readonly turns: Record<Work, { readonly rate: number; readonly cost: number }[]>
}

async function ask<T>(child: ChildProcess): Promise<T> {
  const [message] = await once(child, 'message')
  return message as T
}

async function start(app: AppName, schema: string): Promise<Running> {
  const child = fork(new URL('server.js', import.meta.url), [app, schema], {
    env: { ...process.env, NODE_ENV: 'production' },
  })
  const { port } = await ask<{ port: number }>(child)
  const clients = Array.from({ length: CLIENTS }, (_, client) => createClient(app, port, client))
  return { app, child, clients, turns: { login: [], refresh: [] } }
}

async function readUsed(child: ChildProcess): Promise<number> {
  child.send('used?')
  return (await ask<{ used: number }>(child)).used
}

async function takeTurn({ child, clients }: Running, work: Work): Promise<{ rate: number; cost: number }> {
  const before = await readUsed(child)
  const started = performance.now()
  let count = 0
  const keepBusy = async (client: Client): Promise<void> => {
    while (performance.now() - started < TURN) {
      await client[work]()
      count++
    }
  }
  await Promise.all(clients.map(keepBusy))
  const seconds = (performance.now() - started) / 1000
  return { rate: count / seconds, cost: ((await readUsed(child)) - before) / count }
}

/** Measures all applications. */
export async function measureLogins(): Promise<readonly LoginsResult[]> {
  const pool = new Pool({ host: '127.0.0.1', user: 'root', database: 'test', max: 1 })
  const schemas = APPS.map(() => `tw_bench_${randomBytes(4).toString('hex')}`)
  try {
    await pool.query('select 1')
  } catch {
    console.error('postgres is not running: logins are skipped')
    return []
  }
  const running: Running[] = []
  try {
    for (const [place, app] of APPS.entries()) {
      await pool.query(`create schema ${schemas[place]}`)
      running.push(await start(app, schemas[place] ?? ''))
    }
    for (let round = 0; round <= ROUNDS; round++)
      for (const work of ['login', 'refresh'] as const)
        for (let turn = 0; turn < running.length; turn++) {
          const one = running[(turn + round) % running.length] as Running
          const figures = await takeTurn(one, work)
          // The first round only warms up.
          if (round > 0) one.turns[work].push(figures)
        }
  } finally {
    for (const { child } of running) child.disconnect()
    agent.destroy()
    for (const schema of schemas) await pool.query(`drop schema if exists ${schema} cascade`)
    await pool.end()
  }
  return (['login', 'refresh'] as const).flatMap((work) =>
    running.map((one) => summarize(one, work, running)),
  )
}

function summarize({ app, turns }: Running, work: Work, [limit]: readonly Running[]): LoginsResult {
  const rates = turns[work].map(({ rate }) => rate)
  const shares = rates.map((rate, round) => rate / (limit?.turns[work][round]?.rate ?? Number.NaN))
  return {
    app,
    work,
    rate: median(rates),
    share: median(shares),
    cost: median(turns[work].map(({ cost }) => cost)),
  }
}
