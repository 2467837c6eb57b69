/**
 * The assertions of case files: a table from each sentence to its checks. A sentence that is not in
 * the table is not checked, and the report says so. `defaults.ts` checks what every attack must
 * leave intact.
 */
import { createHash } from 'node:crypto'
import { createAuth } from 'tokenwright'
import type { Attacker, Exchange } from './attacker.ts'
import { CRASH_SENTENCES } from './crashes.ts'
import { CUT_SENTENCES } from './cuts.ts'
import { type Check, checkPollution, DEFAULTS, toIntent, unless } from './defaults.ts'
import { FAMILY_ASSERTIONS, recorded } from './families.ts'
import { FEED_SENTENCES } from './feeds.ts'
import { GREETING_SENTENCES } from './greetings.ts'
import { COOKIE_NAMES, toRefreshIntent } from './intents.ts'
import { LEAK_ASSERTIONS } from './leaks.ts'
import { LOGIN_ASSERTIONS } from './logins.ts'
import { readSegment, toSegments } from './mutations.ts'
import { OUTAGE_SENTENCES } from './outages.ts'
import { headerValues } from './raw-http.ts'
import { SAME_SUCCESSOR } from './session-steps.ts'
import { NO_HIT } from './stores.ts'
import { TAB_SENTENCES } from './tabs.ts'
import { AUDIENCE, ISSUER, TIMES } from './target.ts'

/** Repeats the last request and returns the least value of a measure, in milliseconds. */
async function best(attacker: Attacker, last: Exchange, measure: (exchange: Exchange) => number) {
  let least = measure(last)
  for (let i = 0; i < 10; i++) least = Math.min(least, measure(await attacker.request(toIntent(last))))
  return least
}

const handling = (exchange: Exchange) => exchange.handling ?? 0
const elapsed = (exchange: Exchange) => exchange.response.elapsed

const faster =
  (limit: number, measure: (exchange: Exchange) => number): Check =>
  async (attacker, last) => {
    if (last === undefined) return 'no response to time'
    const least = await best(attacker, last, measure)
    return unless(least < limit, `${measure.name}: ${least.toFixed(2)} ms`)
  }

const noCookie: Check = (_attacker, last) =>
  unless(
    last === undefined || headerValues(last.response, 'set-cookie').length === 0,
    'Set-Cookie on the response',
  )

const noToken: Check = (attacker, last) =>
  noCookie(attacker, last) ?? unless(!/token":"|eyJ/.test(last?.response.body ?? ''), 'a token in the body')

const noCredentialedOrigin: Check = (_attacker, last) => {
  if (last === undefined) return 'no response'
  const [origin] = headerValues(last.response, 'access-control-allow-origin')
  const [credentials] = headerValues(last.response, 'access-control-allow-credentials')
  return unless(origin === undefined || credentials !== 'true', `${origin} may send credentials`)
}

/** The handler must see what a JSON parser sees that takes the last of two equal names. */
const lastWins: Check = (attacker, last) => {
  const [seen] = last?.executions ?? []
  if (seen === undefined || attacker.payload === undefined) return undefined
  const { sub, exp } = JSON.parse(attacker.payload)
  return unless(seen.sub === sub && seen.exp === exp, 'the handler did not see the last of two equal names')
}

const noScopeGained: Check = async (attacker, last) => {
  const gained = (last?.executions ?? []).find(({ scopes }) => scopes.length > 0)
  if (gained !== undefined) return `scopes ${gained.scopes.join(' ')}`
  if (last === undefined) return undefined
  for (const scope of ['root', 'admin']) {
    const { response } = await attacker.request({ ...toIntent(last), path: `/protected?need=${scope}` })
    if (response.status < 400) return `scope ${scope} is gained`
  }
  return undefined
}

const registeredClaims: Check = (attacker) => {
  if (attacker.setup?.status === 'config_error') return undefined
  const login = attacker.saved.get('A')
  if (login === undefined || typeof login === 'string') return 'no login'
  const header = readSegment(toSegments(login.access).header)
  const { sub, exp, jti, iss, aud, type } = readSegment(toSegments(login.access).payload)
  const kept = sub === login.user && exp === attacker.now() + (TIMES['access_ttl'] ?? 0) && jti !== 'x'
  const named = iss === ISSUER && aud === AUDIENCE && type === 'access' && header['typ'] === 'access+jwt'
  return unless(kept && named, 'custom claims replace registered ones')
}

/** The attributes of the three cookies, as the case and RFC 6265bis require them. */
const cookieAttributes: Check = (_attacker, last) => {
  const lines = last === undefined ? [] : headerValues(last.response, 'set-cookie')
  for (const [name, cookie] of Object.entries(COOKIE_NAMES)) {
    const line = lines.find((text) => text.startsWith(`${cookie}=`))
    if (line === undefined) return `no cookie for ${name}`
    const [, ...parts] = line.split(';').map((part) => part.trim().toLowerCase())
    const age = Number(parts.find((part) => part.startsWith('max-age='))?.slice('max-age='.length))
    const life = TIMES[name === 'access' ? 'access_ttl' : 'refresh_ttl'] ?? 0
    const checks: Readonly<Record<string, boolean>> = {
      HttpOnly: parts.includes('httponly') === (name !== 'csrf'),
      Secure: parts.includes('secure'),
      SameSite: parts.includes('samesite=lax') || parts.includes('samesite=strict'),
      Path: parts.includes('path=/'),
      Domain: !parts.some((part) => part.startsWith('domain')),
      'Max-Age': age > 0 && age <= life,
      size: line.length <= 4096,
    }
    const wrong = Object.entries(checks).find(([, right]) => !right)
    if (wrong !== undefined) return `cookie ${name}: ${wrong[0]}`
  }
  return undefined
}

/** However many ask at once with one proof. */
const loggedInOnce: Check = ({ exchanges }) => {
  const logins = exchanges.filter(({ response }) => response.status === 200 && /_token/.test(response.body))
  return unless(logins.length === 1, `${logins.length} log in`)
}

const largeCookie: Check = async ({ target: { auth } }) => {
  try {
    await auth.cookies(await auth.createTokenPair('alice', { data: { blob: 'x'.repeat(4_096) } }))
  } catch {
    return undefined
  }
  return 'a cookie of more than 4096 bytes is issued'
}

const insecureNone: Check = ({ target: { server } }) => {
  const secret = server.key instanceof Uint8Array ? server.key : new Uint8Array(0)
  try {
    createAuth({ secret, locations: ['cookie'], cookies: { sameSite: 'None', secure: false } })
  } catch (error) {
    return unless(error instanceof Error && error.name === 'ConfigurationError', `${error}`)
  }
  return 'SameSite=None without Secure is accepted'
}

function logins(attacker: Attacker) {
  const [first, second] = [attacker.saved.get('A'), attacker.saved.get('B')]
  return typeof first === 'object' && typeof second === 'object' ? { first, second } : undefined
}

const idsDiffer: Check = (attacker) => {
  const both = logins(attacker)
  if (both === undefined) return 'no two logins'
  const ids = ({ access, refresh, csrf }: typeof both.first) => {
    const jti = [access, refresh].map((token) => readSegment(toSegments(token).payload)['jti'])
    return [access, refresh, csrf, ...jti]
  }
  const before = ids(both.first)
  return unless(!ids(both.second).some((id) => before.includes(id)), 'an identifier outlives the login')
}

const oldCsrfInvalid: Check = async (attacker) => {
  const both = logins(attacker)
  if (both === undefined) return 'no two logins'
  const post = (csrf: string) =>
    attacker.request({
      method: 'POST',
      path: '/protected',
      headers: [
        ['Cookie', both.second.cookies],
        ['X-CSRF-Token', csrf],
      ],
    })
  const [old, own] = [await post(both.first.csrf), await post(both.second.csrf)]
  if (own.response.status !== 200) return `the new CSRF value gets ${own.response.status}`
  return unless(old.response.status === 403, `the old CSRF value gets ${old.response.status}`)
}

/** The time of last use is rounded for callers, but not to before the login. */
const coarseUse: Check = (_attacker, last) => {
  const body: unknown = JSON.parse(last?.response.body || '{}')
  const sessions: unknown = Object(body)['sessions'] ?? body
  if (!Array.isArray(sessions) || sessions.length === 0) return 'no sessions are listed'
  const uses = sessions.map((session) => {
    const { created_at: created, last_used_at: used } = Object(session)
    return { created: Number(created), used: Number(used) }
  })
  const exact = uses.find(({ created, used }) => used !== created && used % 3600 !== 0)
  return unless(exact === undefined, `last used at ${exact?.used}, created at ${exact?.created}`)
}

/** How many sessions a list has at most. */
const MOST_LISTED = 1000

const boundedList: Check = (_attacker, last) => {
  const body: unknown = JSON.parse(last?.response.body || 'null')
  const sessions: unknown = Object(body)['sessions'] ?? body
  const length = Array.isArray(sessions) ? sessions.length : 0
  return unless(length > 0 && length <= MOST_LISTED, `${length} are listed`)
}

const noRetiredKey: Check = (_attacker, last) => {
  const { keys }: { keys?: unknown } = JSON.parse(last?.response.body || '{}')
  const kids = Array.isArray(keys) ? keys.map((key) => Object(key)['kid']) : []
  return unless(kids.length > 0 && !kids.includes('retired'), `listed: ${kids.join(', ') || 'nothing'}`)
}

/** A logout tells the truth: a 2xx ends the session, and a refusal does not. */
const honestLogout: Check = async (attacker, last) => {
  const login = attacker.saved.get('A')
  if (last === undefined || typeof login !== 'object') return 'no logout'
  const status = last.response.status
  const { response } = await attacker.request(toRefreshIntent(login.refresh))
  return unless(
    status < 300 ? response.status === 401 : status === 401 && response.status === 200,
    `the logout gets ${status}, its refresh token ${response.status}`,
  )
}

/** A thumbprint of a secret would let anyone recognize a known one. */
const silentKeyId: Check = (attacker) => {
  const login = attacker.saved.get('A')
  if (typeof login !== 'object') return 'no login'
  const { kid } = readSegment(toSegments(login.access).header)
  const { key } = attacker.target.server
  if (!(key instanceof Uint8Array)) return 'the key is no secret'
  const k = Buffer.from(key).toString('base64url')
  const hashes = [JSON.stringify({ k, kty: 'oct' }), k, key].flatMap((input) =>
    (['sha256', 'sha1', 'md5'] as const).flatMap((name) =>
      (['base64url', 'hex'] as const).map((form) => createHash(name).update(input).digest(form)),
    ),
  )
  const seen = String(kid)
  return unless(!hashes.some((hash) => seen !== '' && hash.startsWith(seen)), 'it is a hash of the key')
}

const ownAudience: Check = (attacker) => {
  const login = attacker.saved.get('A')
  if (typeof login !== 'object') return 'no login'
  const audience = (token: string) => [readSegment(toSegments(token).payload)['aud']].flat()
  const [access, refresh] = [audience(login.access), audience(login.refresh)]
  return unless(
    refresh.length > 0 && !refresh.some((one) => one === undefined || access.includes(one)),
    `${refresh}, as the access token`,
  )
}

/** Sentences that steps check and record. */
const RECORDED: readonly string[] = [
  ...Object.values(OUTAGE_SENTENCES),
  ...Object.values(CUT_SENTENCES),
  ...Object.values(GREETING_SENTENCES),
  ...Object.values(CRASH_SENTENCES),
  ...Object.values(FEED_SENTENCES),
  ...Object.values(TAB_SENTENCES),
  SAME_SUCCESSOR,
  NO_HIT,
]

/** Every sentence that can be checked. */
export const ASSERTIONS: Readonly<Record<string, readonly Check[]>> = {
  'times of last use are whole hours': [coarseUse],
  'logout ends the session or says that it did not': [honestLogout],
  'at most 1000 sessions are listed': [boundedList],
  'exactly one logs in': [loggedInOnce],
  'no retired key is listed': [noRetiredKey],
  ...LEAK_ASSERTIONS,
  'the key ID is no hash of the secret': [silentKeyId],
  'the refresh token has an audience of its own': [ownAudience],
  ...Object.fromEntries(RECORDED.map((sentence) => [sentence, [recorded(sentence)]])),
  ...FAMILY_ASSERTIONS,
  ...LOGIN_ASSERTIONS,
  default: DEFAULTS,
  'thrown at startup, never at first request': [
    ({ setup }) => unless(setup?.status === 'config_error', 'nothing was thrown at startup'),
  ],
  '({}).admin === undefined afterwards': [checkPollution],
  '({}).admin undefined': [checkPollution],
  'claims.admin is undefined for the handler': [
    (_attacker, last) =>
      unless(!last?.executions.some(({ admin }) => admin !== undefined), 'the handler sees `admin`'),
  ],
  'no scope gained': [noScopeGained],
  'either rejected, or last value used everywhere (guard, handler, log) - never mixed': [lastWins],
  'answer < 50 ms, no PBKDF2, no inflate': [faster(50, elapsed)],
  '< 5 ms': [faster(5, handling)],
  '< 1 ms of CPU': [faster(1, handling)],
  'no stack overflow in any claim walk': [
    (_attacker, last) => unless(last !== undefined && last.response.status < 500, 'no response, or a 5xx'),
  ],
  "registered claims keep the library's values, or issuing throws": [registeredClaims],
  'no alternation of 200/401': [
    ({ findings }) =>
      unless(new Set((findings.get('repeated') ?? []) as number[]).size <= 1, 'the responses alternate'),
  ],
  'WWW-Authenticate has error="insufficient_scope"': [
    (_attacker, last) =>
      unless(
        last !== undefined &&
          headerValues(last.response, 'www-authenticate').join().includes('error="insufficient_scope"'),
        'it has not',
      ),
  ],
  'attributes as stated': [cookieAttributes],
  'config that needs >4096 bytes throws at issue time': [largeCookie],
  'SameSite=None without Secure is a config error': [insecureNone],
  'never authenticates as the attacker when the genuine __Host- cookie is present': [
    (_attacker, last) =>
      unless(!last?.executions.some(({ sub }) => sub === 'mallory'), 'it authenticates as the attacker'),
  ],
  'handler not executed': [
    (_attacker, last) => unless(last !== undefined && last.executions.length === 0, 'the handler ran'),
  ],
  'no Set-Cookie': [noCookie],
  'no Set-Cookie, no token': [noToken],
  'no ACAO for these origins together with credentials': [noCredentialedOrigin],
  'not allowed': [
    (_attacker, last) =>
      unless(
        last !== undefined && headerValues(last.response, 'access-control-allow-origin').length === 0,
        'the origin is allowed',
      ),
  ],
  'all ids differ': [idsDiffer],
  'old anonymous/previous csrf invalid': [oldCsrfInvalid],
  'p99 <= 1 ms': [
    ({ findings }) =>
      unless(Number(findings.get('p99')) <= 1, `p99 is ${Number(findings.get('p99')).toFixed(2)} ms`),
  ],
  'MAC checked before payload JSON.parse (spy)': [
    ({ findings }) => unless(findings.get('parsed') === false, 'the payload is parsed before its MAC holds'),
  ],
  'heap <= cap_bytes': [
    ({ findings }) =>
      unless(Number(findings.get('heap')) <= 64 << 20, `the heap grew by ${findings.get('heap')} bytes`),
  ],
  'zero hits': [
    ({ findings }) => unless(findings.get('hits') === 0, `${findings.get('hits')} secrets show up`),
  ],
  'Location is same-origin or absent': [
    (_attacker, last) =>
      unless(last !== undefined && headerValues(last.response, 'location').length === 0, 'it redirects'),
  ],
  'guard(decodeUnsafe(t)) is a compile error': [
    ({ findings }) =>
      unless(findings.get('misuse compiles') === false, 'an unverified payload passes for a verified one'),
  ],
  'no super-linear pattern': [
    ({ findings }) =>
      unless(
        (findings.get('slow expressions') as string[] | undefined)?.length === 0,
        `${findings.get('slow expressions')}`,
      ),
  ],
  'no user-supplied RegExp evaluated without a length cap': [
    ({ findings }) =>
      unless(findings.get('expressions that are values') === 0, 'an expression comes in as a value'),
  ],
}
