/**
 * Database servers of the tests' own, on free ports and in folders of their own, which may be stopped, killed and started again. Where a
 * program is missing, the tests skip and say so.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { connect as openSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Kysely, MysqlDialect, PostgresDialect } from 'kysely'
import { createPool } from 'mysql2'
import { Pool } from 'pg'
import { migrateSql } from '../../src/stores/sql.ts'
import type { StoreSpec } from '../processes/node/connect.ts'
import { freePort, HAS_REDIS, insist, reapWithUs, startRedis } from '../stores/redis-server.ts'

/** A server. */
export interface OwnServer {
  readonly port: number
  /** A store in it, reached through some port. */
  toSpec(port: number): StoreSpec
  /** Freezes it, with all of its processes. */
  freeze(): void
  /** Lets it go on. */
  thaw(): void
  /** Ends it by SIGKILL. */
  kill(): Promise<void>
  /** Starts it again, on the same port and folder. */
  restart(): Promise<void>
  /** Ends it and removes its folder. */
  close(): Promise<void>
}

const POSTGRES_FOLDER = '/usr/lib/postgresql'

/** Where PostgreSQL's programs are; null for nowhere. */
export const POSTGRES: string | null = (() => {
  if (!existsSync(POSTGRES_FOLDER)) return null
  const versions = readdirSync(POSTGRES_FOLDER).map((version) => join(POSTGRES_FOLDER, version, 'bin'))
  return versions.findLast((folder) => existsSync(join(folder, 'initdb'))) ?? null
})()

/** Where MariaDB's programs are; null for nowhere. */
export const MARIADB: readonly [string, string] | null =
  existsSync('/usr/sbin/mariadbd') && existsSync('/usr/bin/mariadb-install-db')
    ? ['/usr/sbin/mariadbd', '/usr/bin/mariadb-install-db']
    : null

/** What can be started. */
export const HAS_OWN: Readonly<Record<'redis' | 'postgres' | 'mysql', boolean>> = {
  redis: HAS_REDIS,
  postgres: POSTGRES !== null,
  mysql: MARIADB !== null,
}
for (const [name, here] of Object.entries(HAS_OWN)) {
  if (!here) console.error(`\n!!! no ${name} program on this machine: its outages are NOT TESTED\n`)
}

/** Runs a program to its end; others go on meanwhile. Rejects where it fails. */
export const run = promisify(execFile)

/** Servers refuse to run as root. */
export function toUser(name: string): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {}
  const read = (flag: string): number => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }))
  return { uid: read('-u'), gid: read('-g') }
}

/** The process of a child. One that did not start has none, and signals to 0 or -1 would reach us, or everybody. */
function toPid({ pid, spawnfile }: ChildProcess): number {
  if (pid === undefined) throw new Error(`${spawnfile} did not start`)
  return pid
}

/** A process and its children. */
function toFamily(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return [pid, ...children.split(' ').filter(Boolean).map(Number)]
}

/** Sends a signal to those that are still there. */
function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name)
    } catch {
      // It has ended by itself.
    }
  }
}

/** Waits until a port accepts connections. */
async function waitForPort(port: number): Promise<void> {
  const end = Date.now() + 30_000
  const tries = (): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = openSocket({ port, host: '127.0.0.1' })
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
  while (!(await tries())) {
    if (Date.now() > end) throw new Error('The server did not come up')
    await pause(20)
  }
}

/** How to start a database in a folder. */
interface Program {
  readonly user: { readonly uid?: number; readonly gid?: number }
  readonly folder: string
  readonly port: number
  readonly command: readonly [string, ...string[]]
  toSpec(port: number): StoreSpec
  /** Waits until it answers queries. */
  ready(): Promise<void>
}

async function launch({ user, folder, port, command, toSpec, ready }: Program): Promise<OwnServer> {
  let child: ChildProcess
  let family: number[] = []
  const [program, ...args] = command
  const restart = async (): Promise<void> => {
    child = spawn(program, args, { ...user, stdio: 'ignore' })
    reapWithUs(child, folder)
    await waitForPort(port)
    await ready()
  }
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    signal(toFamily(toPid(child)), 'SIGKILL')
    await ended
  }
  await restart()
  return {
    port,
    toSpec,
    freeze() {
      const pid = toPid(child)
      // The parent first: it must start no child that would not be frozen.
      signal([pid], 'SIGSTOP')
      family = toFamily(pid)
      signal(family, 'SIGSTOP')
    },
    thaw: () => signal(family, 'SIGCONT'),
    kill,
    restart,
    async close() {
      await kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export function makeFolder(user: Program['user']): string {
  const folder = mkdtempSync(join(tmpdir(), 'tokenwright-own-'))
  if (user.uid !== undefined && user.gid !== undefined) chownSync(folder, user.uid, user.gid)
  return folder
}

async function startPostgres(): Promise<OwnServer> {
  const user = toUser('postgres')
  const folder = makeFolder(user)
  const port = await freePort()
  const bin = POSTGRES ?? ''
  const data = join(folder, 'data')
  const init = ['-D', data, '-A', 'trust', '-U', 'root', '--no-sync', '--no-locale', '-E', 'UTF8']
  await run(join(bin, 'initdb'), init, { ...user, cwd: folder })
  const address = { host: '127.0.0.1', port, user: 'root', database: 'postgres' }
  const server = await launch({
    user,
    folder,
    port,
    command: [join(bin, 'postgres'), '-D', data, '-p', String(port), '-k', folder, '-h', '127.0.0.1'],
    toSpec: (reached) => ({
      kind: 'postgres',
      name: 'public',
      port: reached,
      user: 'root',
      database: 'postgres',
    }),
    async ready() {
      await insist(async () => {
        const probe = new Pool({ ...address, max: 1 })
        await probe.query('select 1').finally(() => probe.end())
      })
    },
  })
  const db = new Kysely({ dialect: new PostgresDialect({ pool: new Pool(address) }) })
  await migrateSql(db)
  await db.destroy()
  return server
}

/**
 * Makes the system tables of MariaDB in the folder `data` of a folder. A server that starts clears
 * its folder for temporary tables: in a shared one, those of others too.
 */
export async function installMariadb(folder: string): Promise<void> {
  const [, install] = MARIADB ?? ['', '']
  const options = [`--datadir=${join(folder, 'data')}`, `--tmpdir=${folder}`]
  await run(install, ['--no-defaults', ...options, '--auth-root-authentication-method=normal'], {
    ...toUser('mysql'),
    cwd: folder,
  })
}

async function startMariadb(...more: string[]): Promise<OwnServer> {
  const user = toUser('mysql')
  const folder = makeFolder(user)
  const port = await freePort()
  const [program] = MARIADB ?? ['']
  const data = join(folder, 'data')
  const quick = [
    '--no-defaults',
    `--datadir=${data}`,
    `--tmpdir=${folder}`,
    '--innodb-flush-log-at-trx-commit=1',
  ]
  await installMariadb(folder)
  const address = { host: '127.0.0.1', port, user: 'root' }
  const ask = async (text: string): Promise<void> => {
    const pool = createPool({ ...address, connectionLimit: 1 }).promise()
    await pool.query(text).finally(() => pool.end())
  }
  const server = await launch({
    user,
    folder,
    port,
    command: [
      program,
      ...quick,
      `--port=${port}`,
      `--socket=${join(folder, 'socket')}`,
      `--pid-file=${join(folder, 'pid')}`,
      '--bind-address=127.0.0.1',
      '--skip-name-resolve',
      ...more,
    ],
    toSpec: (reached) => ({ kind: 'mysql', name: 'sessions', port: reached }),
    ready: () => insist(() => ask('select 1')),
  })
  await ask('create database sessions')
  const pool = createPool({ ...address, database: 'sessions', connectionLimit: 1 })
  const db = new Kysely({ dialect: new MysqlDialect({ pool }) })
  await migrateSql(db)
  await db.destroy()
  return server
}

async function startOwnRedis(): Promise<OwnServer> {
  // `everysec` puts a write off while the disk is busy, and a kill then loses what was acknowledged: that is Redis' promise, not ours.
  const server = await startRedis('--appendonly', 'yes', '--appendfsync', 'always')
  return {
    port: server.port,
    toSpec: (port) => ({ kind: 'redis', port }),
    freeze: () => signal([server.pid], 'SIGSTOP'),
    thaw: () => signal([server.pid], 'SIGCONT'),
    kill: () => server.kill(),
    restart: () => server.restart(),
    close: () => server.close(),
  }
}

/** Starts a server with an empty store in it. @param more further options of MariaDB */
export function startOwn(kind: 'redis' | 'postgres' | 'mysql', ...more: string[]): Promise<OwnServer> {
  if (kind === 'redis') return startOwnRedis()
  return kind === 'postgres' ? startPostgres() : startMariadb(...more)
}
