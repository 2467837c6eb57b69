/**
 * Starts, kills and restarts processes of the application that share one store. What they print is
 * captured, so that the search for leaked secrets covers it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { CrashPoint, Order, ProcessSettings, Report } from './process-main.ts'
import { HOME } from './root.ts'
import { Unsupported } from './values.ts'

/** How a process ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** The time since the signal, in seconds. */
  readonly seconds: number
}

/** One process of the application. */
export interface AppProcess {
  /** Where it listens now. Each start has another port. */
  readonly port: number
  /** Tells it where to kill itself. */
  arm(point: CrashPoint): Promise<void>
  /** Resolves when it has ended. */
  readonly ended: Promise<unknown>
  /** Whether it was ended by SIGKILL. */
  readonly killed: boolean
  /** Sends a signal and waits until it has ended. */
  end(signal: NodeJS.Signals): Promise<Ended>
  /** Starts it again if it does not run. */
  start(): Promise<void>
}

/** How long to wait for a message of a process, in milliseconds. */
const PATIENCE = 20_000

function findProgram(): string {
  const file = join(HOME, 'dist', 'process-main.js')
  if (!existsSync(file)) throw new Unsupported('several processes: the runner is not built')
  return file
}

function waitFor<K extends Report['kind']>(
  child: ChildProcess,
  kind: K,
): Promise<Extract<Report, { kind: K }>> {
  return new Promise((resolve, reject) => {
    let printed = ''
    const onPrint = (bytes: unknown) => {
      printed += String(bytes)
    }
    const onEnd = (code: number | null) =>
      finish(() => reject(new Error(`a process ended with ${code}: ${printed.slice(-500)}`)))
    const onMessage = (message: Report) => {
      if (message.kind === kind) finish(() => resolve(message as Extract<Report, { kind: K }>))
    }
    const late = setTimeout(
      () => finish(() => reject(new Error(`a process did not send '${kind}'`))),
      PATIENCE,
    )
    function finish(done: () => void): void {
      clearTimeout(late)
      child.off('close', onEnd)
      child.off('message', onMessage)
      child.stderr?.off('data', onPrint)
      done()
    }
    child.once('close', onEnd)
    child.on('message', onMessage)
    child.stderr?.on('data', onPrint)
  })
}

/** Starts one process. */
export async function startProcess(settings: ProcessSettings, output: string[]): Promise<AppProcess> {
  const program = findProgram()
  let child: ChildProcess
  let port = 0
  const isAlive = () => child.exitCode === null && child.signalCode === null
  const order = (message: Order) => void child.send(message)

  async function launch(): Promise<void> {
    // Warnings of the runtime are not output of the application.
    const args = ['--disable-warning=ExperimentalWarning', program]
    child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (bytes) => output.push(String(bytes)))
    const listening = waitFor(child, 'listening')
    order({ kind: 'start', settings })
    try {
      port = (await listening).port
    } catch (error) {
      child.kill('SIGKILL')
      throw error
    }
  }
  await launch()
  return {
    get port() {
      return port
    },
    async arm(point) {
      const armed = waitFor(child, 'armed')
      order({ kind: 'crash', point })
      await armed
    },
    get ended() {
      return isAlive() ? once(child, 'exit') : Promise.resolve()
    },
    get killed() {
      return child.signalCode === 'SIGKILL'
    },
    async end(signal) {
      const started = performance.now()
      if (isAlive()) {
        const exit = once(child, 'exit')
        child.kill(signal)
        await exit
      }
      const { exitCode: code, signalCode } = child
      return { code, signal: signalCode, seconds: (performance.now() - started) / 1000 }
    },
    async start() {
      if (!isAlive()) await launch()
    },
  }
}
