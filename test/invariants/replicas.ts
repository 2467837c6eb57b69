/** A primary with a replica, of the tests' own: the replica is promoted, and the primary is killed. */
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { Pool } from 'pg'
import type { StoreSpec } from '../processes/node/connect.ts'
import { freePort, reapWithUs, startRedis, waitFor } from '../stores/redis-server.ts'
import { makeFolder, POSTGRES, startOwn, toUser } from './servers.ts'

/** A primary and its replica. */
export interface Replicated {
  readonly primary: StoreSpec
  readonly replica: StoreSpec
  /** Makes the replica a primary of its own. What the old one writes from now on, it does not have. */
  promote(): Promise<void>
  /** Kills the old primary. */
  kill(): Promise<void>
  close(): Promise<void>
}

/** Redis, whose replication is asynchronous. */
export async function replicateRedis(): Promise<Replicated> {
  const [primary, replica] = await Promise.all([startRedis('--appendonly', 'yes'), startRedis()])
  const admin = new Redis(replica.port)
  await admin.replicaof('127.0.0.1', primary.port)
  await waitFor(async () => /master_link_status:up/.test(await admin.info('replication')))
  return {
    primary: { kind: 'redis', port: primary.port },
    replica: { kind: 'redis', port: replica.port },
    promote: async () => void (await admin.replicaof('NO', 'ONE')),
    kill: () => primary.kill(),
    async close() {
      admin.disconnect()
      await Promise.all([primary.close(), replica.close()])
    },
  }
}

/** PostgreSQL with a streaming replica. @param isSynchronous whether each commit waits for it */
export async function replicatePostgres(isSynchronous: boolean): Promise<Replicated> {
  const primary = await startOwn('postgres')
  const user = toUser('postgres')
  const folder = makeFolder(user)
  const bin = POSTGRES ?? ''
  const data = join(folder, 'data')
  mkdirSync(join(folder, 'socket'), { mode: 0o777 })
  const source = ['-h', '127.0.0.1', '-p', String(primary.port), '-U', 'root']
  execFileSync(join(bin, 'pg_basebackup'), ['-D', data, '-R', '-c', 'fast', ...source], {
    ...user,
    cwd: folder,
    stdio: 'ignore',
  })
  const port = await freePort()
  const args = ['-D', data, '-p', String(port), '-k', folder, '-h', '127.0.0.1']
  const child = spawn(join(bin, 'postgres'), args, { ...user, stdio: 'ignore' })
  reapWithUs(child, folder)
  const ask = async (target: number, text: string): Promise<Record<string, unknown>[]> => {
    const pool = new Pool({ host: '127.0.0.1', port: target, user: 'root', database: 'postgres', max: 1 })
    return pool
      .query(text)
      .then(({ rows }) => rows)
      .finally(() => pool.end())
  }
  await waitFor(async () => {
    const rows = await ask(primary.port, "select 1 from pg_stat_replication where state = 'streaming'")
    return rows.length > 0
  })
  if (isSynchronous) {
    await ask(primary.port, "alter system set synchronous_standby_names = '*'")
    await ask(primary.port, 'select pg_reload_conf()')
    await waitFor(async () => {
      const rows = await ask(primary.port, "select 1 from pg_stat_replication where sync_state = 'sync'")
      return rows.length > 0
    })
  }
  return {
    primary: primary.toSpec(primary.port),
    replica: primary.toSpec(port),
    promote: async () => void (await ask(port, 'select pg_promote()')),
    kill: () => primary.kill(),
    async close() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGQUIT')
      await ended
      await primary.close()
    },
  }
}
