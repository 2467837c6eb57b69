/**
 * A row in Redis: a hash. Each value that a step compares or changes has its own field. What never
 * changes after the login is one field of JSON, with escapes where UTF-8 would lose something (lone
 * surrogates). Lua does not write JSON: it would turn `[]` into `{}`.
 */
import type { RevokeReason, SessionOwner, SessionRow } from '../../session/session-row.ts'
import { hashOwner } from '../../session/transfer.ts'
import { type Keys, toShared } from './keys.ts'
import { fromRedisTime } from './script.ts'

/**
 * The fields that a refresh reads. Rows of version 0.1 have no `late` and `before`; only sessions
 * with a time of their own have `span`, and only those that were seen since their login `ip` and
 * `agent`.
 */
export const REFRESHED_FIELDS = [
  'gen',
  'rot',
  'used',
  'idle',
  'abs',
  'rev',
  'made',
  'auth',
  'login',
  'late',
  'before',
  'span',
  'ip',
  'agent',
] as const

/**
 * The fields in the order in which scripts return them and `readRow` reads them. Rows of version
 * 0.1 have no `realm`.
 */
const FIELDS = [...REFRESHED_FIELDS, 'why', 'sub', 'realm'] as const

/** Where a script returns what an update changes. */
export const LOGIN_PLACE: number = FIELDS.indexOf('login')

const NAMES = FIELDS.map((name) => `'${name}'`).join(', ')

/** Lua that names the places of the fields. */
export const PLACES: string = `
local ${FIELDS.map((name) => name.toUpperCase()).join(', ')} = ${FIELDS.map((_, index) => index + 1).join(', ')}
`

/** Lua that reads and changes rows. */
export const ROW: string = `${PLACES}
local FIELDS = { ${NAMES} }
-- The values of a row, by the numbers above; all of them false where there is no row.
local function read(key) return redis.call('HMGET', key, ${NAMES}) end
local function hasEnded(r) return now >= tonumber(r[IDLE]) or now >= tonumber(r[ABS]) end
local function isLive(r) return r[GEN] and r[REV] == '' and not hasEnded(r) end
-- The prefix of all keys, taken from one of them: the client may add a prefix of its own.
local function stem(key, name) return string.sub(key, 1, #key - #name - 2) end
-- Changes a row, and the copy that is returned.
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

/**
 * Lua for owners, whose index and cut-off may have entries of version 0.1, in which realms shared
 * them.
 */
export const OWNER = `
-- Whether a row is in a realm, given as a JSON array.
local function isIn(realm, r)
  if r[REALM] then return r[REALM] == realm end
  return cjson.decode(r[LOGIN]).realm == cjson.decode(realm)[1]
end
-- The cut-off of an owner, or false. Ours end in '.0'; those that do not are of version 0.1, and the
-- subject goes by them in every realm.
local function readCut()
  local latest = false
  for i, key in ipairs({ cutoff, hashed, earliercut, earlierhash }) do
    local cut = redis.call('GET', key)
    if cut and (i < 3 or string.sub(cut, -2) ~= '.0') then
      latest = math.max(latest or 0, tonumber(cut))
    end
  end
  return latest
end
`

/** A realm in the form that scripts compare. */
export function toRealmJson({ realm }: SessionOwner): string {
  return JSON.stringify([realm])
}

/** The keys of an owner's cut-offs, which such scripts have among theirs. */
export const CUT_KEYS = 'cutoff hashed earliercut earlierhash'

/** What those keys are. */
export function toCutKeys(keys: Keys, owner: SessionOwner): readonly string[] {
  const shared = toShared(owner)
  const [own, all] = [hashOwner(owner), hashOwner(shared)]
  return [keys.cutOff(owner), keys.hashedCutOff(own), keys.cutOff(shared), keys.hashedCutOff(all)]
}

/** The part of a row that only an update changes. */
type Login = Pick<
  SessionRow,
  'sid' | 'sub' | 'realm' | 'scopes' | 'data' | 'metadata' | 'label' | 'brief' | 'ip' | 'userAgent'
>

/** As it is stored: earlier versions have written less. */
export type StoredLogin = Omit<Login, LaterName> & Partial<Pick<Login, LaterName>>
type LaterName = 'metadata' | 'label' | 'brief'

/** The part of a row that a step-up changes. */
export type Authentication = Pick<SessionRow, 'authTime' | 'acr' | 'amr'>

/** That part, as JSON. */
export function toLogin(session: Login): string {
  const { sid, sub, realm, scopes, data, metadata, label, brief, ip, userAgent } = session
  const login = { sid, sub, realm, scopes, data, metadata, label, brief, ip, userAgent } satisfies Login
  return JSON.stringify(login)
}

/** The latest active authentication, as JSON. */
export function toAuthentication({ authTime, acr, amr }: Authentication): string {
  return JSON.stringify({ authTime, acr, amr } satisfies Authentication)
}

/** The part of a row that has fields of its own. */
type State = Omit<SessionRow, keyof Login | keyof Authentication>

/** Joins the parts of a row. Naming each member is faster than a spread. */
export function joinRow(
  login: StoredLogin,
  { authTime, acr, amr }: Authentication,
  state: State,
): SessionRow {
  const { sid, sub, realm, scopes, data, metadata, label, brief, ip, userAgent } = login
  return {
    sid,
    sub,
    realm,
    gen: state.gen,
    rotatedAt: state.rotatedAt,
    late: state.late,
    lateBefore: state.lateBefore,
    authTime,
    acr,
    amr,
    scopes,
    data,
    metadata: metadata ?? {},
    label: label ?? null,
    createdAt: state.createdAt,
    lastUsedAt: state.lastUsedAt,
    idleExpiresAt: state.idleExpiresAt,
    absoluteExpiresAt: state.absoluteExpiresAt,
    brief: brief ?? false,
    idleFor: state.idleFor,
    revokedAt: state.revokedAt,
    revokeReason: state.revokeReason,
    ip,
    userAgent,
    lastIp: state.lastIp,
    lastUserAgent: state.lastUserAgent,
  }
}

/** Reads a row that a script returns; null without one. A field that is not there may be empty. */
export function readRow(reply: unknown): SessionRow | null {
  const [
    gen,
    rot,
    used,
    idle,
    abs,
    rev,
    made,
    authentication,
    login,
    late,
    before,
    span,
    lastIp,
    agent,
    why,
  ] = reply as readonly unknown[]
  if (isAbsent(gen)) return null
  const reason = isAbsent(why) ? '' : String(why)
  return joinRow(JSON.parse(String(login)), JSON.parse(String(authentication)), {
    gen: Number(gen),
    rotatedAt: fromRedisTime(rot),
    late: fromRedisTime(late ?? 0),
    lateBefore: fromRedisTime(before ?? 0),
    createdAt: fromRedisTime(made),
    lastUsedAt: fromRedisTime(used),
    idleExpiresAt: fromRedisTime(idle),
    absoluteExpiresAt: fromRedisTime(abs),
    idleFor: isAbsent(span) ? null : fromRedisTime(span),
    revokedAt: reason === '' ? null : fromRedisTime(rev),
    revokeReason: reason === '' ? null : (reason as RevokeReason),
    lastIp: toSeen(lastIp),
    lastUserAgent: toSeen(agent),
  })
}

/** A field with a text as JSON; null without one. */
function toSeen(field: unknown): string | null {
  return isAbsent(field) ? null : (JSON.parse(String(field)) as string)
}

function isAbsent(field: unknown): boolean {
  return field === null || field === undefined || field === ''
}
