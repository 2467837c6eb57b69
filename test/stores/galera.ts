/**
 * MariaDB Galera: three nodes of the tests' own that commit together. Each can be killed and
 * started again, or cut off from the others. Where its parts are missing, the tests skip and say so.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createPool, type Pool } from 'mysql2/promise'
import { installMariadb, MARIADB, makeFolder, run, toUser } from '../invariants/servers.ts'
import { freePort, reapWithUs, waitFor } from './redis-server.ts'

/** Galera's library. */
const PROVIDER = '/usr/lib/galera/libgalera_smm.so'

/** Whether three nodes can be started. */
export const HAS_GALERA: boolean = MARIADB !== null && existsSync(PROVIDER)
if (!HAS_GALERA) console.error('\n!!! no Galera on this machine: its tests are SKIPPED\n')

/** One node. */
export interface GaleraNode {
  readonly port: number
  /** Asks it by SQL. */
  ask(text: string): Promise<Record<string, unknown>[]>
  /** Ends it by SIGKILL. */
  kill(): Promise<void>
  /** Starts it again, and waits until it has caught up and takes statements. */
  restart(): Promise<void>
  /** Cuts it off from the other nodes. Clients reach it as before. */
  cut(): Promise<void>
  /** Joins it again. */
  heal(): Promise<void>
}

/** The three nodes. */
export interface Galera {
  readonly nodes: readonly [GaleraNode, GaleraNode, GaleraNode]
  close(): Promise<void>
}

/** How fast nodes find out that one is gone, once they have come together: in a third of the usual. */
const PATIENCE = [
  'evs.keepalive_period=PT0.3S',
  'evs.suspect_timeout=PT1.7S',
  'evs.inactive_timeout=PT4S',
  'evs.install_timeout=PT4S',
]

interface Plan {
  readonly folder: string
  readonly port: number
  /** What the nodes speak to each other by. */
  readonly group: number
  /** What takes changes that were missed, and all there is where too many were. */
  readonly transfers: readonly [number, number]
}

function toArguments({ folder, port, group, transfers }: Plan, plans: readonly Plan[]): string[] {
  const provider = [
    ...['evs.join_retrans_period=PT0.3S', 'gcache.size=8M', `base_port=${group}`],
    `gmcast.listen_addr=tcp://127.0.0.1:${group}`,
    `ist.recv_addr=127.0.0.1:${transfers[0]}`,
  ]
  return [
    '--no-defaults',
    `--datadir=${join(folder, 'data')}`,
    `--tmpdir=${folder}`,
    `--port=${port}`,
    `--socket=${join(folder, 'socket')}`,
    `--pid-file=${join(folder, 'pid')}`,
    ...['--bind-address=127.0.0.1', '--skip-name-resolve', '--binlog-format=ROW'],
    ...['--innodb-flush-log-at-trx-commit=1', '--innodb-buffer-pool-size=32M'],
    ...['--wsrep-on=ON', `--wsrep-provider=${PROVIDER}`, '--wsrep-cluster-name=tokenwright'],
    `--wsrep-cluster-address=gcomm://${plans.map((plan) => `127.0.0.1:${plan.group}`).join(',')}`,
    ...[`--wsrep-node-address=127.0.0.1:${group}`, '--wsrep-sst-method=rsync'],
    `--wsrep-sst-receive-address=127.0.0.1:${transfers[1]}`,
    `--wsrep-provider-options=${provider.join(';')}`,
  ]
}

/** The identifier by which the others know a node. */
const toId = (index: number): string => `0000000${index}-0000-11f0-8000-000000000000`

/** A group that was whole when it went down finds itself again, without copying anything. */
function rememberGroup(folder: string, index: number): void {
  const members = [1, 2, 3].map((each) => `member: ${toId(each)} 0`)
  const lines = [
    `my_uuid: ${toId(index)}`,
    '#vwbeg',
    `view_id: 3 ${toId(1)} 3`,
    'bootstrap: 0',
    ...members,
    '#vwend',
  ]
  writeFileSync(join(folder, 'data', 'gvwstate.dat'), `${lines.join('\n')}\n`)
}

function launch(plan: Plan, plans: readonly Plan[], ...more: string[]): ChildProcess {
  const args = [...toArguments(plan, plans), ...more]
  const child = spawn(MARIADB?.[0] ?? '', args, { ...toUser('mysql'), cwd: plan.folder, stdio: 'ignore' })
  reapWithUs(child, plan.folder)
  return child
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => child.once('exit', () => resolve()))
}

/** Makes the first node alone, so that its position in the log is in its files, and stops it. */
async function makeFirst(plan: Plan, pool: Pool): Promise<void> {
  await installMariadb(plan.folder)
  const child = launch(plan, [plan], '--wsrep-new-cluster')
  await waitFor(() => isReady(pool), 60)
  child.kill('SIGTERM')
  await ended(child)
}

/** How far a node has come that was killed, as its own log says: its service asks that too. */
async function findPosition(plan: Plan, plans: readonly Plan[]): Promise<string> {
  const args = [...toArguments(plan, plans), '--wsrep-recover']
  const { stderr } = await run(MARIADB?.[0] ?? '', args, { ...toUser('mysql'), cwd: plan.folder })
  const [, position] = /Recovered position:\s*(\S+)/.exec(stderr) ?? []
  if (position === undefined) throw new Error('The node knows no position')
  return position
}

async function isReady(pool: Pool): Promise<boolean> {
  const [rows] = await pool.query("show global status like 'wsrep_ready'").catch(() => [[]])
  return Object((rows as unknown[])[0]).Value === 'ON'
}

/** Starts them. */
export async function startGalera(): Promise<Galera> {
  const user = toUser('mysql')
  const plans: Plan[] = []
  for (let i = 0; i < 3; i++) {
    const folder = makeFolder(user)
    const [port, group] = [await freePort(), await freePort()]
    plans.push({ folder, port, group, transfers: [await freePort(), await freePort()] })
  }
  const pools = plans.map(({ port }) =>
    createPool({ host: '127.0.0.1', port, user: 'root', connectionLimit: 1 }),
  )
  const [first] = plans as [Plan]
  await makeFirst(first, pools[0] as Pool)
  const source = join(first.folder, 'data')
  await Promise.all(plans.slice(1).map(({ folder }) => run('cp', ['-a', source, folder])))
  for (const [i, plan] of plans.entries()) {
    rememberGroup(plan.folder, i + 1)
    const state = join(plan.folder, 'data', 'grastate.dat')
    writeFileSync(state, readFileSync(state, 'utf8').replace(/safe_to_bootstrap.*/, 'safe_to_bootstrap: 0'))
    if (user.uid !== undefined)
      await run('chown', ['-R', `${user.uid}:${user.gid}`, join(plan.folder, 'data')])
  }
  const children = plans.map((plan) => launch(plan, plans))
  await waitFor(async () => (await Promise.all(pools.map(isReady))).every(Boolean), 60)
  for (const pool of pools) await pool.query('set global wsrep_provider_options = ?', [PATIENCE.join(';')])
  const nodes = plans.map(({ port }, i): GaleraNode => {
    const [plan, pool] = [plans[i] as Plan, pools[i] as Pool]
    const ask = async (text: string) => (await pool.query(text))[0] as Record<string, unknown>[]
    const isolate = async (value: 0 | 1) =>
      void (await ask(`set global wsrep_provider_options='gmcast.isolate=${value}'`))
    return {
      port,
      ask,
      async kill() {
        const child = children[i] as ChildProcess
        child.kill('SIGKILL')
        await ended(child)
      },
      async restart() {
        children[i] = launch(plan, plans, `--wsrep-start-position=${await findPosition(plan, plans)}`)
        await waitFor(() => isReady(pool), 60)
        await ask(`set global wsrep_provider_options='${PATIENCE.join(';')}'`)
      },
      cut: () => isolate(1),
      heal: () => isolate(0),
    }
  })
  return {
    nodes: nodes as [GaleraNode, GaleraNode, GaleraNode],
    async close() {
      await Promise.all(pools.map((pool) => pool.end().catch(() => undefined)))
      for (const child of children) child.kill('SIGKILL')
      await Promise.all(children.map(ended))
      for (const { folder } of plans) rmSync(folder, { recursive: true, force: true })
    },
  }
}
