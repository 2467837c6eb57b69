/**
 * Assertions on token families: all tokens of one session. They check that a family is revoked,
 * that none of its tokens works, and that forgeries revoke nothing.
 */
import { type Attacker, codeOf, type Exchange, type Login } from './attacker.ts'
import { type Check, type Complaint, unless } from './defaults.ts'
import { toBearerIntent, toRefreshIntent } from './intents.ts'
import { readSegment, toSegments } from './mutations.ts'
import { headerValues } from './raw-http.ts'

/** The generation of a refresh token. */
export function generationOf(refresh: string): number {
  const { jti } = readSegment(toSegments(refresh).payload)
  return Number(typeof jti === 'string' ? jti.split('.').at(-1) : Number.NaN)
}

/** The saved logins of the case's family, oldest first. */
function toFamily({ saved }: Attacker): Login[] {
  const logins = [...saved].flatMap(([name, login]) =>
    typeof login === 'string' || name === 'latest' ? [] : [login],
  )
  const [first] = logins
  return logins.filter(({ sid }) => sid === first?.sid)
}

/** Checks that each token of a login is refused with the right code. */
async function refused(attacker: Attacker, login: Login): Promise<Complaint> {
  const asked = [
    [toBearerIntent(login.access), 'token_revoked'],
    [toBearerIntent(login.access, '/strict'), 'token_revoked'],
    [toRefreshIntent(login.refresh), 'session_revoked'],
  ] as const
  for (const [intent, code] of asked) {
    const exchange = await attacker.request(intent)
    const { status } = exchange.response
    // If the clock has moved, an access token may have expired, which is as good.
    const dead = status === 401 && [code, 'token_expired'].includes(String(codeOf(exchange)))
    if (!dead)
      return `generation ${generationOf(login.refresh)}: ${intent.path} gets ${status} ${codeOf(exchange)}`
  }
  return undefined
}

const familyRevoked: Check = async (attacker) => {
  const family = toFamily(attacker)
  const [first] = family
  if (first === undefined) return 'no family'
  const row = await attacker.target.store.get(first.sid)
  if (row?.revokedAt === null || row?.revokeReason !== 'refresh_reused')
    return `the row says ${row?.revokeReason ?? 'live'}`
  for (const login of family) {
    const complaint = await refused(attacker, login)
    if (complaint !== undefined) return complaint
  }
  return undefined
}

/** The logins in the case's decisive responses. */
function toReturned(attacker: Attacker): Login[] {
  return attacker.decisive
    .filter(({ response }) => response.status === 200)
    .map((exchange) => attacker.toLogin('alice', exchange))
}

const everythingDead: Check = async (attacker) => {
  for (const login of [...toFamily(attacker), ...toReturned(attacker)]) {
    const complaint = await refused(attacker, login)
    if (complaint !== undefined) return complaint
  }
  const [first] = toFamily(attacker)
  const rows = await attacker.target.store.list({ sub: 'alice', realm: null }, attacker.now())
  return unless(!rows.some(({ sid }) => sid === first?.sid), 'the store lists the session as live')
}

const reportedOnce: Check = ({ target }) => {
  const reports = target.notices.filter(({ event }) => event === 'reused')
  return unless(reports.length === 1, `${reports.length} reports`)
}

/** A token with a false signature changes nothing in Alice's session. */
const neverRevokes: Check = async (attacker) => {
  const [first] = toFamily(attacker)
  if (first === undefined) return 'no family'
  const row = await attacker.target.store.get(first.sid)
  if (row === null || row.revokedAt !== null) return `the row says ${row?.revokeReason ?? 'gone'}`
  const { entries } = await attacker.target.store.readLog(null, 100)
  if (entries.some(({ key }) => key === first.sid)) return 'the log has an entry for it'
  const notices = attacker.target.notices.find(({ event }) => event === 'reused' || event === 'ended')
  return unless(notices === undefined, `it is reported: ${notices?.event}`)
}

const genuineWorks: Check = async (attacker) => {
  const probe = attacker.findings.get('probe')
  if (typeof probe !== 'number') return 'it was not tried'
  if (probe !== 200) return `its refresh gets ${probe}`
  const login = await attacker.savedLogin('B')
  if (login === undefined) return 'it has no successor'
  const { response } = await attacker.request(toBearerIntent(login.access, '/strict'))
  return unless(response.status === 200, `its access token gets ${response.status}`)
}

/** The exchanges of the case with one method. */
const byMethod = ({ exchanges }: Attacker, method: string): Exchange[] =>
  exchanges.filter(({ request }) => request.method === method)

const refusesDeletion: Check = (attacker) => {
  const deleted = byMethod(attacker, 'DELETE')
  const open = deleted.find(({ response }) => response.status !== 404 && response.status !== 403)
  return unless(deleted.length > 0 && open === undefined, `it gets ${open?.response.status ?? 'nothing'}`)
}

/** Bob's session is live. Alice neither sees its identifier nor can guess it. */
const bobLives: Check = async (attacker) => {
  const [alice, bob] = [await attacker.savedLogin('A'), await attacker.savedLogin('B')]
  if (alice === undefined || bob === undefined) return 'no logins'
  const row = await attacker.target.store.get(bob.sid)
  if (row === null || row.revokedAt !== null) return 'the store says otherwise'
  for (const [path, status] of [
    ['/strict', 200],
    ['/protected', 200],
  ] as const) {
    const { response } = await attacker.request(toBearerIntent(bob.access, path))
    if (response.status !== status) return `${path} gets ${response.status}`
  }
  const listed = await attacker.request(toBearerIntent(alice.access, '/sessions'))
  if (listed.response.status !== 200 || !listed.response.body.includes(alice.sid))
    return 'Alice sees no session'
  if (listed.response.body.includes(bob.sid)) return "Alice sees Bob's session"
  const random = [alice.sid, bob.sid].every((sid) => Buffer.from(sid, 'base64url').length >= 16)
  return unless(random, 'a session has an identifier of less than 128 bits')
}

/** The names and attributes of a response's cookies, without values, ages and dates. */
function toAttributes({ response }: Exchange): string[] {
  return headerValues(response, 'set-cookie')
    .map((line) => {
      const [pair = '', ...attributes] = line.split(/;\s*/)
      const kept = attributes.filter((attribute) => !/^(?:max-age|expires)=/i.test(attribute))
      return [pair.slice(0, pair.indexOf('=')), ...kept.map((one) => one.toLowerCase()).sort()].join('; ')
    })
    .sort()
}

/** Logout clears exactly the cookies that login set. A refused refresh clears none. */
const clearsExactly: Check = async (attacker) => {
  const login = await attacker.savedLogin('A')
  const logout = byMethod(attacker, 'POST').find(({ request }) => request.path.endsWith('/logout'))
  if (login === undefined || logout === undefined) return 'no login or no logout'
  const [set, cleared] = [toAttributes(login.exchange), toAttributes(logout)]
  if (set.length === 0 || set.join('\n') !== cleared.join('\n')) return `set ${set}, cleared ${cleared}`
  const stale = headerValues(logout.response, 'set-cookie').find(
    (line) => !/^[^=]+=;/.test(line) || !/max-age=0|expires=thu, 01 jan 1970/i.test(line),
  )
  if (stale !== undefined) return `not cleared: ${stale.slice(0, 40)}`
  const headers = [
    ['Cookie', login.cookies],
    ['X-CSRF-Token', login.csrf],
  ] as const
  const late = await attacker.request({ method: 'POST', path: '/refresh', headers })
  if (late.response.status !== 401) return `its refresh token gets ${late.response.status}`
  return unless(headerValues(late.response, 'set-cookie').length === 0, 'a refused refresh sets cookies')
}

/** A demoted user's old access token keeps its scopes until it expires, and no longer. */
const boundedByLife: Check = async (attacker) => {
  const login = await attacker.savedLogin('A')
  if (login === undefined) return 'no login'
  const ask = async () =>
    (await attacker.request(toBearerIntent(login.access, '/protected?need=admin'))).response
  attacker.target.clock.advance(900)
  const { status } = await ask()
  return unless(status === 401, `the token from before the demotion gets ${status} at its end`)
}

/** The caller sees sessions of their own realm and name only. */
const ownSessions: Check = async (attacker, last) => {
  const token = last?.request.headers.find(([name]) => name === 'Authorization')?.[1] ?? ''
  const { sub, login_type: realm = null } = readSegment(toSegments(token.slice('Bearer '.length)).payload)
  const body: unknown = JSON.parse(last?.response.body || 'null')
  const listed: unknown = Object(body)['sessions'] ?? body
  if (!Array.isArray(listed) || listed.length === 0) return 'no sessions are listed'
  for (const session of listed) {
    const row = await attacker.target.store.get(String(Object(session)['id']))
    if (row?.sub !== sub || row?.realm !== realm) return `a session of ${row?.sub} in realm ${row?.realm}`
  }
  return undefined
}

const shadowReported: Check = ({ target }) => {
  const { length } = target.notices.filter(({ event }) => event === 'shadowed')
  return unless(length === 1, `${length} events`)
}

/** The check of a sentence that steps have recorded. */
export function recorded(sentence: string): Check {
  return (attacker) => {
    const complaints = attacker.records.get(sentence)
    if (complaints === undefined) return 'nothing was checked'
    const more = complaints.length > 3 ? ` (and ${complaints.length - 3} more)` : ''
    return complaints.length === 0 ? undefined : `${complaints.slice(0, 3).join('; ')}${more}`
  }
}

/** Sentences about families. */
export const FAMILY_ASSERTIONS: Readonly<Record<string, readonly Check[]>> = {
  'family revoked': [familyRevoked],
  'no live refresh token remains': [everythingDead],
  'reuse reported once': [reportedOnce],
  'a shadowed session is reported once': [shadowReported],
  'each listed session is of its caller': [ownSessions],
  'every refresh token returned by any 200 is dead': [everythingDead],
  'every access token dead in strict mode': [everythingDead],
  "an unauthenticated forgery never revokes alice's family (no remote logout)": [neverRevokes],
  'the genuine token still works': [genuineWorks],
  'DELETE answered 404/403': [refusesDeletion],
  "bob's session still alive": [bobLives],
  'after it 401 and the family is revoked': [familyRevoked],
}

/** What single cases require in their description but in no sentence. */
export const CASE_CHECKS: Readonly<Record<string, readonly Check[]>> = {
  'CKI-06': [clearsExactly],
  'SCP-04': [boundedByLife],
}
