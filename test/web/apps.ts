/**
 * The applications of docs/guide/full-stack.md: the files that stand there beside those of `apps/`, built for
 * production in `.cache/apps/`, started, and visited by a browser without scripts.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { vi } from 'vitest'

export const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'
export const ACCESS = '__Host-access_token'
export const REFRESH = '__Host-refresh_token'
export const CSRF = '__Host-csrf_token'

const PAGE = readFileSync(new URL('../../docs/guide/full-stack.md', import.meta.url), 'utf8')

/** The blocks of a part of the page, by the path that their first lines name. */
function readBlocks(title: RegExp): Map<string, string> {
  const part = PAGE.split(/^## /m).find((text) => title.test(text)) ?? ''
  const blocks = [...part.matchAll(/```\w+(?: framework)?\n([\s\S]*?)```/g)].map(([, code = '']) => code)
  return new Map(
    blocks.map((code) => [
      /^(?:---\n)?(?:\/\/|<!--) (\S+)/.exec(code)?.[1] ?? 'a block without a path',
      code,
    ]),
  )
}

/**
 * Writes an application: the scaffold of `apps/{name}`, and the blocks of the page.
 *
 * @param title the title of its part of the page
 * @param module where its `auth.ts` is
 * @returns its folder
 */
export function writeApp(name: string, title: RegExp, module: string): string {
  const folder = fileURLToPath(new URL(`./.cache/apps/${name}/`, import.meta.url))
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }')
  cpSync(fileURLToPath(new URL(`./apps/${name}`, import.meta.url)), folder, { recursive: true })
  const files = [...readBlocks(title), [module, readBlocks(/^One module/).get('auth.ts') ?? ''] as const]
  for (const [path, code] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), code)
  }
  return folder
}

/** A program, with what it prints. */
export interface Program {
  readonly child: ChildProcess
  readonly output: () => string
}

/** Starts a program in a folder. The environment holds nothing but `env` and the path. */
export function run(folder: string, command: readonly [string, ...string[]], env: object = {}): Program {
  const [program, ...args] = command
  const quiet = { NEXT_TELEMETRY_DISABLED: '1', NUXT_TELEMETRY_DISABLED: '1', ASTRO_TELEMETRY_DISABLED: '1' }
  const child = spawn(program, args, {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], NODE_ENV: 'production', ...quiet, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (text += String(chunk)))
  return { child, output: () => text }
}

/** Builds an application, as in a container: without the secret. */
export async function build(folder: string, command: readonly string[]): Promise<void> {
  const { child, output } = run(folder, [process.execPath, ...command])
  const status = await new Promise((resolve) => child.once('exit', resolve))
  if (status !== 0) throw new Error(`The build ended with ${status}:\n${output()}`)
}

/** Compiles an application by its `tsconfig.json`, against the built package. Returns the complaints. */
export async function compile(folder: string): Promise<string> {
  const compiler = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url))
  const { child, output } = run(folder, [process.execPath, compiler, '-p', '.', '--noEmit'])
  await new Promise((resolve) => child.once('exit', resolve))
  return output()
}

/** A server that is ready. */
export interface Server extends Program {
  readonly url: string
  readonly folder: string
}

/**
 * Starts a server on a free port, and waits until it responds.
 *
 * @param env what it reads beside the port, by its address
 */
export async function start(
  folder: string,
  command: (port: string) => readonly [string, ...string[]],
  env: (url: string) => object = () => ({}),
): Promise<Server> {
  const probe = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => probe.once('listening', resolve))
  const { port } = probe.address() as { port: number }
  await new Promise((resolve) => probe.close(resolve))
  const url = `http://localhost:${port}`
  const settings = { PORT: `${port}`, HOST: 'localhost', TOKENWRIGHT_SECRET: SECRET, ...env(url) }
  const program = run(folder, command(`${port}`), settings)
  const isReady = async () => {
    if (program.child.exitCode !== null) throw new Error(`The server ended:\n${program.output()}`)
    return fetch(url).then(
      () => true,
      () => false,
    )
  }
  await vi.waitUntil(isReady, { timeout: 60_000, interval: 100 })
  return { ...program, url, folder }
}

/** A response, as a browser without scripts sees it. */
export interface Page {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The `Set-Cookie` lines. */
  readonly lines: readonly string[]
}

/** A browser without scripts, behind a proxy that says its address: cookies, links and forms. */
export function createBrowser(url: string) {
  const cookies = new Map<string, string>()
  async function send(path: string, init: RequestInit = {}): Promise<Page> {
    const headers = new Headers(init.headers)
    headers.set('x-real-ip', '198.51.100.7')
    headers.set('accept', headers.get('accept') ?? 'text/html,application/xhtml+xml')
    headers.set('cookie', [...cookies].map((pair) => pair.join('=')).join('; '))
    const response = await fetch(url + path, { redirect: 'manual', ...init, headers })
    const lines = response.headers.getSetCookie()
    for (const line of lines) {
      const [name = '', value = ''] = (line.split(';', 1)[0] ?? '').split(/=(.*)/s)
      // No browser keeps such a cookie without these.
      if (name.startsWith('__Host-') && !/; Secure/i.test(line)) throw new Error(`refused: ${line}`)
      if (/; Max-Age=0/i.test(line)) cookies.delete(name)
      else cookies.set(name, value)
    }
    return { status: response.status, headers: response.headers, text: await response.text(), lines }
  }
  /** Submits a form of a page of this site, or of another one. */
  const submit = (path: string, fields: Record<string, string>, origin = url): Promise<Page> =>
    send(path, { method: 'POST', headers: { origin }, body: new URLSearchParams(fields) })
  return { cookies, send, submit }
}
