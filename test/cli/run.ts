/** Runs the built `tokenwright` command as its users run it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { StoreSpec } from '../processes/node/connect.ts'

export const ROOT: string = fileURLToPath(new URL('../..', import.meta.url))

/** The built command. */
export const PROGRAM: string = fileURLToPath(new URL('../../dist/esm/cli.js', import.meta.url))

/** How a command ended. */
export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A command that runs. */
export interface Run {
  readonly child: ChildProcess
  /** What it has printed so far. */
  printed(): string
  readonly ended: Promise<Ended>
}

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
}

/** Starts a command. */
export function start(args: readonly string[], { cwd = ROOT, env = {}, input }: RunOptions = {}): Run {
  const own = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(?:TOKENWRIGHT_|DATABASE_URL$|REDIS_URL$)/.test(name)),
  )
  const child = spawn(process.execPath, ['--no-warnings', PROGRAM, ...args], {
    cwd,
    env: { ...own, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  child.stdin?.end(input)
  const text = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.setEncoding('utf8').on('data', (part: string) => {
      text[name] += part
    })
  const ended = new Promise<Ended>((resolve) =>
    child.once('close', (code) =>
      resolve({ code, stdout: text.stdout.trimEnd(), stderr: text.stderr.trimEnd() }),
    ),
  )
  return { child, printed: () => text.stdout, ended }
}

/** Runs a command to its end. */
export const run = (args: readonly string[], options?: RunOptions): Promise<Ended> =>
  start(args, options).ended

/** The URL of a store, as the command takes it. */
export function toUrl(spec: StoreSpec): string {
  if (spec.kind === 'sqlite') return `sqlite:${spec.name}`
  if (spec.kind === 'redis') return `redis://127.0.0.1:${spec.port}`
  if (spec.kind === 'mysql') return `mysql://root@127.0.0.1:${spec.port}/${spec.name}`
  if (spec.kind !== 'postgres') throw new Error(`no URL names a store of the kind ${spec.kind}`)
  const { user, port, database, name } = spec
  return `postgres://${user}@127.0.0.1:${port}/${database}?options=-csearch_path%3D${name}`
}
