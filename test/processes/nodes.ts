/**
 * Nodes of an application: child processes of the built library over one store, asked over IPC. And the stores: each test file gets
 * a schema, a database or a file of its own, and drops it.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as openSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { Kysely, MysqlDialect, PostgresDialect, SqliteDialect, sql } from 'kysely'
import { createPool } from 'mysql2'
import { Pool } from 'pg'
import { migrateSql } from '../../src/stores/sql.ts'
import type { StoreSpec } from './node/connect.ts'
import type { Answer, Commands, NodeSpec } from './node/messages.ts'

/** A node, as the test speaks to it. */
export interface Node {
  readonly child: ChildProcess
  /** Where its routes are. */
  readonly url: string
  /** Asks it; rejects when it dies before it answers. */
  ask<K extends keyof Commands>(
    command: K,
    ...args: Parameters<Commands[K]>
  ): Promise<ReturnType<Commands[K]>>
  /** Ends it by SIGKILL. */
  kill(): Promise<void>
}

const MAIN = new URL('../../dist/test/processes/node/main.js', import.meta.url).pathname

/** Starts a node and waits until it listens. */
export async function startNode(spec: NodeSpec): Promise<Node> {
  const env = { ...process.env, TOKENWRIGHT_NODE: JSON.stringify(spec) }
  const child = fork(MAIN, [], { env, execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const open = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>()
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  let last = 0
  const expectAnswer = <T>(id: number): Promise<T> =>
    new Promise<T>((resolve, reject) => open.set(id, { resolve: resolve as never, reject }))
  child.on('message', ({ id, value, error }: Answer) => {
    const waiting = open.get(id)
    open.delete(id)
    if (error === undefined) waiting?.resolve(value as never)
    else waiting?.reject(new Error(error))
  })
  void ended.then(() => {
    for (const { reject } of open.values()) reject(new Error('The node has died'))
  })
  const url = await expectAnswer<string>(0)
  return {
    child,
    url,
    ask(command, ...args) {
      last += 1
      const answered = expectAnswer<never>(last)
      const id = last
      child.send({ id, command, args }, (error) => {
        if (error !== null) open.get(id)?.reject(error)
      })
      return answered
    },
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** Whether something listens on a port of this machine. */
function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = openSocket({ host: '127.0.0.1', port })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

/** A store of its own for one test file. */
export interface Place {
  readonly spec: StoreSpec
  close(): Promise<void>
}

const tag = `tw_inv_${randomBytes(4).toString('hex')}`

async function openPostgres(): Promise<Place> {
  const address = { host: '127.0.0.1', port: 5432, user: 'root', database: 'test' }
  const pool = new Pool({ ...address, options: `-c search_path=${tag}` })
  await pool.query(`create schema ${tag}`)
  const db = new Kysely({ dialect: new PostgresDialect({ pool }) })
  await migrateSql(db)
  const close = async (): Promise<void> => {
    await sql.raw(`drop schema ${tag} cascade`).execute(db)
    await db.destroy()
  }
  return { spec: { kind: 'postgres', name: tag, port: 5432, user: 'root', database: 'test' }, close }
}

async function openMysql(): Promise<Place> {
  const pool = createPool({ host: '127.0.0.1', port: 3306, user: 'root' })
  await pool.promise().query(`create database ${tag}`)
  const own = createPool({ host: '127.0.0.1', port: 3306, user: 'root', database: tag })
  await migrateSql(new Kysely({ dialect: new MysqlDialect({ pool: own }) }))
  await own.promise().end()
  const close = async (): Promise<void> => {
    await pool.promise().query(`drop database ${tag}`)
    await pool.promise().end()
  }
  return { spec: { kind: 'mysql', name: tag, port: 3306 }, close }
}

async function openSqlite(): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'tw-inv-'))
  const name = join(folder, 'sessions.db')
  const database = new DatabaseSync(name)
  database.exec('pragma journal_mode = wal')
  const prepare = (text: string) => {
    const statement = database.prepare(text)
    return {
      reader: statement.columns().length > 0,
      all: (values: readonly unknown[]) => statement.all(...(values as string[])),
      run: (values: readonly unknown[]) => statement.run(...(values as string[])),
      iterate: (values: readonly unknown[]) => statement.iterate(...(values as string[])),
    }
  }
  const db = new Kysely({
    dialect: new SqliteDialect({ database: { close: () => database.close(), prepare } }),
  })
  await migrateSql(db)
  await db.destroy()
  return {
    spec: { kind: 'sqlite', name },
    close: async () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** The stores that several processes can share. Where a server is absent its tests skip, and say so. */
export const PLACES: readonly {
  readonly kind: string
  readonly here: boolean
  readonly open: () => Promise<Place>
}[] = [
  { kind: 'sqlite', here: true, open: openSqlite },
  { kind: 'postgres', here: await isOpen(5432), open: openPostgres },
  { kind: 'mysql', here: await isOpen(3306), open: openMysql },
  {
    kind: 'redis',
    here: await isOpen(6379),
    open: async () => ({ spec: { kind: 'redis', port: 6379 }, close: async () => undefined }),
  },
]
for (const { kind, here } of PLACES) {
  if (!here) console.error(`\n!!! no ${kind} server on this machine: its invariants are SKIPPED\n`)
}
