/**
 * nginx on a free port and in a folder of its own, with a configuration file of the examples.
 * Without the program the tests that want it are skipped, loudly.
 */
import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, reapWithUs, waitFor } from '../../stores/redis-server.ts'

const PROGRAM = '/usr/sbin/nginx'

/** Whether this machine has the program with the module. */
export const HAS_NGINX: boolean =
  existsSync(PROGRAM) &&
  execFileSync('sh', ['-c', `${PROGRAM} -V 2>&1`], { encoding: 'utf8' }).includes('http_auth_request_module')
if (!HAS_NGINX)
  console.error(
    '\n!!! no nginx with auth_request on this machine: that it passes only what we let pass is NOT TESTED.' +
      '\n!!! Get it with: apt-get install nginx-light\n',
  )

/** A proxy. */
export interface Nginx {
  /** Where it listens. */
  readonly origin: string
  /** Ends it, and removes its folder. */
  close(): Promise<void>
}

/** Starts nginx with the configuration of the example. @param ports those of the upstream servers */
export async function startNginx(ports: { readonly auth: number; readonly app: number }): Promise<Nginx> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'tokenwright-nginx-'))
  // The workers of a server that root starts are another user's.
  chmodSync(folder, 0o755)
  const example = readFileSync(new URL('../../../examples/forward-auth.nginx.conf', import.meta.url), 'utf8')
  const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const temporary = kinds.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join('\n')
  const text = replaceEach(example, [
    ['http {', `http {\n${temporary}`],
    ['listen 127.0.0.1:8080;', `listen 127.0.0.1:${port};`],
    ['upstream auth { server 127.0.0.1:8000;', `upstream auth { server 127.0.0.1:${ports.auth};`],
    ['upstream app { server 127.0.0.1:8000;', `upstream app { server 127.0.0.1:${ports.app};`],
  ])
  writeFileSync(join(folder, 'nginx.conf'), text)
  const global = `daemon off; pid ${folder}/pid; worker_processes 1; error_log ${folder}/error.log info;`
  const child = spawn(PROGRAM, ['-p', folder, '-c', join(folder, 'nginx.conf'), '-g', global], {
    stdio: 'inherit',
  })
  reapWithUs(child, folder)
  const origin = `http://127.0.0.1:${port}`
  await waitFor(() => fetch(origin).then(Boolean, () => false))
  return {
    origin,
    async close() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      // nginx ends its workers before itself; a KILL would leave them behind.
      child.kill('SIGTERM')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Replaces texts that must be there. */
function replaceEach(text: string, pairs: readonly (readonly [string, string])[]): string {
  return pairs.reduce((result, [from, to]) => {
    if (!result.includes(from)) throw new Error(`The configuration has no "${from}"`)
    return result.replace(from, () => to)
  }, text)
}
