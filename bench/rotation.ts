/**
 * The refreshes per second of each store whose server runs here, as a share of what one writes by
 * hand with the same driver in the same run (`by-hand.ts`), and beside the simplest atomic write.
 * It skips servers that are not running, with a message.
 */
import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { type Dialect, Kysely, MysqlDialect, PostgresDialect, sql } from 'kysely'
import { createPool } from 'mysql2'
import { Pool } from 'pg'
import type { RotateCall, Store } from 'tokenwright/stores/contract'
import { memoryStore } from 'tokenwright/stores/memory'
import { redisStore } from 'tokenwright/stores/redis'
import { migrateSql, sqlStore, withDeadlines } from 'tokenwright/stores/sql'
import { prepareRedis, prepareSql } from './by-hand.ts'

/** A store to measure. */
interface Candidate {
  readonly name: string
  readonly store: Store
  /** The simplest atomic write with the same driver. */
  readonly write: () => Promise<unknown>
  /** A rotation by hand, of the lane's session; resolves to whether its generation advanced. */
  readonly rotateByHand: (lane: number, gen: number) => Promise<boolean>
  readonly close: () => Promise<unknown>
}

/** The results of one store, in calls per second. */
export interface RotationResult {
  /** The store. */
  readonly name: string
  /** The simplest atomic writes per second. */
  readonly writes: number
  /** Rotations by hand per second. */
  readonly byHand: number
  /** Refreshes per second, each of which advances the generation. */
  readonly rotations: number
}

/** The number of concurrent calls, the length of a slice in milliseconds, and the slices. */
const LANES = 16
const SLICE = 400
const ROUNDS = 5

const prefix = `tw_bench_${randomBytes(4).toString('hex')}_`

/** Opens a SQL store with a table of one row for the simple write. */
async function openSql(name: string, dialect: Dialect): Promise<Candidate> {
  const db = new Kysely<Record<string, never>>({ dialect })
  const table = sql.raw(`${prefix}plain`)
  await migrateSql(db, { prefix })
  await sql`create table ${table} (sid varchar(64) primary key, used_at bigint)`.execute(db)
  for (let i = 0; i < LANES; i++) await sql`insert into ${table} values (${String(i)}, 0)`.execute(db)
  const rotateByHand = await prepareSql(db, { dialect: name, table: `${prefix}own`, lanes: LANES })
  let turn = 0
  return {
    name,
    store: sqlStore(db, { prefix }),
    write: () =>
      sql`update ${table} set used_at = ${Date.now()} where sid = ${String(turn++ % LANES)}`.execute(db),
    rotateByHand,
    async close() {
      const tables = await db.introspection.getTables({ withInternalKyselyTables: true })
      const ours = tables.filter((one) => one.name.startsWith(prefix))
      for (const one of ours) await sql`drop table ${sql.raw(one.name)}`.execute(db)
      await db.destroy()
    },
  }
}

async function openRedis(): Promise<Candidate> {
  const client = new Redis({
    host: '127.0.0.1',
    port: 6379,
    lazyConnect: true,
    maxRetriesPerRequest: 1,
    retryStrategy: () => null,
  })
  client.on('error', () => undefined)
  await client.connect()
  let turn = 0
  return {
    name: 'redis',
    store: redisStore(client, { prefix }),
    write: () => client.hset(`${prefix}${turn++ % LANES}`, 'used', Date.now()),
    rotateByHand: await prepareRedis(client, `${prefix}own`, LANES),
    close: () => client.quit(),
  }
}

async function openMemory(): Promise<Candidate> {
  const rows = new Map<string, number>()
  const write = async (): Promise<void> => void rows.set('a', Date.now())
  const gens = new Map<number, number>()
  const rotateByHand = async (lane: number, gen: number): Promise<boolean> => {
    const isNewest = (gens.get(lane) ?? 0) === gen
    if (isNewest) gens.set(lane, gen + 1)
    return isNewest
  }
  return { name: 'memory', store: memoryStore(), write, rotateByHand, close: async () => undefined }
}

/** All candidates. One whose server is not running fails to open. */
const CANDIDATES: Readonly<Record<string, () => Promise<Candidate>>> = {
  memory: openMemory,
  redis: openRedis,
  postgres: () => {
    const pool = new Pool({ host: '127.0.0.1', user: 'root', database: 'test', max: LANES })
    return openSql('postgres', new PostgresDialect({ pool: withDeadlines(pool) }))
  },
  mariadb: () => {
    const pool = createPool({ host: '127.0.0.1', user: 'root', database: 'test', connectionLimit: LANES })
    return openSql('mariadb', new MysqlDialect({ pool: withDeadlines(pool) }))
  },
}

/** The calls per second, with several concurrent calls. */
async function rate(work: (lane: number) => Promise<unknown>): Promise<number> {
  const started = performance.now()
  let calls = 0
  const lane = async (index: number): Promise<void> => {
    while (performance.now() - started < SLICE) {
      await work(index)
      calls++
    }
  }
  await Promise.all(Array.from({ length: LANES }, (_, index) => lane(index)))
  return (calls / (performance.now() - started)) * 1000
}

/** Starts a session for each lane. Returns the function that refreshes it. */
async function startLanes(store: Store): Promise<(lane: number) => Promise<unknown>> {
  const session = {
    sub: 'bench',
    realm: null,
    provedAt: 0,
    authTime: null,
    acr: null,
    amr: null,
    scopes: [],
    data: {},
    brief: false,
    idleFor: null,
    metadata: {},
    label: null,
  }
  const lanes = await Promise.all(
    Array.from({ length: LANES }, async () => {
      const sid = randomBytes(16).toString('base64url')
      await store.start({ ...session, sid, ip: null, userAgent: null, idle: 86_400, absolute: 86_400 }, null)
      return { sid, gen: 0 }
    }),
  )
  return async (index) => {
    const lane = lanes[index]
    if (lane === undefined) return
    const rules = {
      overlap: 0,
      idle: 86_400,
      rotation: true,
      logTtl: 900,
      now: null,
      notAfter: null,
      seen: null,
    }
    const { word } = await store.rotate({ ...rules, sid: lane.sid, gen: lane.gen++ } satisfies RotateCall)
    if (word !== 'rotated') throw new Error(`expected a refresh to be rotated, got ${word}`)
  }
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

/** Measures each store that can be opened. */
export async function measureRotation(): Promise<readonly RotationResult[]> {
  const results: RotationResult[] = []
  for (const [name, open] of Object.entries(CANDIDATES)) {
    const candidate = await open().catch(() => null)
    if (candidate === null) {
      console.error(`${name} is not running: skipped`)
      continue
    }
    const rotate = await startLanes(candidate.store)
    const gens = Array.from({ length: LANES }, () => 0)
    const rotateByHand = async (lane: number) => {
      const gen = gens[lane] ?? 0
      gens[lane] = gen + 1
      if (!(await candidate.rotateByHand(lane, gen))) throw new Error('expected a rotation by hand')
    }
    const rounds = { writes: [] as number[], byHand: [] as number[], rotations: [] as number[] }
    for (let i = 0; i <= ROUNDS; i++) {
      const writes = await rate(candidate.write)
      const byHand = await rate(rotateByHand)
      const rotations = await rate(rotate)
      if (i === 0) continue
      rounds.byHand.push(byHand)
      rounds.writes.push(writes)
      rounds.rotations.push(rotations)
    }
    await candidate.close()
    const [writes, byHand, rotations] = [rounds.writes, rounds.byHand, rounds.rotations].map(median)
    results.push({ name, writes: writes ?? 0, byHand: byHand ?? 0, rotations: rotations ?? 0 })
  }
  return results
}
