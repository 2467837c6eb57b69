/**
 * A rotation as a careful engineer writes it by hand for one store: one atomic step that advances
 * the generation of a live session if the caller has the newest one, extends its idle life, and
 * returns what the new tokens need. It forgives no race of two tabs and detects no theft.
 */
import type { Redis } from 'ioredis'
import { type Kysely, sql } from 'kysely'

/** Rotates the session of a lane from a generation on; resolves to whether it was the newest. */
type Rotate = (lane: number, gen: number) => Promise<boolean>

/** How long an unused session lives, in milliseconds. */
const IDLE = 86_400_000

const SCRIPT = `
local row = redis.call('HMGET', KEYS[1], 'gen', 'ends', 'sub', 'scopes', 'data')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if row[1] ~= ARGV[1] or tonumber(row[2]) <= now then return false end
redis.call('HSET', KEYS[1], 'gen', ARGV[1] + 1, 'rotated', now)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return row`

/** On Redis: one script. */
export async function prepareRedis(client: Redis, prefix: string, lanes: number): Promise<Rotate> {
  const digest = String(await client.script('LOAD', SCRIPT))
  for (let lane = 0; lane < lanes; lane++) {
    const row = { gen: 0, ends: Date.now() + IDLE, sub: 'bench', scopes: '[]', data: '{}' }
    await client.hset(`${prefix}${lane}`, row)
  }
  return async (lane, gen) => (await client.evalsha(digest, 1, `${prefix}${lane}`, gen, IDLE)) !== null
}

/** On SQL: one update, which MySQL follows by a select. */
export async function prepareSql(
  db: Kysely<Record<string, never>>,
  { dialect, table, lanes }: { dialect: string; table: string; lanes: number },
): Promise<Rotate> {
  const name = sql.raw(table)
  await sql`create table ${name} (sid varchar(64) primary key, sub text, scopes text, data text,
    gen bigint, rotated_at bigint, idle_ends bigint, ends bigint, revoked_at bigint)`.execute(db)
  const ends = Date.now() + 2 * IDLE
  for (let lane = 0; lane < lanes; lane++)
    await sql`insert into ${name} values (${`lane-${lane}`}, 'bench', '[]', '{}', 0, 0, ${ends}, ${ends}, null)`.execute(
      db,
    )
  const update = (lane: number, gen: number) => {
    const now = Date.now()
    return sql`update ${name} set gen = gen + 1, rotated_at = ${now}, idle_ends = ${now + IDLE}
      where sid = ${`lane-${lane}`} and gen = ${gen} and revoked_at is null
      and idle_ends > ${now} and ends > ${now}`
  }
  if (dialect === 'postgres')
    return async (lane, gen) => {
      const { rows } = await sql`${update(lane, gen)} returning sub, scopes, data, gen, ends`.execute(db)
      return rows.length === 1
    }
  return async (lane, gen) => {
    const { numAffectedRows } = await update(lane, gen).execute(db)
    const { rows } = await sql`select sub, scopes, data, gen, ends from ${name}
      where sid = ${`lane-${lane}`}`.execute(db)
    return numAffectedRows === 1n && rows.length === 1
  }
}
