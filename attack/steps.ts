/**
 * The steps of case files: one table. A handler reads the body of its step, acts through the
 * attacker, and leaves the results there. A case with a step that is not in the table is skipped,
 * with the name of the step as the reason.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { CLAIMS_PATH } from './adapters.ts'
import type { Attacker } from './attacker.ts'
import { isObject, type Json, type JsonObject, toExpectation } from './cases.ts'
import { restart } from './crashes.ts'
import { checkResponse } from './expectations.ts'
import { scanExpressions } from './expressions.ts'
import { fault, sweep } from './faults.ts'
import { searchLogs, typeTests } from './inspections.ts'
import { type Intent, toCookieHeader, toLoginIntent } from './intents.ts'
import { findKey } from './keys.ts'
import { bench, flood } from './load.ts'
import { loginInTime, sample } from './logins.ts'
import { mutate, toSegments } from './mutations.ts'
import { expectInPhase, requestInPhase } from './outages.ts'
import { asked, putKeyFile, resolveNames, serve } from './outside-steps.ts'
import {
  administrate,
  clock,
  expectOwn,
  LATEST,
  type Perform,
  refresh,
  repeat,
  toParallel,
} from './session-steps.ts'
import { configure } from './setups.ts'
import { searchStores } from './stores.ts'
import { openBrowser } from './tabs.ts'
import {
  countOf,
  isArray,
  isMembers,
  RawJson,
  resolve,
  resolveText,
  textOf,
  toJson,
  Unsupported,
  type Value,
} from './values.ts'

async function resolved(value: Json | undefined, attacker: Attacker): Promise<Value | undefined> {
  return value === undefined ? undefined : resolve(value, attacker)
}

function toText(value: Value, name: string): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value)
  if (value instanceof RawJson) return value.text
  throw new Unsupported(`'${name}' must be a text`)
}

async function login(body: JsonObject, attacker: Attacker): Promise<void> {
  const user = textOf(body['user'], 'user')
  const mode = body['mode'] === undefined ? 'body' : textOf(body['mode'], 'mode')
  const save = body['save'] === undefined ? 'A' : textOf(body['save'], 'save')
  const extra = body['extra_claims']
  if (extra !== undefined) return loginWithClaims(user, extra, attacker)
  attacker.mode = mode
  const exchange = await loginInTime(toLoginIntent(user, mode, toAddress(body['ip'])), attacker)
  const result = attacker.toLogin(user, exchange)
  attacker.saved.set(save, result)
  attacker.saved.set(LATEST, result)
  attacker.genuine.push(result.access)
}

function toAddress(ip: Json | undefined): Intent['headers'] {
  return typeof ip === 'string' ? [['X-Test-IP', ip]] : []
}

async function loginWithClaims(user: string, claims: Json, attacker: Attacker): Promise<void> {
  const headers = [['Content-Type', 'application/json']] as const
  const post = (body: string) => attacker.request({ method: 'POST', path: CLAIMS_PATH, headers, body })
  const harmless = await post(JSON.stringify({ username: user, extra_claims: { tenant: 't1' } }))
  if (harmless.response.status !== 200)
    attacker.findings.set('control', `harmless claims: ${harmless.response.status}`)
  const exchange = await post(toJson(await resolve({ username: user, extra_claims: claims }, attacker)))
  if (exchange.response.status === 422) {
    attacker.setup = { status: 'config_error', detail: 'issuing was refused' }
    return
  }
  attacker.exchanges.push(exchange)
  attacker.saved.set('A', attacker.toLogin(user, exchange))
}

async function mint(body: JsonObject, attacker: Attacker): Promise<void> {
  const name = body['key'] === undefined ? 'server' : textOf(body['key'], 'key')
  const mac = body['mac']
  const { target } = attacker
  const key = name === 'none' ? null : findKey(name, target.server)
  if (key === undefined) throw new Unsupported(`unknown key '${name}'`)
  const options = {
    header: await resolved(body['header'], attacker),
    claims: await resolved(body['claims'], attacker),
    headerRaw: await resolved(body['header_raw'], attacker),
    payloadRaw: await resolved(body['payload_raw'], attacker),
    key,
    alg: mac === undefined ? undefined : textOf(mac, 'mac'),
  }
  const token = await attacker.mint(options)
  if (name === 'retired:expired') await retire(token, attacker)
  attacker.saved.set(textOf(body['save'], 'save'), token)
}

/** Checks that a retired key still verifies, and then ends its time. */
async function retire(token: string, attacker: Attacker): Promise<void> {
  attacker.target.retire(attacker.now() + 60)
  const { response } = await attacker.request({
    path: '/protected',
    headers: [['Authorization', `Bearer ${token}`]],
  })
  if (response.status !== 200)
    attacker.findings.set('control', `a key before its retirement: ${response.status}`)
  attacker.target.retire(attacker.now() - 1)
}

async function mutateToken(body: JsonObject, attacker: Attacker): Promise<void> {
  const from = textOf(body['from'], 'from')
  const token = await resolveText(from.startsWith('$') ? from : `$${from}`, attacker)
  const fn = textOf(body['fn'], 'fn')
  const generated = fn.startsWith('$') ? await resolveText(fn, attacker) : undefined
  const members = await resolved(body['header'] ?? body['claims'], attacker)
  const other = await attacker.login('bob', 'body')
  let result =
    generated !== undefined
      ? toText(generated, 'fn')
      : mutate(fn, toText(token, 'from'), {
          alg: attacker.target.server.alg,
          resign: (header, payload) => attacker.resign(header, payload),
          other: toSegments(from.endsWith('.refresh') ? other.refresh : other.access),
          members: isMembers(members) ? members : {},
        })
  if (body['drop_signature'] === true) result = result.slice(0, result.lastIndexOf('.') + 1)
  attacker.keepSecret(result)
  attacker.saved.set(textOf(body['save'], 'save'), result)
}

async function rawToken(body: JsonObject, attacker: Attacker): Promise<void> {
  const value = await resolve(body['values'] ?? body['value'] ?? null, attacker)
  attacker.saved.set(textOf(body['save'], 'save'), toText(value, 'values'))
}

/** `"$A.cookies"`, or an object of cookies in which `$A.cookies: true` stands for all of them. */
async function toCookies(value: Json, attacker: Attacker): Promise<string> {
  if (!isObject(value)) return toCookieHeader(toText(await resolve(value, attacker), 'cookies'))
  const cookies = new Map<string, string>()
  for (const [name, item] of Object.entries(value)) {
    const whole = name.startsWith('$') ? toText(await resolveText(name, attacker), 'cookies') : undefined
    const text = whole ?? toCookieHeader(`${name}=${toText(await resolve(item, attacker), 'cookies')}`)
    for (const pair of text.split('; ')) cookies.set(pair.slice(0, pair.indexOf('=')), pair)
  }
  return [...cookies.values()].join('; ')
}

/** Reads a `request` step. */
async function toIntent(body: JsonObject, attacker: Attacker): Promise<Intent> {
  const headers: [string, string][] = []
  const set = (name: string, value: string) => void headers.push([name, value])
  const path = toText(await resolve(body['path'] ?? '/protected', attacker), 'path')
  for (const [name, value] of Object.entries(isObject(body['headers']) ? body['headers'] : {})) {
    const given = await resolve(value, attacker)
    for (const text of (isArray(given) ? given : [given]).map((item) => toText(item, name))) {
      set(name, name.toLowerCase() === 'cookie' ? toCookieHeader(text) : text)
    }
  }
  if (body['bearer'] !== undefined)
    set('Authorization', `Bearer ${toText(await resolve(body['bearer'], attacker), 'bearer')}`)
  if (body['csrf'] !== undefined) set('X-CSRF-Token', toText(await resolve(body['csrf'], attacker), 'csrf'))
  if (body['cookies'] !== undefined) set('Cookie', await toCookies(body['cookies'], attacker))
  const refresh = body['refresh'] === undefined ? undefined : await resolve(body['refresh'], attacker)
  const content = refresh === undefined ? await resolved(body['body'], attacker) : { refresh_token: refresh }
  if (content !== undefined && !headers.some(([name]) => name.toLowerCase() === 'content-type')) {
    set('Content-Type', typeof content === 'string' ? 'text/plain' : 'application/json')
  }
  if (isMembers(content) && typeof content['password'] === 'string') attacker.keepSecret(content['password'])
  const text = content === undefined || typeof content === 'string' ? content : toJson(content)
  const method = body['method'] === undefined ? 'GET' : textOf(body['method'], 'method')
  return { method, path, headers, ...(text !== undefined && { body: text }) }
}

/** Reads the request in a `parallel` step. */
async function toParallelIntent(body: JsonObject, attacker: Attacker): Promise<Intent> {
  checkMembers('request', body, REQUEST)
  return toIntent(body, attacker)
}

/** The access token of a request. During an outage, it is sent to each kind of guard. */
function toBearer({ method, path, headers = [] }: Intent): string {
  const [[name, value] = []] = headers
  if (method !== 'GET' || path !== '/protected' || name !== 'Authorization' || value === undefined)
    throw new Unsupported('only GET /protected with an access token is possible during a fault')
  return value.slice('Bearer '.length)
}

async function request(body: JsonObject, attacker: Attacker): Promise<void> {
  const intent = await toIntent(body, attacker)
  const what = `${intent.method} ${intent.path}`
  if (attacker.phase !== 'whole') {
    const exchanges = await requestInPhase(toBearer(intent), attacker)
    if (body['expect'] === undefined) expectInPhase(exchanges, attacker)
    for (const exchange of exchanges) expectOwn(body, what, exchange, attacker)
    return
  }
  if (intent.path.startsWith('/logout')) attacker.genuine.length = 0
  const { within } = body
  const exchange =
    within === undefined ? await attacker.attempt(intent) : await attemptWithin(intent, body, attacker)
  expectOwn(body, what, exchange, attacker)
  const save = body['save']
  if (typeof save !== 'string') return
  const token = findToken(exchange.response.body)
  if (token !== undefined) attacker.saved.set(save, token)
  else if (exchange.response.status < 300) attacker.saved.set(save, attacker.toLogin('alice', exchange))
}

/** Sends a request again until the response is as its step expects, or the time is over. */
async function attemptWithin(intent: Intent, { within, expect }: JsonObject, attacker: Attacker) {
  const end = performance.now() + countOf(within, 'within', 60) * 1000
  const expectation = toExpectation(expect)
  for (;;) {
    const exchange = await attacker.request(intent)
    if (checkResponse(expectation, exchange).length === 0 || performance.now() > end) {
      attacker.exchanges.push(exchange)
      return exchange
    }
    await pause(20)
  }
}

/** The continuation or the one-time token of a response. */
function findToken(body: string): string | undefined {
  const { continuation, token } = body.startsWith('{') ? JSON.parse(body) : {}
  return [continuation, token].find((value) => typeof value === 'string')
}

/** The `rotate_key` step. New tokens must name the new key; the old key may not use its `kid`. */
async function rotateKey(_body: JsonObject, attacker: Attacker): Promise<void> {
  const { target } = attacker
  const before = target.server
  await attacker.witness()
  target.rotate()
  const { access } = await attacker.login('alice', 'body')
  const kid = { kid: target.server.kid }
  const borrowed = await attacker.mint({ header: kid, key: before.key })
  const ask = async (token: string) =>
    (await attacker.request({ path: '/protected', headers: [['Authorization', `Bearer ${token}`]] })).response
      .status
  const header = Buffer.from(toSegments(access).header, 'base64url').toString()
  if (JSON.parse(header).kid !== kid.kid)
    attacker.findings.set('control', 'new tokens do not name the new key')
  else if ((await ask(access)) !== 200) attacker.findings.set('control', 'a token of the new key is refused')
  else if ((await ask(borrowed)) !== 401)
    attacker.findings.set('control', 'the old key signs under the name of the new one')
}

async function inspect(body: JsonObject, attacker: Attacker): Promise<void> {
  return body['what'] === 'store' ? searchStores(attacker) : searchLogs(body, attacker)
}

/** A step: the function that performs it, and the members that it knows. */
interface Row {
  readonly run: (body: JsonObject, attacker: Attacker, perform: Perform) => Promise<void>
  /** `any` where they are names that the case chooses. */
  readonly members: readonly string[] | 'any'
}

const REQUEST: Row = {
  run: request,
  members: [
    'method',
    'path',
    'headers',
    'bearer',
    'csrf',
    'cookies',
    'refresh',
    'body',
    'save',
    'expect',
    'within',
  ],
}

/** The steps, by their name in case files. */
const STEPS: Readonly<Record<string, Row>> = {
  login: { run: login, members: ['user', 'mode', 'save', 'ip', 'extra_claims'] },
  mint: { run: mint, members: ['save', 'key', 'mac', 'header', 'claims', 'header_raw', 'payload_raw'] },
  mutate: { run: mutateToken, members: ['from', 'fn', 'header', 'claims', 'drop_signature', 'save'] },
  raw_token: { run: rawToken, members: ['value', 'values', 'save'] },
  request: REQUEST,
  refresh: { run: refresh, members: ['from', 'save', 'expect', 'drop_response'] },
  clock: { run: clock, members: ['advance'] },
  rotate_key: { run: rotateKey, members: [] },
  configure: {
    run: configure,
    members: ['key', 'keyset', 'secret', 'iss_regexp', 'options', 'follow', 'realms', 'key_file'],
  },
  serve: { run: serve, members: 'any' },
  asked: { run: asked, members: ['server', 'path', 'times', 'most', 'least'] },
  dns: { run: resolveNames, members: 'any' },
  key_file: { run: putKeyFile, members: ['put'] },
  repeat: { run: repeat, members: ['n', 'until', 'every', 'step', 'steps'] },
  parallel: { run: toParallel(toParallelIntent), members: ['n', 'request', 'mixed', 'save'] },
  bench: { run: bench, members: ['tokens', 'n'] },
  sample: { run: sample, members: ['n', 'a', 'b', 'path'] },
  flood: { run: flood, members: ['n', 'token', 'iss'] },
  inspect: { run: inspect, members: ['what', 'grep'] },
  fault: { run: fault, members: ['target', 'action'] },
  sweep: { run: sweep, members: ['over', 'do'] },
}

/** The steps whose body is a sentence, by name and sentence. */
const SENTENCES: Readonly<Record<string, (body: JsonObject, attacker: Attacker) => Promise<void>>> = {
  'run: entire suite': async () => {},
  'restart: app': (_body, attacker) => restart(attacker),
  'tsc: negative type tests': typeTests,
  'tool: recheck or safe-regex over dist/': scanExpressions,
}

/**
 * Performs one step.
 *
 * @throws {Unsupported} for a step that is not in the table, or that has something unknown in it
 */
export async function perform(step: Json, attacker: Attacker): Promise<void> {
  if (!isObject(step)) throw new Unsupported(`unknown step ${JSON.stringify(step)}`)
  if (step['tabs'] !== undefined) return openBrowser(step, attacker)
  for (const [name, body] of Object.entries(step)) {
    const sentence = typeof body === 'string' ? SENTENCES[`${name}: ${body}`] : undefined
    if (sentence !== undefined) {
      await sentence({}, attacker)
      continue
    }
    if (name === 'admin' && typeof body === 'string') {
      await administrate(body, attacker)
      continue
    }
    const row = Object.hasOwn(STEPS, name) ? STEPS[name] : undefined
    if (row === undefined) throw new Unsupported(`unknown step '${name}'`)
    if (!isObject(body)) throw new Unsupported(`step '${name}' needs an object`)
    checkMembers(name, body, row)
    await row.run(body, attacker, perform)
  }
}

function checkMembers(name: string, body: JsonObject, { members }: Row): void {
  const unknown = members !== 'any' && Object.keys(body).find((member) => !members.includes(member))
  if (typeof unknown === 'string') throw new Unsupported(`unknown member '${unknown}' in step '${name}'`)
}
