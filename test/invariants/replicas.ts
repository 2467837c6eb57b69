/** A primary with a replica, of the tests' own: the replica is promoted, and the primary is killed. */
import { spawn } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { createPool } from 'mysql2'
import type { Pool as AsyncPool } from 'mysql2/promise'
import { Pool } from 'pg'
import type { StoreSpec } from '../processes/node/connect.ts'
import { freePort, reapWithUs, startRedis, waitFor } from '../stores/redis-server.ts'
import { makeFolder, POSTGRES, run, startOwn, toUser } from './servers.ts'

/** A primary and its replica. */
export interface Replicated {
  readonly primary: StoreSpec
  readonly replica: StoreSpec
  /** Asks the primary by SQL, as its owner. */
  ask(text: string): Promise<unknown>
  /** Makes the replica a primary of its own. What the old one writes from now on, it does not have. */
  promote(): Promise<void>
  /** Kills the old primary. */
  kill(): Promise<void>
  /** Freezes the old primary: it takes what is sent, and says nothing any more. */
  hang(): Promise<void>
  close(): Promise<void>
}

/** Redis, whose replication is asynchronous. */
export async function replicateRedis(): Promise<Replicated> {
  const [primary, replica] = await Promise.all([
    // By default it waits five seconds for more replicas.
    startRedis('--appendonly', 'yes', '--repl-diskless-sync-delay', '0'),
    startRedis(),
  ])
  const admin = new Redis(replica.port)
  await admin.replicaof('127.0.0.1', primary.port)
  await waitFor(async () => /master_link_status:up/.test(await admin.info('replication')))
  return {
    primary: { kind: 'redis', port: primary.port },
    replica: { kind: 'redis', port: replica.port },
    ask: () => Promise.reject(new Error('Redis takes no SQL')),
    promote: async () => void (await admin.replicaof('NO', 'ONE')),
    kill: () => primary.kill(),
    hang: async () => void process.kill(primary.pid, 'SIGSTOP'),
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
  const options = ['-D', data, '-R', '-c', 'fast', '--no-sync', ...source]
  await run(join(bin, 'pg_basebackup'), options, { ...user, cwd: folder })
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
    ask: (text) => ask(primary.port, text),
    promote: async () => void (await ask(port, 'select pg_promote()')),
    kill: () => primary.kill(),
    hang: async () => primary.freeze(),
    async close() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGQUIT')
        await ended
      }
      rmSync(folder, { recursive: true, force: true })
      await primary.close()
    },
  }
}

/** A user who may write only where a server takes writes, unlike `root`. */
export const MYSQL_USER = 'application'

/**
 * MariaDB with a replica.
 *
 * @param isSemiSynchronous whether each commit waits for it, for an hour at most
 */
export async function replicateMariadb(isSemiSynchronous: boolean): Promise<Replicated> {
  const [primary, replica] = await Promise.all([
    startOwn('mysql', '--log-bin', '--server-id=1'),
    startOwn('mysql', '--server-id=2'),
  ])
  const admins = [primary, replica].map(({ port }) =>
    createPool({ host: '127.0.0.1', port, user: 'root', connectionLimit: 1 }).promise(),
  ) as [AsyncPool, AsyncPool]
  const [above, below] = admins
  const read = async (pool: AsyncPool, text: string): Promise<Record<string, unknown>> => {
    const [rows] = await pool.query(text)
    return (rows as Record<string, unknown>[])[0] ?? {}
  }
  if (isSemiSynchronous) {
    await above.query(
      'set global rpl_semi_sync_master_timeout = 3600000, global rpl_semi_sync_master_enabled = 1',
    )
    await below.query('set global rpl_semi_sync_slave_enabled = 1')
  }
  // Both have made the same tables. The replica goes on from there.
  const { position } = await read(above, 'select @@global.gtid_binlog_pos as position')
  await below.query('set global gtid_slave_pos = ?, global read_only = 1', [position])
  await below.query(
    "change master to master_host = '127.0.0.1', master_port = ?, master_user = 'root', master_use_gtid = slave_pos",
    [primary.port],
  )
  await below.query('start slave')
  await waitFor(async () => (await read(below, 'show slave status'))['Slave_IO_Running'] === 'Yes')
  await above.query(`create user ${MYSQL_USER}`)
  await above.query(`grant all on sessions.* to ${MYSQL_USER}`)
  // A test that asks the replica first is refused until the user has got there.
  const { reached } = await read(above, 'select @@global.gtid_binlog_pos as reached')
  await waitFor(async () => (await read(below, 'select @@global.gtid_slave_pos as at'))['at'] === reached)
  return {
    primary: primary.toSpec(primary.port),
    replica: replica.toSpec(replica.port),
    ask: (text) => above.query(text),
    async promote() {
      await below.query('stop slave io_thread')
      // What has come and is not applied yet would go with the rest.
      await waitFor(async () => {
        const state = await read(below, 'show slave status')
        return state['Read_Master_Log_Pos'] === state['Exec_Master_Log_Pos']
      })
      await below.query('stop slave')
      await below.query('reset slave all')
      await below.query('set global read_only = 0')
    },
    kill: () => primary.kill(),
    hang: async () => primary.freeze(),
    async close() {
      await Promise.all(admins.map((pool) => pool.end().catch(() => undefined)))
      await Promise.all([primary.close(), replica.close()])
    },
  }
}
