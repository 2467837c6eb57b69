// Runs the Dockerfile of docs/recipes/docker.md without Docker: its commands, in empty folders that
// stand for the images, with the packed library. The user and the base image are left out.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { transformSync } from 'esbuild'
import { count, freePort, ROOT, runAside, write } from './project.mjs'

/** How long the container may take until it is healthy, and then to stop, in milliseconds. */
const START = 60_000
const STOP = 30_000

export async function checkDocker(folder, tarball) {
  const text = readFileSync(join(ROOT, 'docs/recipes/docker.md'), 'utf8')
  const [, dockerfile] = /```dockerfile\n([\s\S]*?)```/.exec(text)
  const [, server] = /```ts\n\/\/ server\.ts\n([\s\S]*?)```/.exec(text)
  const port = await freePort()
  const place = (code) => code.replaceAll('3000', port)
  const secret = join(folder, 'docker.secret')
  writeFileSync(secret, 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu\n')

  const context = join(folder, 'docker-context')
  const scripts = { name: 'server', private: true, type: 'module' }
  write(context, { 'package.json': scripts, 'server.ts': place(server) })
  const lock = ['install', '--package-lock-only', '--ignore-scripts', '--no-audit', '--no-fund', tarball]
  const locked = await runAside(context, 'npm', lock)
  if (!count('docker: the context has a lock file', locked.isRight, locked.output)) return

  const image = await buildImage(place(dockerfile), join(folder, 'docker'), context)
  if (!count('docker: the commands of the build', image.problem === undefined, image.problem)) return
  await runContainer(image, secret, port)
}

/** Carries out the instructions of a Dockerfile; a folder for each stage. */
async function buildImage(dockerfile, folder, context) {
  const image = { home: '', env: {}, command: [], health: [] }
  const stages = {}
  for (const line of dockerfile.split('\n').filter(Boolean)) {
    const [, name, rest] = /^(\w+) (.*)$/.exec(line)
    const words = rest.split(' ')
    if (name === 'FROM') {
      image.root = join(folder, String(Object.keys(stages).length))
      stages[words[2] ?? 'last'] = image.root
    } else if (name === 'WORKDIR') {
      image.home = join(image.root, rest)
      mkdirSync(image.home, { recursive: true })
    } else if (name === 'COPY') {
      const [, from] = /^--from=(.+)$/.exec(words[0]) ?? []
      const target = words.at(-1)
      for (const path of words.slice(from ? 1 : 0, -1))
        cpSync(from ? join(stages[from], path) : join(context, path), targetOf(image.home, target, path), {
          recursive: true,
          verbatimSymlinks: true,
        })
    } else if (name === 'RUN') {
      const { isRight, output } = await runAside(image.home, 'bash', ['-ec', rest])
      if (!isRight) return { problem: `${rest}\n${output}` }
    } else if (name === 'ENV') {
      for (const pair of words) image.env[pair.split('=')[0]] = pair.slice(pair.indexOf('=') + 1)
    } else if (name === 'CMD') image.command = JSON.parse(rest)
    else if (name === 'HEALTHCHECK') image.health = JSON.parse(rest.replace('CMD ', ''))
    else if (name !== 'USER' && name !== 'EXPOSE')
      return { problem: `an instruction that is not known: ${line}` }
  }
  return image
}

/** A folder's content goes into the target; a file keeps its name. */
const targetOf = (home, target, path) =>
  /\.\w+$/.test(path) ? join(home, target, path.split('/').at(-1)) : join(home, target)

/** Starts what CMD says, asks what HEALTHCHECK asks, and stops it as an orchestrator does. */
async function runContainer({ home, env, command, health }, secret, port) {
  const [program, file] = runnable(home, command)
  const child = spawn(program, [file], {
    cwd: home,
    env: { PATH: process.env.PATH, ...env, TOKENWRIGHT_SECRET_FILE: secret },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (output += bytes))
  const ended = once(child, 'exit')
  try {
    let isHealthy = false
    for (const end = Date.now() + START; !isHealthy && child.exitCode === null && Date.now() < end; )
      isHealthy = (await runAside(home, health[0], health.slice(1))).isRight || void (await pause(200))
    if (!count('docker: HEALTHCHECK succeeds', isHealthy, output)) return
    const statusOf = async (path) => (await fetch(`http://127.0.0.1:${port}${path}`)).status
    const ready = await statusOf('/readyz')
    child.kill('SIGTERM')
    let draining = ready
    while (draining === ready && child.exitCode === null) draining = await statusOf('/readyz')
    const found = [ready, draining, await statusOf('/livez')].join()
    count('docker: ready, then draining after SIGTERM', found === '200,503,200', found)
    const [status, signal] = await Promise.race([ended, pause(STOP, ['late'])])
    count('docker: ends by itself', status === 0, `${status} ${signal}\n${output}`)
  } finally {
    child.kill('SIGKILL')
    await ended
  }
}

/** The image has a Node that runs TypeScript; one that does not gets the same as JavaScript. */
function runnable(home, [program, file]) {
  if (process.features.typescript) return [program, file]
  const script = file.replace(/\.ts$/, '.js')
  const { code } = transformSync(readFileSync(join(home, file), 'utf8'), { loader: 'ts' })
  write(home, { [script]: code })
  return [program, script]
}
