// Checks the pages of docs/start/ and the README as a reader would use them: in an empty folder for
// each, it runs the commands, writes the files, starts the program and sends the requests, each of
// which must get the response that stands below it. Only the name of the package is replaced, by
// that of the packed file, and the port.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { count, freePort, ROOT, runAside, skip, write } from './project.mjs'

/** How long a program may take to listen, in milliseconds. */
const START = 180_000
/** How many pages are tried at the same time: an installation waits more than it works. */
const AT_ONCE = 3
/** The pages that take the longest, which begin first. */
const SLOW = ['nuxt', 'nextjs', 'nest', 'workers']
/** The runtimes that `npm ci --prefix test/runtimes` installs, by the pages that need them. */
const RUNTIMES = { bun: 'bun/bin', deno: 'deno' }
/** No program reports its use to its makers. */
const SILENT = { NEXT_TELEMETRY_DISABLED: '1', NUXT_TELEMETRY_DISABLED: '1', WRANGLER_SEND_METRICS: 'false' }
/** What a reader's installation does beside installing. */
const FLAGS = '--ignore-scripts --no-audit --no-fund --prefer-offline'

/** A page: its files by name, and its three blocks of commands. */
function readPage(name) {
  const text = readFileSync(join(ROOT, 'docs/start', name), 'utf8')
  const files = [...text.matchAll(/^`([^`\n]+)`:\n\n```\w+[^\n]*\n([\s\S]*?)^```/gm)]
  const commands = [...text.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, code]) => code)
  return {
    name: basename(name, '.md'),
    files: Object.fromEntries(files.map(([, path, code]) => [path, code])),
    commands,
  }
}

/** The README's program, with the requests of Hono's page, whose routes have other names. */
function readReadme() {
  const text = readFileSync(join(ROOT, 'README.md'), 'utf8')
  const [, install, code] = /After `(npm install [^`]+)`:\n\n```ts\n([\s\S]*?)^```/m.exec(text) ?? []
  const [, name, start] = /Saved as `(.+)`, `(TOKENWRIGHT_SECRET=[^`]+)`/.exec(text) ?? []
  const requests = readPage('hono.md')
    .commands.at(-1)
    .replaceAll('/me', '/protected')
    .replace('{"sub":"user-1"}', '{"sub":"test"}')
    .replace('{"changed":true}', '{"message":"Password changed"}')
  return { name: 'README', files: { [name]: code }, commands: [install, start, requests] }
}

export async function checkStart(folder, tarball) {
  const pages = [...readdirSync(join(ROOT, 'docs/start')).map(readPage), readReadme()]
  const odd = pages.filter(({ files, commands }) => Object.keys(files).length === 0 || commands.length !== 3)
  count(
    'the README and pages of docs/start have files and three blocks of commands',
    odd.length === 0,
    odd.map(({ name }) => name).join(),
  )
  const isSlow = ({ name }) => SLOW.includes(name)
  const waiting = [...pages.filter(isSlow), ...pages.filter((page) => !isSlow(page))].filter(
    (page) => !odd.includes(page),
  )
  const work = async () => {
    for (let page = waiting.shift(); page !== undefined; page = waiting.shift())
      await checkPage(join(folder, `start-${page.name}`), page, tarball)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
}

async function checkPage(home, { name, files, commands }, tarball) {
  mkdirSync(home)
  const port = await freePort()
  const place = (text) => text.replaceAll('3000', port)
  const [install, start, requests] = commands.map(place)
  const runtime = readRuntime(name)
  if (runtime === null) return skip(name, 'its runtime is installed by `npm ci --prefix test/runtimes`')
  const environment = { ...runtime, ...SILENT }
  const installed = await shell(home, toOurs(install, tarball), environment)
  if (!count(`${name}: installs`, installed.isRight, installed.output)) return
  write(home, Object.fromEntries(Object.entries(files).map(([path, code]) => [path, place(code)])))
  const child = spawn('bash', ['-ec', start], {
    cwd: home,
    detached: true,
    env: { ...process.env, ...environment },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (output += bytes))
  try {
    const isUp = await listens(port, child)
    if (!count(`${name}: starts`, isUp, output)) return
    const problem = await sendAll(home, requests)
    count(`${name}: responds as the page says`, problem === undefined, `${problem}\n${output}`)
  } finally {
    const ended = child.exitCode === null ? once(child, 'exit') : null
    try {
      process.kill(-child.pid, 'SIGKILL')
    } catch {
      // It has ended.
    }
    await ended
  }
}

/** The commands that install, with the packed file in place of the package. */
function toOurs(install, tarball) {
  return install
    .replace('npm install tokenwright', `npm install ${tarball}`)
    .replaceAll('npm install', `npm install ${FLAGS}`)
    .replace('bun add tokenwright', `bun add ${tarball}`)
}

/** The path on which the runtime of a page is found; null if it is missing. */
function readRuntime(name) {
  const place = RUNTIMES[name]
  if (place === undefined) return {}
  const folder = join(ROOT, 'test/runtimes/node_modules', place)
  return existsSync(folder) ? { PATH: `${folder}:${process.env.PATH}` } : null
}

/** Runs commands of the page. */
function shell(cwd, text, env = {}) {
  return runAside(cwd, 'bash', ['-ec', text], env)
}

/**
 * Sends the requests in turn, each with the tokens of the responses before it.
 *
 * @returns what is wrong, or undefined
 */
async function sendAll(home, requests) {
  const tokens = {}
  const pairs = [...requests.matchAll(/^(curl .*)\n# (.*)$/gm)]
  if (pairs.length < 6) return `only ${pairs.length} requests`
  for (const [, command, expected] of pairs) {
    const { output } = await shell(home, command, tokens)
    const parts = expected.split('...').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    if (!new RegExp(`^${parts.join('.*')}$`).test(output))
      return `${command}\n${output}\nand not\n${expected}`
    const response = JSON.parse(output)
    for (const member of ['access_token', 'refresh_token', 'csrf_token'])
      if (member in response) tokens[member.toUpperCase()] = response[member]
  }
  return undefined
}

/** Waits until something responds at the port, or the program ends, or the time is over. */
async function listens(port, child) {
  for (const end = Date.now() + START; Date.now() < end && child.exitCode === null; await pause(100)) {
    try {
      await fetch(`http://localhost:${port}/auth/`, { signal: AbortSignal.timeout(20_000) })
      return true
    } catch {
      // It does not listen yet.
    }
  }
  return false
}
