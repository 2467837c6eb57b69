/**
 * Processes that end: killed at each point of a refresh, killed in a transaction on a file that
 * eight of them share, and stopped by SIGTERM under load, which may lose nothing.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Attacker, Login } from './attacker.ts'
import { connectStore } from './connections.ts'
import { generationOf } from './families.ts'
import { toBearerIntent, toLoginIntent, toRefreshIntent } from './intents.ts'
import { toShort } from './outages.ts'
import type { CrashPoint } from './process-main.ts'
import type { AppProcess } from './processes.ts'
import { until } from './servers.ts'
import { Unsupported } from './values.ts'

/** The sentences that this file checks. */
export const CRASH_SENTENCES = {
  locked: 'user never locked out inside grace',
  successor: 'at most one live successor',
  orphan: 'no orphan row reachable outside the family',
  leak: 'no lock leak',
  integrity: 'integrity_check ok',
  immediate: 'BEGIN IMMEDIATE + busy_timeout',
  rotation: 'no lost rotation',
  code: 'exit code 0',
  handle: 'no open handle keeps process alive',
} as const

/** A point that no process reaches. */
const NOWHERE: CrashPoint = { at: 'rotate', when: 'before', nth: -1 }

/** A rotation has fewer statements than this. */
const MOST_STATEMENTS = 20

/** How long the load runs before and after the fault, in milliseconds, and its clients. */
const LOAD = 400
const CLIENTS = 16

function firstOf({ environment }: Attacker): AppProcess {
  const [first] = environment.processes
  if (first === undefined) throw new Unsupported('no process to end')
  return first
}

/** Kills the process at one point of a refresh. Returns whether it reached that point. */
async function crashAt(point: CrashPoint, attacker: Attacker): Promise<boolean> {
  const first = firstOf(attacker)
  const login = await attacker.login('bob')
  await first.arm(point)
  const exchange = await attacker.tryRequest(toRefreshIntent(login.refresh))
  const patience = exchange.response.status === 200 ? 100 : 3_000
  await Promise.race([first.ended, pause(patience, undefined, { ref: false })])
  const crashed = first.killed
  if (crashed) await first.start()
  else await first.arm(NOWHERE)
  const place = `${point.when} ${point.at} ${point.nth ?? ''}`.trim()
  await checkReturn(login, place, attacker)
  return crashed
}

/** After the crash, the client refreshes with the token that it still has. */
async function checkReturn(login: Login, place: string, attacker: Attacker): Promise<void> {
  const { locked, successor } = CRASH_SENTENCES
  const first = await attacker.tryRequest(toRefreshIntent(login.refresh))
  attacker.record(locked, first.response.status === 200, `${place}: ${toShort(first)}`)
  if (first.response.status !== 200) return
  const next = attacker.toLogin('bob', first)
  const second = await attacker.tryRequest(toRefreshIntent(login.refresh))
  const same = second.response.status === 200 && attacker.toLogin('bob', second).refresh === next.refresh
  attacker.record(successor, same, `${place}: another successor, ${toShort(second)}`)
  const row = await attacker.target.store.get(login.sid)
  const one = row?.gen === 1 && generationOf(next.refresh) === 1 && row.revokedAt === null
  attacker.record(successor, one, `${place}: generation ${row?.gen} of 1, ${row?.revokeReason ?? 'live'}`)
  const onwards = await attacker.tryRequest(toRefreshIntent(next.refresh))
  attacker.record(locked, onwards.response.status === 200, `${place}: the successor gets ${toShort(onwards)}`)
}

/** The `sweep` step: crashes at each statement of a refresh, and around its calls. */
export async function sweepCrashes(attacker: Attacker): Promise<void> {
  const before = new Set(
    (await attacker.target.store.list({ sub: 'bob', realm: null }, null)).map(({ sid }) => sid),
  )
  let crashes = 0
  for (const when of ['before', 'after'] as const) {
    for (let nth = 1; nth <= MOST_STATEMENTS; nth++) {
      if (!(await crashAt({ at: 'statement', when, nth }, attacker))) break
      crashes += 1
    }
    for (const at of ['rotate', 'response'] as const) {
      if (await crashAt({ at, when }, attacker)) crashes += 1
      else attacker.findings.set('control', `no crash ${when} ${at}`)
    }
  }
  if (crashes < 6) attacker.findings.set('control', `only ${crashes} crashes`)
  attacker.findings.set('crashes', crashes)
  const rows = (await attacker.target.store.list({ sub: 'bob', realm: null }, null)).filter(
    ({ sid }) => !before.has(sid),
  )
  // Each of the two loops over statements ends with a login that did not crash.
  const expected = crashes + 2
  attacker.record(
    CRASH_SENTENCES.orphan,
    rows.length === expected,
    `${rows.length} rows of ${expected} logins`,
  )
}

/** The `restart` step. */
export async function restart(attacker: Attacker): Promise<void> {
  const first = firstOf(attacker)
  await first.end('SIGKILL')
  await first.start()
}

/** A client that logs in and refreshes. The tokens that it holds at the end must still work. */
interface Client {
  held: Login | undefined
  statuses: number[]
}

/** Clients at work. */
interface Load {
  /** How many refreshes have succeeded. */
  readonly refreshes: number
  stop(): Promise<Client[]>
}

function startLoad(ports: () => readonly number[], attacker: Attacker): Load {
  let running = true
  let refreshes = 0
  async function run(index: number): Promise<Client[]> {
    const clients: Client[] = []
    while (running) {
      const port = ports()[index % ports().length]
      const opened = await attacker.tryRequest(toLoginIntent('bob'), port)
      if (opened.response.status !== 200) {
        clients.push({ held: undefined, statuses: [opened.response.status] })
        await pause(20)
        continue
      }
      const client: Client = { held: attacker.toLogin('bob', opened), statuses: [] }
      clients.push(client)
      const exchange = await attacker.tryRequest(toRefreshIntent(client.held?.refresh ?? ''), port)
      client.statuses.push(exchange.response.status)
      if (exchange.response.status !== 200) continue
      client.held = attacker.toLogin('bob', exchange)
      refreshes += 1
    }
    return clients
  }
  const runs = Array.from({ length: CLIENTS }, (_, index) => run(index))
  return {
    get refreshes() {
      return refreshes
    },
    async stop() {
      running = false
      return (await Promise.all(runs)).flat()
    },
  }
}

/** Sends SIGTERM to the application under load. */
export async function terminate(attacker: Attacker): Promise<void> {
  const first = firstOf(attacker)
  const load = startLoad(() => [first.port], attacker)
  // A busy machine takes longer than LOAD until the application is in the middle of its work.
  await Promise.all([pause(LOAD), until(() => load.refreshes >= CLIENTS, 20, 'refreshes under load')])
  const { code, signal, seconds } = await Promise.race([
    first.end('SIGTERM'),
    pause(10_000, { code: null, signal: null, seconds: 10 }, { ref: false }),
  ])
  const clients = await load.stop()
  const { code: exit, handle, rotation } = CRASH_SENTENCES
  attacker.record(exit, code === 0, `it ended with ${code ?? signal}`)
  attacker.record(handle, code !== null && seconds < 10, `it runs after ${seconds} s`)
  const odd = clients.flatMap(({ statuses }) => statuses).find((status) => ![200, 503, 0].includes(status))
  attacker.record(rotation, odd === undefined, `a refresh under load gets ${odd}`)
  attacker.findings.set('clients', clients)
  attacker.notes.push(`${load.refreshes} refreshes before SIGTERM, ended after ${seconds.toFixed(1)} s`)
}

/** After the restart, each client refreshes with the token that it holds. */
export async function checkRotations(attacker: Attacker): Promise<void> {
  const clients = attacker.findings.get('clients') as Client[] | undefined
  attacker.findings.delete('clients')
  await firstOf(attacker).start()
  // The clients that lost their connection, and the last clients.
  const cutOff = (clients ?? []).filter(({ statuses }) => statuses.includes(0))
  for (const { held } of [...cutOff, ...(clients ?? []).slice(-100)]) {
    if (held === undefined) continue
    const exchange = await attacker.tryRequest(toRefreshIntent(held.refresh))
    const { status } = exchange.response
    attacker.record(CRASH_SENTENCES.rotation, status === 200, `a client comes back: ${toShort(exchange)}`)
  }
}

/** Kills one of the processes that share a file, in a transaction and with all under load. */
export async function killInTransaction(attacker: Attacker): Promise<void> {
  const { processes } = attacker.environment
  const victim = processes.at(-1)
  if (victim === undefined) throw new Unsupported('no process to end')
  const others = processes.slice(0, -1)
  const load = startLoad(() => processes.map(({ port }) => port), attacker)
  await pause(LOAD)
  await victim.arm({ at: 'statement', when: 'before', word: 'commit' })
  const died = await Promise.race([victim.ended.then(() => true), pause(5_000, false, { ref: false })])
  if (!died) attacker.findings.set('control', 'no process died in a transaction')
  await pause(LOAD)
  const statuses = (await load.stop()).flatMap((client) => client.statuses)
  const { leak } = CRASH_SENTENCES
  const odd = statuses.find((status) => ![200, 503, 0].includes(status))
  attacker.record(leak, odd === undefined, `a response under load: ${odd}`)
  const count = (wanted: number) => statuses.filter((status) => status === wanted).length
  attacker.notes.push(
    `${processes.length} processes: ${count(200)} calls got 200, ${count(503)} got 503, ${count(0)} got no response`,
  )
  for (const { port } of others) await checkWriter(port, attacker)
}

/** A process can write: a login and a refresh succeed. */
async function checkWriter(port: number, attacker: Attacker): Promise<void> {
  const opened = await attacker.tryRequest(toLoginIntent('bob'), port)
  const { leak } = CRASH_SENTENCES
  attacker.record(leak, opened.response.status === 200, `a login afterwards: ${toShort(opened)}`)
  if (opened.response.status !== 200) return
  const { refresh } = attacker.toLogin('bob', opened)
  const exchange = await attacker.tryRequest(toRefreshIntent(refresh), port)
  attacker.record(leak, exchange.response.status === 200, `a refresh afterwards: ${toShort(exchange)}`)
}

/** Checks the file and its lock after one of the processes was killed. */
export async function checkFile(attacker: Attacker): Promise<void> {
  const { processes, connection, server } = attacker.environment
  const victim = processes.at(-1)
  if (victim === undefined || connection === undefined || server === undefined)
    throw new Unsupported('no file that processes share')
  await victim.start()
  await checkWriter(victim.port, attacker)
  const { integrity } = CRASH_SENTENCES
  const check = JSON.stringify(await connection.command('PRAGMA integrity_check'))
  attacker.record(integrity, check === '[{"integrity_check":"ok"}]', check)
  const checkpoint = async () => {
    const result = JSON.stringify(await connection.command('PRAGMA wal_checkpoint(TRUNCATE)').catch(String))
    return result.includes('"busy":0')
  }
  const checked = await until(checkpoint, 5, 'a checkpoint').then(
    () => true,
    () => false,
  )
  attacker.record(integrity, checked, 'the write-ahead log cannot be truncated')
  await checkLocking(attacker)
}

/** A transaction takes the write lock at once, and waiting for it does not block the process. */
async function checkLocking(attacker: Attacker): Promise<void> {
  const { server, connection, namespace } = attacker.environment
  if (server === undefined || connection === undefined || namespace === undefined) return
  const { immediate } = CRASH_SENTENCES
  const [login, traceable] = [await attacker.login('bob'), await attacker.login('bob')]
  const texts: string[] = []
  const traced = await connectStore(server.address, {
    namespace,
    onStatement: (sql, when) =>
      void (when === 'before' && texts.push(sql.replace(/\/\*.*?\*\//g, '').trim())),
  })
  const call = { overlap: 30, idle: 60, rotation: true, logTtl: 60, now: null, notAfter: null, seen: null }
  texts.length = 0
  await traced.store.rotate({ ...call, sid: traceable.sid, gen: 0 })
  await traced.close()
  attacker.record(immediate, /^begin immediate/i.test(texts[0] ?? ''), `a rotation begins with '${texts[0]}'`)
  await connection.command('begin immediate')
  const started = performance.now()
  const waiting = attacker.tryRequest(toRefreshIntent(login.refresh))
  const aside = await attacker.tryRequest(toBearerIntent(login.access, '/stateless'))
  await pause(LOAD)
  await connection.command('commit')
  const waited = await waiting
  const prompt = aside.response.status === 200 && aside.response.elapsed < LOAD
  attacker.record(immediate, prompt, `while a refresh waits, another request gets ${toShort(aside)}`)
  const held = waited.response.status === 200 && performance.now() - started >= LOAD
  attacker.record(immediate, held, `a refresh that waits for the lock gets ${toShort(waited)}`)
}
