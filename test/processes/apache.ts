/**
 * Apache as a caching reverse proxy, on a free port and in a folder of its own. Without the program
 * the tests that want it are skipped, loudly.
 */
import { execFileSync, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, reapWithUs, waitFor } from '../stores/redis-server.ts'

const PROGRAM = '/usr/sbin/apache2'
const MODULES = '/usr/lib/apache2/modules'

/** Whether this machine has the program with its modules. */
export const HAS_APACHE: boolean = existsSync(PROGRAM) && existsSync(join(MODULES, 'mod_cache_disk.so'))
if (!HAS_APACHE)
  console.error(
    '\n!!! no apache2 with mod_cache on this machine: that shared caches keep no token is NOT TESTED.' +
      '\n!!! Get it with: apt-get install apache2\n',
  )

/** A caching proxy. */
export interface Apache {
  /** Where it listens. */
  readonly origin: string
  /** Ends it, and removes its folder. */
  close(): Promise<void>
}

/**
 * Starts a proxy with the cache's defaults.
 *
 * @param upstream the origin of the server behind it
 */
export async function startApache(upstream: string): Promise<Apache> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'tokenwright-apache-'))
  mkdirSync(join(folder, 'cache'))
  const file = join(folder, 'apache.conf')
  writeFileSync(file, configure(folder, port, upstream))
  const child = spawn(PROGRAM, ['-f', file, '-D', 'FOREGROUND'], { stdio: 'ignore' })
  reapWithUs(child, folder)
  const origin = `http://127.0.0.1:${port}`
  await waitFor(() => fetch(origin).then(Boolean, () => false))
  return {
    origin,
    async close() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      // Apache ends its workers before itself; a KILL would leave them behind.
      child.kill('SIGTERM')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function configure(folder: string, port: number, upstream: string): string {
  const modules = ['mpm_event', 'authz_core', 'proxy', 'proxy_http', 'cache', 'cache_disk']
  return [
    `ServerRoot ${folder}`,
    'ServerName localhost',
    `PidFile ${folder}/pid`,
    `ErrorLog ${folder}/error.log`,
    `Listen 127.0.0.1:${port}`,
    ...modules.map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`),
    ...toUserLines(folder),
    'StartServers 1',
    'ThreadsPerChild 25',
    'MaxRequestWorkers 25',
    'ProxyPreserveHost On',
    `ProxyPass / ${upstream}/`,
    `CacheRoot ${folder}/cache`,
    'CacheEnable disk /',
    // Says what the cache did, in `X-Cache`.
    'CacheHeader on',
    '',
  ].join('\n')
}

/** The workers of a server that root starts are another user's. */
function toUserLines(folder: string): readonly string[] {
  if (process.getuid?.() !== 0) return []
  const name = 'www-data'
  const [uid = 0, gid = 0] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, name])))
  for (const path of [folder, join(folder, 'cache')]) chownSync(path, uid, gid)
  return [`User ${name}`, `Group ${name}`]
}
