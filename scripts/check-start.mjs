// Checks the README's promise that `npm ci && npm start` is enough, also without dev dependencies.
// Copies the repository's files to a new folder, installs for production, starts the server,
// requests /healthz, and sends SIGTERM. Then starts the built server in an empty folder and prints
// how long that takes: half a second to a second on a quiet machine. No time fails: a busy machine
// is slower.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'tokenwright-start-'))

/** The time limit for the first start of the built server, in milliseconds. */
const FIRST_START = 1000

function copyTree() {
  const list = ['ls-files', '--cached', '--others', '--exclude-standard', '-z']
  const paths = execFileSync('git', list, { cwd: root, encoding: 'utf8' }).split('\0').filter(Boolean)
  for (const path of new Set(paths)) {
    if (
      /^(src|server|scripts|package|tsconfig|\.npmrc)|^[^/]+\/package\.json$|^test\/nest\/eleven\/package/.test(
        path,
      )
    )
      cpSync(join(root, path), join(folder, path))
  }
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address()
  probe.close()
  await once(probe, 'close')
  return port
}

async function responds(url) {
  try {
    return (await fetch(url)).ok
  } catch {
    return false
  }
}

/** Starts the server, waits for /healthz and stops it. Returns the problem, or undefined. */
async function startAndStop(environment) {
  const port = await freePort()
  const env = { ...process.env, ...environment, PORT: String(port), HOST: '127.0.0.1' }
  const started = performance.now()
  const server = spawn('npm', ['start'], { cwd: folder, env, stdio: ['ignore', 'inherit', 'inherit'] })
  const ended = once(server, 'exit')
  const health = `http://127.0.0.1:${port}/healthz`
  let up = false
  while (!up && server.exitCode === null && performance.now() - started < 60_000) {
    await sleep(50)
    up = await responds(health)
  }
  console.log(up ? `responds after ${Math.round(performance.now() - started)} ms` : 'no response')
  server.kill('SIGTERM')
  const stopped = await Promise.race([ended, sleep(15_000, undefined, { ref: false })])
  if (!stopped) server.kill('SIGKILL')
  if (!up) return `npm start does not respond at /healthz`
  if (!stopped) return 'npm start does not end within 15 s of SIGTERM'
  if (stopped[0] !== 0) return `npm start ends with ${stopped[0] ?? stopped[1]} after SIGTERM, not with 0`
  return (await responds(health)) ? 'the server outlives npm start' : undefined
}

/**
 * Starts the built server in an empty folder, and waits for the last line that it prints. Returns
 * the problem, or undefined.
 */
async function startFirst() {
  const cwd = mkdtempSync(join(folder, 'first-'))
  const started = performance.now()
  const server = spawn(process.execPath, [join(folder, 'server/dist/main.js')], {
    cwd,
    env: { ...process.env, NODE_ENV: '', PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(server, 'exit').then(() => false)
  const announced = new Promise((resolve) => {
    let printed = ''
    server.stdout.on('data', (bytes) => {
      printed += bytes
      if (/^Secret: .*\n/m.test(printed)) resolve(true)
    })
  })
  const up = await Promise.race([announced, ended])
  const took = Math.round(performance.now() - started)
  server.kill('SIGTERM')
  await ended
  if (!up) return 'the built server does not start in an empty folder'
  console.log(`first start of the built server: ${took} ms`)
  return took < FIRST_START ? undefined : `the first start takes ${took} ms, not less than ${FIRST_START}`
}

try {
  copyTree()
  execFileSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: folder,
    env: { ...process.env, NODE_ENV: 'production' },
    stdio: 'inherit',
  })
  const problem =
    (await startAndStop({ NODE_ENV: 'production' })) ??
    (await startAndStop({ NODE_ENV: '' })) ??
    (await startFirst())
  console.log(problem ?? 'npm ci && npm start works without dev dependencies, and drains on SIGTERM')
  process.exitCode = problem ? 1 : 0
} finally {
  rmSync(folder, { recursive: true, force: true })
}
