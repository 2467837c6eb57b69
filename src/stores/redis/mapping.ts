/**
 * A row in Redis: a hash. What a step compares or changes is a field each; what never changes after the login is one field of JSON,
 * which is ASCII where UTF-8 would lose something (lone surrogates). Lua never looks into JSON: it would turn `[]` into `{}`.
 */
import type { NewSession, RevokeReason, SessionRow, StepUpCall } from '../../session/store.ts'
import { fromRedisTime } from './script.ts'

/** The fields in the order in which scripts read and answer them, and `toRow` takes them. */
const FIELDS = ['gen', 'rot', 'used', 'idle', 'abs', 'rev', 'why', 'made', 'auth', 'login', 'sub'] as const

const NAMES = FIELDS.map((name) => `'${name}'`).join(', ')

/** Lua that reads, judges and changes rows. */
export const ROW: string = `
local FIELDS = { ${NAMES} }
local ${FIELDS.map((name) => name.toUpperCase()).join(', ')} = ${FIELDS.map((_, index) => index + 1).join(', ')}
-- The values of a row, by the numbers above; all of them false where there is none.
local function read(key) return redis.call('HMGET', key, ${NAMES}) end
local function hasEnded(r) return now >= tonumber(r[IDLE]) or now >= tonumber(r[ABS]) end
local function isLive(r) return r[GEN] and r[REV] == '' and not hasEnded(r) end
-- What the keys of one store begin with, taken from one of them: the client may have put a prefix of its own in front.
local function stem(key, name) return string.sub(key, 1, #key - #name - 2) end
-- Writes values into a row, and into the copy that is answered.
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

/** The part of a row that never changes. */
type Login = Pick<SessionRow, 'sid' | 'sub' | 'realm' | 'scopes' | 'data' | 'ip' | 'userAgent'>

/** The part of a row that a step-up changes. */
type Authentication = Pick<SessionRow, 'authTime' | 'acr' | 'amr'>

/** What a login says once and for all. */
export function toLogin({ sid, sub, realm, scopes, data, ip, userAgent }: NewSession): string {
  return JSON.stringify({ sid, sub, realm, scopes, data, ip, userAgent } satisfies Login)
}

/** What is known of the latest active authentication. */
export function toAuthentication({ authTime, acr, amr }: NewSession | StepUpCall): string {
  return JSON.stringify({ authTime, acr, amr } satisfies Authentication)
}

/**
 * Reads a row as a script answers it. Every refresh does: the members are named one by one, which is three times as fast as spreading.
 *
 * @returns null where there is none
 */
export function toRow(reply: unknown): SessionRow | null {
  const [gen, rot, used, idle, abs, rev, why, made, authentication, login] = reply as readonly unknown[]
  if (gen === null || gen === undefined) return null
  const { sid, sub, realm, scopes, data, ip, userAgent } = JSON.parse(String(login)) as Login
  const { authTime, acr, amr } = JSON.parse(String(authentication)) as Authentication
  const reason = String(why)
  return {
    sid,
    sub,
    realm,
    gen: Number(gen),
    rotatedAt: fromRedisTime(rot),
    authTime,
    acr,
    amr,
    scopes,
    data,
    createdAt: fromRedisTime(made),
    lastUsedAt: fromRedisTime(used),
    idleExpiresAt: fromRedisTime(idle),
    absoluteExpiresAt: fromRedisTime(abs),
    revokedAt: reason === '' ? null : fromRedisTime(rev),
    revokeReason: reason === '' ? null : (reason as RevokeReason),
    ip,
    userAgent,
  }
}
