// npm run test:runtimes: the suite on every runtime that test/runtimes/package.json installs, and
// on the Node that runs this. The last line is "N passed, N failed, N skipped". A runtime that is
// absent is skipped, and said so.
import { spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { startNeighbor } from './neighbor.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'tokenwright-runtimes-'))
const at = (name, path) => join(here, 'node_modules', name, path)
const BUNDLE = 'bundle.mjs'
const tally = { passed: 0, failed: 0, skipped: 0 }

/** A folder as a user has it: the library in node_modules, our files beside it. */
function prepare(neighbor) {
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(join(here, '../..'), join(folder, 'node_modules/tokenwright'))
  symlinkSync(join(here, '../../packages/store-suite'), join(folder, 'node_modules/tokenwright-store-suite'))
  symlinkSync(join(here, 'node_modules/kysely'), join(folder, 'node_modules/kysely'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module","dependencies":{"tokenwright":"*"}}')
  writeFileSync(join(folder, 'address.mjs'), `export const NEIGHBOR = '${neighbor}'\n`)
  for (const name of ['checks', 'suite', 'services', 'main', 'serve', 'worker', 'kysely.test'])
    copyFileSync(join(here, `${name}.mjs`), join(folder, `${name}.mjs`))
}

/**
 * Bundles the Worker with all that it imports, but for what the runtime brings: workerd reads no
 * packages, and has no file to be at.
 */
async function bundle() {
  const build = await rolldown({ input: join(folder, 'worker.mjs'), platform: 'node', external: /^node:/ })
  const { output } = await build.generate({ format: 'esm', codeSplitting: false })
  writeFileSync(join(folder, BUNDLE), output[0].code.replaceAll('import.meta.url', '"file:///worker.mjs"'))
}

/** Runs a program to its end, 120 s at most. */
function execute(program, args) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], timeout: 120_000 })
    const output = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'])
      child[name].setEncoding('utf8').on('data', (text) => (output[name] += text))
    child.once('error', (error) => resolve(String(error)))
    // What it says of itself comes last, whatever it was warned of.
    child.once('close', (_code, signal) =>
      resolve(`${output.stderr}${output.stdout}${signal === null ? '' : `ended by ${signal}`}`),
    )
  })
}

/** Counts what a run printed. */
function count(name, output) {
  const found = /(\d+) passed, (\d+) failed\s*$/.exec(output.trim())
  if (found === null || found[2] !== '0') console.log(output)
  tally.passed += Number(found?.[1] ?? 0)
  tally.failed += found === null ? 1 : Number(found[2])
  console.log(`${name}: ${found?.[0].trim() ?? 'ended without saying how it went'}`)
}

/** Runs a file of `node:test`, and counts what its summary says. */
async function runSuite(name, program, file) {
  const flags = ['--no-warnings', '--test', '--test-reporter=tap', file]
  const output = await execute(program, flags)
  const [passed, failed] = ['pass', 'fail'].map(
    (word) => new RegExp(`^# ${word} (\\d+)$`, 'm').exec(output)?.[1],
  )
  count(
    name,
    passed === undefined ? output : `${failed === '0' ? '' : output}\n${passed} passed, ${failed} failed`,
  )
}

function skip(name) {
  tally.skipped += 1
  console.log(`${name}: SKIPPED, not installed (npm ci --prefix test/runtimes; linux x64 only)`)
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

/** Asks until somebody answers, 20 s at most; the answer itself has 60 s. */
async function insist(url) {
  for (let tries = 0; ; tries++) {
    try {
      return await fetch(url, { signal: AbortSignal.timeout(60_000) })
    } catch (error) {
      if (tries === 200 || error.name === 'TimeoutError') throw error
      await pause(100)
    }
  }
}

/** One check of a server: the login over HTTP, a guarded route, and the revocations. */
async function checkServer(name, url) {
  await insist(`${url}/protected`)
  const body = '{"username":"test","password":"test","delivery":"body"}'
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body }
  const { access_token } = await (await fetch(`${url}/auth/login`, init)).json()
  const { status } = await fetch(`${url}/protected`, { headers: { authorization: `Bearer ${access_token}` } })
  const refused = await fetch(`${url}/protected`)
  const client = { authorization: `Basic ${btoa('orders:s3cret')}` }
  const read = (query) => fetch(`${url}/auth/revocations${query}`, { headers: client })
  const { cursor } = await (await read('')).json()
  const page = await read(`?wait=0.5&cursor=${encodeURIComponent(cursor)}`)
  const statuses = [status, refused.status, page.status]
  const right = String(statuses) === '200,401,200'
  count(name, right ? '1 passed, 0 failed' : `answers ${statuses}\n0 passed, 1 failed`)
}

/** Starts a server that prints its port, checks it, ends it. */
async function serve(name, program, args) {
  const child = spawn(program, args, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const port = await new Promise((resolve, reject) => {
      child.stdout.setEncoding('utf8').once('data', resolve)
      child.once('exit', () => reject(new Error('it ended')))
    })
    await checkServer(name, `http://127.0.0.1:${port.trim()}`)
  } catch (error) {
    count(name, String(error))
  } finally {
    child.kill('SIGKILL')
  }
}

/**
 * A revoked token is refused by a Worker within a second, were it asked many times before, each
 * time in a request of its own.
 */
async function followWithin(worker, neighbor) {
  const start = await fetch(`${neighbor}/sessions/start?sub=dora`)
  const { access_token } = await start.json()
  const verify = async () => (await fetch(`${worker}/verify?token=${access_token}`)).text()
  const before = []
  for (let i = 0; i < 10; i++) {
    before.push(await verify())
    await pause(100)
  }
  await fetch(`${neighbor}/sessions/end-all?sub=dora`)
  await pause(1000)
  const after = [await verify(), await verify()]
  const right = before.every((code) => code === 'ok') && after.every((code) => code === 'token_revoked')
  const told = `says ${before}, and after the end ${after}`
  count('workerd, following', right ? '1 passed, 0 failed' : `${told}\n0 passed, 1 failed`)
}

/** What a request has begun and not ended holds up none after it. */
async function leaveBehind(worker) {
  const get = async (path) => (await fetch(worker + path, { signal: AbortSignal.timeout(10_000) })).text()
  await get('/leave')
  const told = await get('/work').catch(String)
  count('workerd, left behind', `${told === 'ok,ok,ok' ? '1 passed, 0' : `says ${told}\n0 passed, 1`} failed`)
}

/** workerd wants a configuration, and answers the results of the suite to a request. */
async function runWorker(program, neighbor) {
  await bundle()
  const port = await freePort()
  const config = join(folder, 'config.capnp')
  writeFileSync(
    config,
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [(name = "worker", esModule = embed "${BUNDLE}")],
      compatibilityDate = "2026-11-01",
    )),
    (name = "internet", network = (allow = ["public", "local"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
`,
  )
  const child = spawn(program, ['serve', config], { cwd: folder, stdio: ['ignore', 'inherit', 'pipe'] })
  let complaints = ''
  child.stderr.setEncoding('utf8').on('data', (text) => (complaints += text))
  try {
    const worker = `http://127.0.0.1:${port}`
    const response = await insist(`${worker}/run`)
    count('workerd', `${complaints}${await response.text()}`)
    // Twice, as what a request has begun ends with it.
    for (const name of ['workerd, services', 'workerd, services in another request'])
      count(name, await (await insist(`${worker}/run-services`)).text())
    await followWithin(worker, neighbor)
    await leaveBehind(worker)
    await checkServer('workerd, served', worker)
  } catch (error) {
    count('workerd', `${complaints}${error}`)
  } finally {
    child.kill('SIGKILL')
  }
}

const neighbor = await startNeighbor()
try {
  prepare(neighbor.url)
  const nodes = ['node22', 'node24', 'node26'].map((name) => [name, at(name, 'bin/node'), []])
  const bun = at('bun', 'bin/bun')
  const deno = at('deno', 'deno')
  const workerd = at('workerd', 'bin/workerd')
  // Files and environment: the rights that importing packages and reading `TOKENWRIGHT_SECRET`
  // take, and no others.
  const rights = ['run', '--allow-read', '--allow-env']
  const toNeighbor = ['--allow-net=127.0.0.1']
  for (const [name, program, flags, network = []] of [
    [`node ${process.versions.node}`, process.execPath, []],
    ...nodes,
    ['bun', bun, []],
    ['deno', deno, rights, toNeighbor],
  ]) {
    if (!existsSync(program)) {
      skip(name)
      continue
    }
    count(name, await execute(program, [...flags, 'main.mjs']))
    count(`${name}, services`, await execute(program, [...flags, ...network, 'main.mjs', 'services']))
  }
  const node22 = at('node22', 'bin/node')
  if (existsSync(node22)) await runSuite('Kysely 0.29 on node22', node22, 'kysely.test.mjs')
  else skip('Kysely 0.29 on node22')
  if (existsSync(bun)) await serve('Bun.serve', bun, ['serve.mjs'])
  if (existsSync(deno)) await serve('Deno.serve', deno, [...rights, '--allow-net', 'serve.mjs'])
  if (existsSync(workerd)) await runWorker(workerd, neighbor.url)
  else skip('workerd')
} finally {
  await neighbor.close()
  rmSync(folder, { recursive: true, force: true })
}
console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`)
process.exitCode = tally.failed === 0 ? 0 : 1
