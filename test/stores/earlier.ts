/**
 * What version 1 of the schema wrote, in which a realm was no part of the subject: the statements
 * and scripts of that version, by the new plumbing. A process of that version may still run while
 * others have been replaced.
 */
import type { Redis } from 'ioredis'
import type { NewSession, RevokeReason } from '../../src/session/session-row.ts'
import type { EndAllCall, RevocationQuery, RotateCall } from '../../src/session/store.ts'
import { createSender } from '../../src/stores/redis/client.ts'
import { createKeys, spell } from '../../src/stores/redis/keys.ts'
import { toAuthentication, toLogin } from '../../src/stores/redis/mapping.ts'
import {
  createRunner,
  createScript,
  EXPIRY,
  toRedisTime,
  toRedisTimeOrNull,
} from '../../src/stores/redis/script.ts'
import { createDatabase } from '../../src/stores/sql/create-database.ts'
import type { Result, Run } from '../../src/stores/sql/database.ts'
import { toColumns } from '../../src/stores/sql/mapping.ts'
import type { Values } from '../../src/stores/sql/statement.ts'
import { escapeText, toColumnTime, toKey, toVersion } from '../../src/stores/sql/values.ts'
import type { Db } from './sql-databases.ts'

/** The part of version 1 that wrote and checked; every call brings its time. */
export interface EarlierStore {
  /** @returns null where the subject was revoked since the proof */
  start(session: NewSession, now: number): Promise<unknown>
  /** Advances, replays or reuses, by the rules of that version. */
  rotate(call: RotateCall & { readonly now: number }): Promise<{ readonly word: string }>
  end(sid: string, reason: RevokeReason, call: { logTtl: number; now: number }): Promise<boolean>
  endAll(sub: string, reason: RevokeReason, call: EndAllCall & { readonly now: number }): Promise<number>
  revokeToken(jti: string, until: number, now: number): Promise<void>
  isRevoked(query: Omit<RevocationQuery, 'realm'>): Promise<boolean>
}

const COLUMNS = [
  'sid_key',
  'sub_key',
  'sid',
  'sub',
  'realm',
  'gen',
  'rotated_at',
  'auth_at',
  'acr',
  'amr',
  'scopes',
  'data',
  'created_at',
  'last_used_at',
  'idle_expires_at',
  'absolute_expires_at',
  'revoked_at',
  'revoke_reason',
  'ip',
  'user_agent',
] as const

/** SQL, as SQLite and MySQL ran it; PostgreSQL had the same in one statement each. */
export function createEarlierSql(db: Db): EarlierStore {
  const { compile, dialect, transact } = createDatabase(db, {})
  const upsert = dialect === 'mysql' ? 'on duplicate key update' : 'on conflict (sub_key) do update set'
  const ask = async (run: Run, text: string, values: Values): Promise<Result['rows']> =>
    (await run(compile(text), values)).rows
  const lockSubject = async (run: Run, sub: string): Promise<Record<string, unknown>> => {
    const values = { sub_key: toKey(sub), version: toVersion() }
    const text = `insert into {subjects} (sub_key, version, until_at) values (:sub_key, :version, 0) ${upsert} version = :version`
    await ask(run, text, values)
    const found = 'select cut_off_at, until_at from {subjects} where sub_key = :sub_key {lock}'
    return (await ask(run, found, values))[0] ?? {}
  }
  const append = async (run: Run, kind: string, key: string, [at, until]: [number, number]) => {
    await ask(run, "update {counters} set n = n + 1 where name = 'log'", {})
    const text = `insert into {log} (id, kind, key_hash, entry_key, revoked_at, until_at)
      select n, :kind, :hash, :key, :at, :until from {counters} where name = 'log'`
    await ask(run, text, { kind, hash: toKey(key), key: escapeText(key), at, until })
  }
  const find = async (run: Run, sid: string): Promise<Record<string, unknown> | undefined> =>
    (
      await ask(run, `select ${COLUMNS.join(', ')} from {sessions} where sid_key = :sid_key {lock}`, {
        sid_key: toKey(sid),
      })
    )[0]
  const revoke = async (run: Run, sid: string, reason: RevokeReason, [at, ttl]: [number, number]) => {
    const values = { sid_key: toKey(sid), at, reason }
    await ask(
      run,
      'update {sessions} set revoked_at = :at, revoke_reason = :reason where sid_key = :sid_key',
      values,
    )
    await append(run, 'sid', sid, [at, at + ttl])
  }
  return {
    start: (session, now) =>
      transact(async (run) => {
        const { cut_off_at: cutOff = null } = await lockSubject(run, session.sub)
        if (cutOff !== null && Number(cutOff) >= toColumnTime(session.provedAt)) return null
        const columns = toColumns(session, toColumnTime(now))
        const names = COLUMNS.map((name) => `:${name}`).join(', ')
        return ask(run, `insert into {sessions} (${COLUMNS.join(', ')}) values (${names})`, columns)
      }),
    rotate: ({ sid, gen, overlap, idle, logTtl, now }) =>
      transact(async (run) => {
        const row = await find(run, sid)
        if (row === undefined || row['revoked_at'] !== null) return { word: row ? 'revoked' : 'unknown' }
        const at = toColumnTime(now)
        const age = at - Number(row['rotated_at'])
        const behind = Number(row['gen']) - gen
        if (behind === 1 && age <= toColumnTime(overlap)) return { word: 'replayed' }
        if (behind > 0) {
          await revoke(run, sid, 'refresh_reused', [at, toColumnTime(logTtl)])
          return { word: 'reused' }
        }
        if (behind === 0 && gen > 0 && age < 2 * toColumnTime(overlap)) return { word: 'kept' }
        const text = `update {sessions} set gen = :gen, rotated_at = :at, last_used_at = :at,
          idle_expires_at = :ends where sid_key = :sid_key`
        const ends = Math.min(at + toColumnTime(idle), Number(row['absolute_expires_at']))
        await ask(run, text, { sid_key: toKey(sid), gen: gen + 1, at, ends })
        return { word: 'rotated' }
      }),
    end: (sid, reason, { logTtl, now }) =>
      transact(async (run) => {
        const row = await find(run, sid)
        if (row === undefined || row['revoked_at'] !== null) return false
        await revoke(run, sid, reason, [toColumnTime(now), toColumnTime(logTtl)])
        return true
      }),
    endAll: (sub, reason, { logTtl, now, except, cutOff }) =>
      transact(async (run) => {
        const { cut_off_at: known, until_at: kept } = await lockSubject(run, sub)
        const at = toColumnTime(now)
        if (cutOff !== null) {
          const cut = Math.max(at, Number(known ?? 0))
          const until = Math.max(at + toColumnTime(cutOff), Number(kept))
          const text = 'update {subjects} set cut_off_at = :cut, until_at = :until where sub_key = :sub_key'
          await ask(run, text, { sub_key: toKey(sub), cut, until })
          await append(run, 'sub', sub, [cut, until])
        }
        const text = `select sid from {sessions} where sub_key = :sub_key and revoked_at is null
          and sid_key <> :except {lock}`
        const values = { sub_key: toKey(sub), except: except === null ? '' : toKey(except) }
        const live = await ask(run, text, values)
        for (const { sid } of live)
          await revoke(run, JSON.parse(`"${String(sid)}"`), reason, [at, toColumnTime(logTtl)])
        return live.length
      }),
    revokeToken: (jti, until, now) =>
      transact((run) => append(run, 'jti', jti, [toColumnTime(now), toColumnTime(until)])),
    isRevoked: ({ sid, jti, sub, iat, now }) =>
      transact(async (run) => {
        const values = {
          jti_key: jti === null ? '' : toKey(jti),
          sid_key: sid === null ? '' : toKey(sid),
          sub_key: toKey(sub),
          iat: iat === null ? 0 : toColumnTime(iat),
          at: toColumnTime(now ?? 0),
        }
        const token = "select 1 as found from {log} where key_hash = :jti_key and kind = 'jti'"
        if ((await ask(run, token, values)).length > 0) return true
        const live = `select 1 as found from {sessions} where sid_key = :sid_key and revoked_at is null
          and idle_expires_at > :at and absolute_expires_at > :at`
        if (sid !== null) return (await ask(run, live, values)).length === 0
        const cut = 'select 1 as found from {subjects} where sub_key = :sub_key and cut_off_at >= :iat'
        return (await ask(run, cut, values)).length > 0
      }),
  }
}

const FIELDS = ['gen', 'rot', 'used', 'idle', 'abs', 'rev', 'why', 'made', 'auth', 'login', 'sub']
const NAMES = FIELDS.map((name) => `'${name}'`).join(', ')

/** Lua, as it was. */
const ROW = `
local FIELDS = { ${NAMES} }
local ${FIELDS.map((name) => name.toUpperCase()).join(', ')} = ${FIELDS.map((_, index) => index + 1).join(', ')}
local function read(key) return redis.call('HMGET', key, ${NAMES}) end
local function hasEnded(r) return now >= tonumber(r[IDLE]) or now >= tonumber(r[ABS]) end
local function isLive(r) return r[GEN] and r[REV] == '' and not hasEnded(r) end
local function stem(key, name) return string.sub(key, 1, #key - #name - 2) end
local function change(key, r, values)
  local words = {}
  for field, value in pairs(values) do
    r[field] = value
    words[#words + 1] = FIELDS[field]
    words[#words + 1] = value
  end
  redis.call('HSET', key, unpack(words))
end
`
const APPEND = `
local function append(kind, key, at, till)
  redis.call('XADD', log, '*', 'kind', kind, 'key', key, 'at', at, 'until', till)
end
`

const START = createScript({
  keys: 'row index cutoff due',
  args: 'sid sub login auth #proved #idle #absolute',
  body: `${EXPIRY}${ROW}
local r = read(row)
if r[GEN] then return r[REV] == '' and r or {} end
local cut = redis.call('GET', cutoff)
if cut and tonumber(cut) >= proved then return {} end
local ends = now + absolute
change(row, r, {
  [GEN] = 0, [ROT] = now, [USED] = now, [IDLE] = math.min(now + idle, ends), [ABS] = ends,
  [REV] = '', [WHY] = '', [MADE] = now, [AUTH] = auth, [LOGIN] = login, [SUB] = sub,
})
expire(row, ends + DAY)
redis.call('ZREMRANGEBYSCORE', index, '-inf', string.format('%.0f', now))
redis.call('ZADD', index, ends, sid)
prolong(index, ends + DAY)
return r
`,
})

const ROTATE = createScript({
  keys: 'row log',
  args: 'sid #presented #overlap #idle #logttl',
  body: `${ROW}${APPEND}
local r = read(row)
local gen = tonumber(r[GEN] or nil)
if not gen then return { 'unknown' } end
if r[REV] ~= '' then return { 'revoked' } end
local age = math.max(0, now - tonumber(r[ROT]))
if presented == gen - 1 and age <= overlap then return { 'replayed' } end
if presented < gen then
  change(row, r, { [REV] = now, [WHY] = 'refresh_reused' })
  redis.call('ZREM', stem(row, sid) .. 'u:' .. r[SUB], sid)
  append('sid', sid, now, now + logttl)
  return { 'reused' }
end
if presented == gen and gen > 0 and age < 2 * overlap then return { 'kept' } end
local ends = math.min(now + idle, tonumber(r[ABS]))
change(row, r, { [GEN] = presented + 1, [ROT] = now, [USED] = now, [IDLE] = ends })
return { 'rotated' }
`,
})

const END = createScript({
  keys: 'row log',
  args: 'sid why #logttl',
  body: `${ROW}${APPEND}
local r = read(row)
if r[GEN] and r[REV] ~= '' then return { 0 } end
local live = isLive(r) and 1 or 0
if r[GEN] then
  change(row, r, { [REV] = now, [WHY] = why })
  redis.call('ZREM', stem(row, sid) .. 'u:' .. r[SUB], sid)
end
append('sid', sid, now, now + logttl)
return { live }
`,
})

const END_ALL = createScript({
  keys: 'index cutoff log due',
  args: 'sub why #logttl except #tokenttl',
  body: `${EXPIRY}${ROW}${APPEND}
local rows = stem(index, sub) .. 's:'
local live, last = {}, now + logttl
for _, sid in ipairs(redis.call('ZRANGE', index, 0, -1)) do
  local r = read(rows .. sid)
  if r[GEN] then last = math.max(last, tonumber(r[ABS])) end
  if sid ~= except and isLive(r) then live[#live + 1] = { sid = sid, r = r } end
end
local cut = math.max(now, tonumber(redis.call('GET', cutoff) or 0))
for _, session in ipairs(live) do
  change(rows .. session.sid, session.r, { [REV] = now, [WHY] = why })
  redis.call('ZREM', index, session.sid)
  append('sid', session.sid, now, now + logttl)
end
if tokenttl then
  redis.call('SET', cutoff, string.format('%.0f', cut), 'KEEPTTL')
  prolong(cutoff, math.max(last, now + tokenttl) + DAY)
  append('sub', sub, cut, now + math.max(logttl, tokenttl))
end
return { #live }
`,
})

const REVOKE_TOKEN = createScript({
  keys: 'token log due',
  args: 'jti #till',
  body: `${EXPIRY}${APPEND}
redis.call('SET', token, string.format('%.0f', till))
expire(token, till)
append('jti', jti, now, till)
return { 1 }
`,
})

const IS_REVOKED = createScript({
  keys: 'row token cutoff',
  args: 'hassid hasjti #issued',
  body: `${ROW}
local till = hasjti == '1' and redis.call('GET', token)
if till and tonumber(till) > now then return { 1 } end
if hassid == '1' then return { isLive(read(row)) and 0 or 1 } end
local cut = redis.call('GET', cutoff)
return { cut and (not issued or issued <= tonumber(cut)) and 1 or 0 }
`,
})

/** Redis, with the keys of that version: a subject's index and cut-off were those of all realms. */
export function createEarlierRedis(client: Redis): EarlierStore {
  const keys = createKeys('tw')
  const run = createRunner(createSender(client, 5))
  const index = (sub: string): string => keys.index({ sub, realm: null })
  const cutOff = (sub: string): string => keys.cutOff({ sub, realm: null })
  return {
    async start(session, now) {
      const { sid, sub } = session
      const times = [session.provedAt, session.idle, session.absolute].map(toRedisTime)
      const [gen] = await run(START, {
        keys: [keys.row(sid), index(sub), cutOff(sub), keys.due],
        args: [spell(sid), spell(sub), toLogin(session), toAuthentication(session), ...times],
        now,
      })
      return gen ?? null
    },
    async rotate({ sid, gen, overlap, idle, logTtl, now }) {
      const args = [spell(sid), gen, toRedisTime(overlap), toRedisTime(idle), toRedisTime(logTtl)]
      const [word] = await run(ROTATE, { keys: [keys.row(sid), keys.log], args, now })
      return { word: String(word) }
    },
    async end(sid, reason, { logTtl, now }) {
      const args = [spell(sid), reason, toRedisTime(logTtl)]
      return Number((await run(END, { keys: [keys.row(sid), keys.log], args, now }))[0]) === 1
    },
    async endAll(sub, reason, { logTtl, except, cutOff: tokenTtl, now }) {
      const ttls = [toRedisTime(logTtl), except && spell(except), toRedisTimeOrNull(tokenTtl)] as const
      const [count] = await run(END_ALL, {
        keys: [index(sub), cutOff(sub), keys.log, keys.due],
        args: [spell(sub), reason, ...ttls],
        now,
      })
      return Number(count)
    },
    async revokeToken(jti, until, now) {
      const args = [spell(jti), toRedisTime(until)]
      await run(REVOKE_TOKEN, { keys: [keys.token(jti), keys.log, keys.due], args, now })
    },
    async isRevoked({ sid, jti, sub, iat, now }) {
      const [revoked] = await run(IS_REVOKED, {
        keys: [keys.row(sid ?? ''), keys.token(jti ?? ''), cutOff(sub)],
        args: [sid !== null, jti !== null, toRedisTimeOrNull(iat)],
        now,
      })
      return Number(revoked) === 1
    },
  }
}
