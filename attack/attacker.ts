/**
 * The attacker's state in one variant of a case: what was saved, each request with its response,
 * and the ways to send more. A step writes to it, and assertions read it.
 */
import type { AttackCase, Expectation } from './cases.ts'
import type { Environment } from './environments.ts'
import { COOKIE_NAMES, type Intent, toLoginIntent, toPath } from './intents.ts'
import { isSignable, type SigningKey, signWith, toJwk, toPublicJwk, toWholeJwk } from './keys.ts'
import { fromSegments, readSegment, type Segments, toSegments } from './mutations.ts'
import { headerValues, type RawRequest, type RawResponse, send } from './raw-http.ts'
import { AUDIENCE, type Execution, ISSUER, type Target } from './target.ts'
import {
  DELETED,
  isMembers,
  RawJson,
  type Scope,
  toDocument,
  toJson,
  Unsupported,
  type Value,
} from './values.ts'

/** A request, its response, and what the application did in between. */
export interface Exchange {
  readonly request: RawRequest
  readonly response: RawResponse
  /** What handlers did. */
  readonly executions: readonly Execution[]
  /** The application's time for it, in milliseconds; undefined if the request never reached it. */
  readonly handling: number | undefined
}

/** The tokens of one login. */
export interface Login {
  readonly user: string
  readonly access: string
  readonly refresh: string
  readonly csrf: string
  /** A `Cookie` header. */
  readonly cookies: string
  readonly sid: string
  readonly exchange: Exchange
}

/** How an attempt to configure the application ended; a case about that has no HTTP response. */
export interface Setup {
  readonly status: 'config_error' | 'accepted' | 'crashed'
  /** What was thrown, abbreviated. */
  readonly detail: string
}

/** What all variants of a run share. */
export interface Suite {
  /** What this process and those that it started have printed. */
  readonly output: string[]
  /** Unhandled rejections. */
  readonly unhandled: readonly string[]
  /** Tokens, CSRF values and passwords in use. None of them may leak. */
  readonly secrets: Set<string>
  /** The text of every refusal, to be searched for leaks. */
  readonly refusals: Set<string>
}

/** The error code of a response, or null. */
export function codeOf({ response }: Exchange): string | null {
  try {
    const code: unknown = Object(JSON.parse(response.body))['code']
    return typeof code === 'string' ? code : null
  } catch {
    return null
  }
}

/** A response as one text, for searching. It has no date, so that equal responses are equal. */
export function toText({ headers, body }: RawResponse): string {
  return `${JSON.stringify(headers.filter(([name]) => name !== 'date'))} ${body}`
}

export class Attacker implements Scope {
  readonly attack: AttackCase
  readonly environment: Environment
  readonly target: Target
  readonly suite: Suite
  readonly saved = new Map<string, Login | string>()
  readonly exchanges: Exchange[] = []
  /** How the setup ended, if the case is about one. */
  setup: Setup | undefined
  /** The payload that was signed last, as text. */
  payload: string | undefined
  /** What steps measured, by name. Assertions read it. */
  readonly findings = new Map<string, unknown>()
  /** Tokens that must still be valid at the end. */
  readonly genuine: string[] = []
  /** The delivery of tokens for logins that name none: `body` or `cookie`. */
  mode = 'body'
  /** Whether a fault has begun or ended. */
  phase: 'whole' | 'broken' | 'healed' = 'whole'
  /** The responses that the case's expectation is about, if that is not the last one. */
  readonly decisive: Exchange[] = []
  /** Responses whose step has its own `expect`. */
  readonly expected: { what: string; exchange: Exchange; expectation: Expectation }[] = []
  /** The complaints that steps recorded, by sentence. A sentence without complaints holds. */
  readonly records = new Map<string, string[]>()
  /** What steps found wrong by themselves. */
  readonly complaints: string[] = []
  /** Notes for the reader of the report. */
  readonly notes: string[] = []
  #witness: Login | undefined

  constructor(attack: AttackCase, environment: Environment, suite: Suite) {
    this.attack = attack
    this.environment = environment
    this.target = environment.target
    this.suite = suite
  }

  /** Records whether a sentence of the case holds; all records of it must. */
  record(sentence: string, holds: boolean, complaint: string): void {
    const complaints = this.records.get(sentence) ?? []
    if (!holds) complaints.push(complaint)
    this.records.set(sentence, complaints)
  }

  now(): number {
    return this.target.clock.now()
  }

  /** Sends a request, and notes what the application did until the response. */
  async request(intent: Intent, port = this.target.port): Promise<Exchange> {
    const { target } = this
    const before = { executions: target.executions.length, handling: target.handling.length }
    const { method = 'GET', path, headers = [], body } = intent
    const request: RawRequest = { method, path: toPath(path), headers, body }
    const response = await send(port, request)
    const exchange = {
      request,
      response,
      executions: target.executions.slice(before.executions),
      handling: target.handling[before.handling],
    }
    if (response.status >= 400) this.suite.refusals.add(toText(response))
    return exchange
  }

  /** As `request`, but a failed connection gives status 0. */
  async tryRequest(intent: Intent, port = this.target.port): Promise<Exchange> {
    const started = performance.now()
    try {
      return await this.request(intent, port)
    } catch {
      const { method = 'GET', path, headers = [], body } = intent
      const response = { status: 0, headers: [], body: '', elapsed: performance.now() - started }
      return { request: { method, path, headers, body }, response, executions: [], handling: undefined }
    }
  }

  /** Sends a request of the case. The case's expectation is about the last of these. */
  async attempt(intent: Intent): Promise<Exchange> {
    const exchange = await this.request(intent)
    this.exchanges.push(exchange)
    return exchange
  }

  /** Logs a user in with the correct password. */
  async login(user: string, mode = 'body', headers: Intent['headers'] = []): Promise<Login> {
    return this.toLogin(user, await this.request(toLoginIntent(user, mode, headers)))
  }

  /** Reads the tokens of a response from its body or its cookies. */
  toLogin(user: string, exchange: Exchange): Login {
    const { response } = exchange
    const cookies = new Map(
      headerValues(response, 'set-cookie').map((line) => {
        const [pair = ''] = line.split(';')
        return [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)] as const
      }),
    )
    const body: Readonly<Record<string, unknown>> = response.status < 300 ? JSON.parse(response.body) : {}
    const text = (value: unknown) => (typeof value === 'string' ? value : '')
    const access = text(body['access_token']) || (cookies.get(COOKIE_NAMES['access'] ?? '') ?? '')
    if (access === '')
      throw new Error(`login of ${user} failed: ${response.status} ${response.body.slice(0, 200)}`)
    const claims = readSegment(toSegments(access).payload)
    const login = {
      user,
      access,
      refresh: text(body['refresh_token']) || (cookies.get(COOKIE_NAMES['refresh'] ?? '') ?? ''),
      csrf: cookies.get(COOKIE_NAMES['csrf'] ?? '') ?? text(claims['csrf']),
      cookies: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
      sid: text(claims['sid']),
      exchange,
    }
    for (const secret of [login.access, login.refresh, login.csrf]) this.keepSecret(secret)
    return login
  }

  /** Remembers a text that must not leak, as a whole and by its segments. */
  keepSecret(text: string): void {
    for (const part of [text, ...text.split('.').slice(1)])
      if (part.length >= 12) this.suite.secrets.add(part)
  }

  /** Alice's login from before the attack. */
  async witness(): Promise<Login> {
    this.#witness ??= await this.login('alice', 'body')
    return this.#witness
  }

  /** A saved login. Logs in Alice for `A`, Bob for `B` and Mallory for `M` if the case did not. */
  async savedLogin(name: string): Promise<Login | undefined> {
    const known = this.saved.get(name)
    if (known !== undefined) return typeof known === 'string' ? undefined : known
    const user = { A: 'alice', B: 'bob', M: 'mallory' }[name]
    if (user === undefined) return undefined
    const login = await this.login(user, this.mode)
    this.saved.set(name, login)
    return login
  }

  async lookup(name: string, member?: string): Promise<Value | undefined> {
    if (Object.hasOwn(NAMES, name)) return lookIn(await NAMES[name]?.(this), member)
    const peer = this.environment.outside.find(name)
    if (peer !== undefined) return lookIn({ url: peer.url, port: peer.port }, member)
    const saved = this.saved.get(name)
    if (typeof saved === 'string') return member === undefined ? saved : undefined
    if (member === undefined) return undefined
    const login = await this.savedLogin(name)
    const value =
      login === undefined ? undefined : new Map<string, unknown>(Object.entries(login)).get(member)
    return typeof value === 'string' ? value : undefined
  }

  /** Signs a token with any key. Its header and claims are put over those of a genuine token. */
  async mint(options: MintOptions): Promise<string> {
    const { header, claims, headerRaw, payloadRaw, alg } = options
    const { server } = this.target
    const base = toSegments((await this.witness()).access)
    const members = merge(readSegment(base.header), header)
    const content = merge(readSegment(base.payload), claims)
    const payload = payloadRaw === undefined ? Buffer.from(toJson(content)) : toDocument(payloadRaw, content)
    const headerBytes =
      headerRaw === undefined ? Buffer.from(toJson(members)) : toDocument(headerRaw, members)
    this.payload = payload.toString('utf8')
    const input = `${headerBytes.toString('base64url')}.${payload.toString('base64url')}`
    const named = alg ?? members['alg']
    const chosen = isSignable(named) ? named : server.alg
    const key = options.key === undefined ? server.key : options.key
    const token = `${input}.${key === null ? '' : signWith(chosen, key, input).toString('base64url')}`
    this.keepSecret(token)
    return token
  }

  /** Signs two segments with the server's key. */
  resign(header: string, payload: string): Segments {
    const { alg, key } = this.target.server
    return { header, payload, signature: signWith(alg, key, `${header}.${payload}`).toString('base64url') }
  }
}

/** The options of `mint`; see the `mint` step. */
export interface MintOptions {
  /** Members put over the genuine header's. */
  readonly header?: Value | undefined
  /** Claims put over the genuine ones. */
  readonly claims?: Value | undefined
  /** The whole header as text. */
  readonly headerRaw?: Value | undefined
  /** The whole payload as text. */
  readonly payloadRaw?: Value | undefined
  /** The key; the server's by default, null for no signature. */
  readonly key?: SigningKey | null
  /** The signing algorithm; by default the one in the header. */
  readonly alg?: string | undefined
}

function merge(base: Readonly<Record<string, Value>>, over: Value | undefined): Record<string, Value> {
  const members = isMembers(over) ? over : {}
  return Object.fromEntries(Object.entries({ ...base, ...members }).filter(([, value]) => value !== DELETED))
}

/** A value, or a member of it. */
function lookIn(value: Value | undefined, member: string | undefined): Value | undefined {
  if (member === undefined) return value
  return isMembers(value) && Object.hasOwn(value, member) ? value[member] : undefined
}

type Lookup = (attacker: Attacker) => Value | Promise<Value>

async function csrfOf(attacker: Attacker): Promise<string> {
  const login = await attacker.savedLogin('A')
  if (!login?.csrf) throw new Unsupported('login A has no CSRF value')
  return login.csrf
}

/** Names that are not saved values. */
const NAMES: Readonly<Record<string, Lookup>> = {
  our_iss: () => ISSUER,
  our_iss_prefix: () => ISSUER.slice(0, -1),
  our_iss_suffix: () => ISSUER.slice(1),
  our_iss_upper: () => ISSUER.toUpperCase(),
  our_aud: () => AUDIENCE,
  attacker_public_jwk: () => toPublicJwk('attacker_ec'),
  attacker_public_rsa_jwk: () => toPublicJwk('attacker_rsa'),
  attacker_secret_jwk: () => toWholeJwk('attacker_hmac'),
  issuer_jwk: () => toPublicJwk('issuer_ec'),
  issuer_rsa_jwk: () => toPublicJwk('issuer_rsa'),
  issuer_whole_rsa_jwk: () => toWholeJwk('issuer_rsa'),
  server_jwk: ({ target: { server } }) => ({ ...toJwk(server.key), alg: server.alg, kid: server.kid }),
  evil: async (attacker) => (await attacker.login('mallory', 'cookie')).access,
  upper: async (attacker) => (await csrfOf(attacker)).toUpperCase(),
  trunc: async (attacker) => (await csrfOf(attacker)).slice(0, -1),
  old_session_csrf: async (attacker) => (await attacker.login('alice', 'cookie')).csrf,
  aux_csrf: async (attacker) => (await attacker.login('alice', 'cookie')).csrf,
  aux_id: async (attacker) => {
    const { access } = await attacker.witness()
    const { jti } = readSegment(toSegments(access).payload)
    return typeof jti === 'string' ? jti : fromSegments({ header: '', payload: '', signature: '' })
  },
  server_kid: (attacker) => attacker.target.server.kid,
  nested: () => new RawJson('[[[[[[]]]]]]'),
}
