// Processes of check-create: each is the leader of a group, so that what it starts ends with it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'

/** The time limit of a program, in milliseconds: an installation from a slow registry is slow. */
const LIMIT = 300_000

/** Starts a program, and collects what it prints. No terminal: a question would wait forever. */
export function start(cwd, command, args, env = {}) {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, NODE_ENV: undefined, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const server = { child, output: '', closed: once(child, 'close').catch((error) => [error.message]) }
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (server.output += bytes))
  return server
}

/** Ends a program with all that it started. */
export async function ended({ child, closed }) {
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
  await closed
}

/** Runs a program to its end. */
export async function runToEnd(cwd, command, args, env) {
  const program = start(cwd, command, args, env)
  const timer = setTimeout(() => ended(program), LIMIT)
  const [status] = await program.closed
  clearTimeout(timer)
  return { isRight: status === 0, output: `${program.output}\nexit ${status}` }
}

export async function freePort() {
  const probe = createServer().listen(0)
  await once(probe, 'listening')
  const { port } = probe.address()
  probe.close()
  await once(probe, 'close')
  return port
}
