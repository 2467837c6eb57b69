/**
 * Runs the built server in its own process and folder, and talks to it over real HTTP. Also runs
 * short scripts in several processes at the same moment.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** The repository's root. */
export const ROOT: string = new URL('../..', import.meta.url).pathname

/** From Node 22 on, the server uses Node's own SQLite, which prints that it is experimental. */
const SERVER = [
  process.execPath,
  '--disable-warning=ExperimentalWarning',
  join(ROOT, 'server/dist/main.js'),
] as const

/** A process that has ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A running server. */
export interface RunningServer {
  readonly child: ChildProcess
  /** Without a slash at the end. */
  readonly url: string
  readonly port: number
  /** What it has printed so far. */
  stdout(): string
  stderr(): string
  /** Sends a signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<Ended>
  readonly ended: Promise<Ended>
}

/** Creates a folder that is removed after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tokenwright-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The test runner's own variables must not reach the server, above all `NODE_ENV`. */
function environment(env: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], HOME: process.env['HOME'], PORT: '0', ...env }
}

/** Starts a process and collects what it prints. */
function launch(command: readonly string[], cwd: string, env: Readonly<Record<string, string>>) {
  const [program = '', ...args] = command
  const child = spawn(program, args, { cwd, env: environment(env), stdio: ['ignore', 'pipe', 'pipe'] })
  const printed = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      printed[stream] += text
    })
  }
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal, ...printed }))
  })
  return { child, printed, ended }
}

/** Runs the server until it ends by itself, as it does with a bad setting. */
export async function runServer(
  env: Readonly<Record<string, string>>,
  cwd = temporaryFolder(),
  args: readonly string[] = [],
): Promise<Ended> {
  const { child, ended } = launch([...SERVER, ...args], cwd, env)
  const timer = setTimeout(() => child.kill('SIGKILL'), 5000)
  const result = await ended
  clearTimeout(timer)
  return result
}

/**
 * Starts the server and waits until it has said everything it says at start. It is stopped after
 * the test.
 */
export async function startServer(
  env: Readonly<Record<string, string>> = {},
  cwd: string = temporaryFolder(),
  command: readonly string[] = SERVER,
): Promise<RunningServer> {
  return spawnServer(env, cwd, command, onTestFinished)
}

/** Starts the server for several tests. Whoever starts it stops it. */
export async function spawnServer(
  env: Readonly<Record<string, string>>,
  cwd: string,
  command: readonly string[] = SERVER,
  onEnd: (stop: () => void) => void = () => undefined,
): Promise<RunningServer> {
  const { child, printed, ended } = launch(command, cwd, env)
  onEnd(() => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
  })
  const ready = new Promise<string>((resolve, reject) => {
    child.stdout.on('data', () => {
      const url = /listens on (http:\/\/\S+)[\s\S]*\nSecret: .*\n/.exec(printed.stdout)?.[1]
      if (url) resolve(url)
    })
    void ended.then(
      ({ code, stderr }) => reject(new Error(`the server ended with ${code}: ${stderr}`)),
      reject,
    )
  })
  const url = await ready
  return {
    child,
    url,
    port: Number(new URL(url).port),
    stdout: () => printed.stdout,
    stderr: () => printed.stderr,
    ended,
    stop(signal = 'SIGTERM') {
      child.kill(signal)
      return ended
    },
  }
}

/**
 * Runs a script in several processes at the same moment.
 *
 * @param module the file of `server/` whose address the script gets as `process.argv[1]`
 * @returns what each printed
 */
export async function runAtOnce(
  count: number,
  script: string,
  module: string,
  cwd: string,
): Promise<string[]> {
  const file = join(ROOT, 'server/dist', `${module}.js`)
  const command = [process.execPath, '--input-type=module', '--eval', script, file]
  const results = await Promise.all(Array.from({ length: count }, () => launch(command, cwd, {}).ended))
  for (const { code, stderr } of results) if (code !== 0) throw new Error(stderr)
  return results.map((result) => result.stdout)
}
