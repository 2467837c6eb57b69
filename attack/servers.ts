/**
 * Store servers that the attacks may stop, kill and restart: Redis, PostgreSQL and MariaDB on free
 * ports and in temporary folders, and SQLite as a file. If the machine lacks a program, the cases
 * that need it are skipped, with the reason.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Client } from 'pg'
import { Absent, Unsupported } from './values.ts'

/** The kinds of stores outside memory. */
export type ServerKind = 'redis' | 'redis-snapshots' | 'postgres' | 'mysql' | 'sqlite'

/** Where a store is: plain data, for other processes. */
export interface Address {
  readonly kind: ServerKind
  /** The port on 127.0.0.1; 0 for a file. */
  readonly port: number
  /** The file of SQLite. */
  readonly file: string
}

/** A server that can be broken and healed. */
export interface StoreServer {
  readonly address: Address
  /** Sends SIGSTOP to all of its processes. */
  stop(): void
  /** Sends SIGKILL to all of its processes. Resolves when they have ended. */
  kill(): Promise<void>
  /** Resumes it if it is stopped, or starts it again. */
  heal(): Promise<void>
  /** Ends it and removes its folder. */
  close(): Promise<void>
}

/** How a kind of server is started. */
interface Recipe {
  /** The program, or undefined if this machine lacks it. */
  readonly program: () => string | undefined
  /** The user who runs it if we are root, as it refuses to run as root. */
  readonly user?: string
  /** Prepares an empty folder. */
  readonly prepare?: (folder: string, run: (program: string, ...args: string[]) => void) => void
  readonly args: (folder: string, port: number) => readonly string[]
  /** Whether it is ready, if it accepts connections earlier. */
  readonly isReady?: (port: number) => Promise<boolean>
}

function find(...paths: readonly string[]): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(':')
  return paths.flatMap((path) => folders.map((folder) => join(folder, path))).find((path) => existsSync(path))
}

/** A program of the newest PostgreSQL. On Debian they are not in the path. */
function findPostgres(name: string): string | undefined {
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : []
  return (
    versions.map((version) => join(root, version, 'bin', name)).find((path) => existsSync(path)) ?? find(name)
  )
}

const redis = (...more: readonly string[]): Recipe => ({
  program: () => find('redis-server'),
  args: (folder, port) => ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder, ...more],
})

const RECIPES: Readonly<Record<Exclude<ServerKind, 'sqlite'>, Recipe>> = {
  redis: redis('--save', '', '--appendonly', 'yes', '--appendfsync', 'always'),
  // The defaults of a Redis without a configuration.
  'redis-snapshots': redis('--save', '3600 1 300 100 60 10000', '--appendonly', 'no'),
  postgres: {
    program: () => findPostgres('postgres'),
    user: 'postgres',
    prepare: (folder, run) =>
      run(findPostgres('initdb') ?? '', '-D', join(folder, 'data'), '-A', 'trust', '-U', 'postgres', '-N'),
    args: (folder, port) => {
      const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=']
      return ['-D', join(folder, 'data'), ...settings.flatMap((setting) => ['-c', setting])]
    },
    // While it recovers from a kill, it accepts connections but refuses logins.
    isReady: acceptsQueries,
  },
  mysql: {
    program: () => find('mariadbd', '../sbin/mariadbd', 'mysqld', '../sbin/mysqld'),
    user: 'mysql',
    prepare: (folder, run) => {
      const install = find('mariadb-install-db')
      if (install === undefined) throw new Absent('no mariadb-install-db program here')
      const flags = ['--auth-root-authentication-method=normal', '--skip-test-db', '--skip-name-resolve']
      run(install, '--no-defaults', `--datadir=${join(folder, 'data')}`, `--tmpdir=${folder}`, ...flags)
    },
    args: (folder, port) => [
      '--no-defaults',
      `--datadir=${join(folder, 'data')}`,
      // A server deletes all temporary tables in this folder at its start, so no two may share it.
      `--tmpdir=${folder}`,
      `--socket=${join(folder, 'socket')}`,
      `--pid-file=${join(folder, 'pid')}`,
      `--port=${port}`,
      '--bind-address=127.0.0.1',
      '--skip-name-resolve',
    ],
  },
}

/** The ids of a user of this machine. */
function findUser(name: string): { readonly uid: number; readonly gid: number } | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((text) => text.startsWith(`${name}:`))
  const [, , uid, gid] = line?.split(':') ?? []
  return uid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) }
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

/** Waits until a condition holds. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  seconds: number,
  what: string,
): Promise<void> {
  const end = performance.now() + seconds * 1000
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${seconds} s`)
    await pause(20)
  }
}

async function acceptsQueries(port: number): Promise<boolean> {
  const client = new Client({ host: '127.0.0.1', port, user: 'postgres', database: 'postgres' })
  client.on('error', () => undefined)
  return client.connect().then(
    () => client.end().then(() => true),
    () => false,
  )
}

function acceptsConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

/** The ids of a process and its children. */
function family(pid: number): number[] {
  const children = spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' }).stdout
  return [pid, ...(children ?? '').split('\n').map(Number).filter(Boolean)]
}

function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name)
    } catch {
      // It has ended already.
    }
  }
}

/** Starts a server. Throws `Absent` if this machine lacks the program. */
export async function startServer(kind: ServerKind): Promise<StoreServer> {
  if (kind !== 'sqlite' && !Object.hasOwn(RECIPES, kind)) throw new Unsupported(`unknown store ${kind}`)
  const folder = mkdtempSync(join(tmpdir(), `attack-${kind}-`))
  if (kind === 'sqlite') return toFile(folder)
  const { program: look, user, prepare, args, isReady = acceptsConnections } = RECIPES[kind]
  const program = look()
  if (program === undefined) throw new Absent(`no ${kind.split('-')[0]} server program on this machine`)
  const other = process.getuid?.() === 0 && user !== undefined ? findUser(user) : undefined
  if (other !== undefined) chownSync(folder, other.uid, other.gid)
  prepare?.(folder, (tool, ...flags) => {
    const { status, stderr } = spawnSync(tool, flags, { ...other, encoding: 'utf8', cwd: folder })
    if (status !== 0) throw new Absent(`${tool} failed: ${String(stderr).slice(-300)}`)
  })
  const port = await freePort()
  let child: ChildProcess
  const isAlive = () => child.exitCode === null && child.signalCode === null
  async function launch(): Promise<void> {
    child = spawn(program ?? '', args(folder, port), { ...other, stdio: 'ignore', cwd: folder })
    await until(() => isReady(port), 20, `start of ${kind}`)
  }
  async function kill(): Promise<void> {
    if (!isAlive()) return
    const pids = family(child.pid ?? 0)
    const ended = new Promise((resolve) => child.once('exit', resolve))
    signal(pids, 'SIGKILL')
    await ended
    await until(() => pids.every((pid) => !existsSync(`/proc/${pid}`)), 5, `end of ${kind}`)
  }
  const cleanUp = () => {
    if (isAlive()) signal(family(child.pid ?? 0), 'SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
  // Also if the runner ends early.
  process.once('exit', cleanUp)
  await launch()
  return {
    address: { kind, port, file: '' },
    stop: () => signal(family(child.pid ?? 0), 'SIGSTOP'),
    kill,
    async heal() {
      if (isAlive()) signal(family(child.pid ?? 0), 'SIGCONT')
      else await launch()
    },
    async close() {
      await kill()
      process.off('exit', cleanUp)
      cleanUp()
    },
  }
}

function toFile(folder: string): StoreServer {
  const file = join(folder, 'data')
  mkdirSync(file)
  return {
    address: { kind: 'sqlite', port: 0, file: join(file, 'sessions.db') },
    stop() {
      throw new Unsupported('a file cannot be stopped')
    },
    kill: async () => undefined,
    heal: async () => undefined,
    close: async () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** The servers of one run. Each starts with its first use, and is healed before the next one. */
export class Servers {
  readonly #started = new Map<ServerKind, Promise<StoreServer>>()

  /** A working server. Throws `Absent` if this machine lacks the program. */
  async get(kind: ServerKind): Promise<StoreServer> {
    const started = this.#started.get(kind) ?? startServer(kind)
    this.#started.set(kind, started)
    const server = await started
    await server.heal()
    return server
  }

  async close(): Promise<void> {
    for (const started of this.#started.values())
      await started.then((server) => server.close()).catch(() => {})
  }
}
