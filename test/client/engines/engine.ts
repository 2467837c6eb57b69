/**
 * What the browser suite uses of a browser: tabs, each a window of its own and never in the
 * background, and a script in a tab. Whoever visits is told apart by the address of the page, so
 * one process serves all cases (`visitor.ts`).
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** One tab. */
export interface Tab {
  /** Runs a function in the page and waits for it. What goes in and comes out is JSON. */
  evaluate<T, A>(run: (argument: A) => T | Promise<T>, argument: A): Promise<T>
  evaluate<T>(run: () => T | Promise<T>): Promise<T>
  /** Loads an address and waits for it. */
  navigate(url: string): Promise<void>
  /** Goes back by one page, and does not wait. */
  back(): Promise<void>
  close(): Promise<void>
}

/** A running browser. */
export interface Browser {
  open(): Promise<Tab>
  close(): Promise<void>
}

/** A kind of browser. */
export interface Engine {
  readonly name: 'Chromium' | 'Firefox' | 'WebKit'
  /** The programs that it needs; undefined for one that this machine lacks. */
  readonly programs: readonly (string | undefined)[]
  /** The Debian packages that bring them. */
  readonly packages: string
  /** Whether it takes cookies for HTTPS over HTTP from this machine (WebKit does not). */
  readonly takesSecureCookies: boolean
  /** @param settings engine-specific preferences, such as Firefox's */
  launch(settings?: Readonly<Record<string, number | boolean>>): Promise<Browser>
}

/** Whether this machine has the engine. Says loudly when it has not. */
export function isInstalled({ name, programs, packages }: Engine): boolean {
  if (programs.every(Boolean)) return true
  console.error(
    `\n!!! no ${name} on this machine: the client in ${name} is SKIPPED (apt install ${packages})\n`,
  )
  return false
}

/** The first of these files that exists. */
export function findProgram(...paths: readonly string[]): string | undefined {
  return paths.find(existsSync)
}

/** A program that runs, in a folder of its own. */
export interface Program {
  readonly folder: string
  /** Resolves to the match in what it has printed. Rejects when it ends before. */
  printed(pattern: RegExp): Promise<RegExpExecArray>
  /** Ends it, and all that it has started. */
  stop(): Promise<void>
}

/** Starts a program. `FOLDER` in its arguments is its folder, which is also its home. */
export function startProgram(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): Program {
  const folder = mkdtempSync(join(tmpdir(), 'tokenwright-browser-'))
  const child = spawn(
    program,
    args.map((arg) => arg.replace('FOLDER', folder)),
    {
      env: { ...process.env, HOME: folder, XDG_RUNTIME_DIR: folder, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    },
  )
  let text = ''
  const watchers = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      for (const watcher of watchers) watcher()
    })
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => resolve())
    child.once('exit', () => resolve())
  })
  const signal = (name: NodeJS.Signals): void => {
    try {
      if (child.pid) process.kill(-child.pid, name)
    } catch {
      // It has ended.
    }
  }
  process.once('exit', () => signal('SIGKILL'))
  return {
    folder,
    printed: (pattern) =>
      new Promise((resolve, reject) => {
        const watcher = (): void => {
          const match = pattern.exec(text)
          if (match) resolve(match)
        }
        watchers.add(watcher)
        watcher()
        void ended.then(() => reject(new Error(`${program} has ended: ${text.slice(-2000)}`)))
      }),
    async stop() {
      signal('SIGKILL')
      await ended
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
