// User projects for check-package: folders with a package.json and its dependencies, which are kept
// between runs under a name that changes with the dependencies. It also counts the checks.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** Outside of the repository, so that a project cannot use its node_modules. */
const CACHE = join(tmpdir(), 'tokenwright-check-package')

/** The time limit of one program, in milliseconds: an installation from a slow registry is slow. */
const LIMIT = 600_000

export const tally = { passed: 0, failed: 0, skipped: 0 }

/** Counts a check, and prints its output if it failed. */
export function count(title, isRight, output = '') {
  tally[isRight ? 'passed' : 'failed']++
  console.log(`${isRight ? 'ok    ' : 'FAILED'} ${title}`)
  if (!isRight) console.log(output.trimEnd().split('\n').slice(-25).join('\n'))
  return isRight
}

/** Counts a check that needs what is not on this machine. */
export function skip(title, reason) {
  tally.skipped++
  console.log(`SKIPPED ${title}: ${reason}`)
}

/** Runs a program to its end. */
export function run(cwd, command, args, env = {}) {
  const options = { cwd, encoding: 'utf8', timeout: LIMIT, env: { ...process.env, NO_COLOR: '1', ...env } }
  const { status, stdout, stderr, error } = spawnSync(command, args, options)
  return { isRight: status === 0, output: `${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}` }
}

/** The same, beside others. */
export async function runAside(cwd, command, args, env = {}) {
  const options = { cwd, timeout: LIMIT, env: { ...process.env, NO_COLOR: '1', ...env } }
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => (output += text))
  const [status] = await once(child, 'close')
  return { isRight: status === 0, output }
}

/** Runs a program to its end, and counts it. */
export function check(title, cwd, [command, ...args], env) {
  const { isRight, output } = run(cwd, command, args, env)
  return count(title, isRight, output)
}

/** A port on which nothing listens, as text. */
export async function freePort() {
  const probe = createServer().listen(0)
  await once(probe, 'listening')
  const { port } = probe.address()
  probe.close()
  return String(port)
}

export function write(folder, files) {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(
      join(folder, path),
      typeof content === 'string' ? content : JSON.stringify(content, null, 2),
    )
  }
}

/**
 * A project with these dependencies and the packed library. Dependencies are installed once and
 * kept. The library is only unpacked, as other checks install it.
 */
export function prepareProject(name, dependencies, tarball, manifest = {}) {
  const digest = createHash('sha256').update(JSON.stringify(dependencies)).digest('hex').slice(0, 8)
  const folder = join(CACHE, `${name}-${digest}`)
  if (!existsSync(folder)) {
    const half = `${folder}.half`
    rmSync(half, { recursive: true, force: true })
    write(half, { 'package.json': { name: 'user', private: true, dependencies } })
    const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--legacy-peer-deps', '--prefer-offline']
    const { isRight, output } = run(half, 'npm', ['install', ...flags])
    if (!isRight) throw new Error(`npm install for ${name} fails:\n${output.slice(-2000)}`)
    renameSync(half, folder)
  }
  write(folder, { 'package.json': { name: 'user', private: true, dependencies, ...manifest } })
  unpack(tarball, join(folder, 'node_modules/tokenwright'))
  return folder
}

function unpack(tarball, folder) {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const { isRight, output } = run(folder, 'tar', ['xzf', tarball, '--strip-components=1'])
  if (!isRight) throw new Error(output)
}
