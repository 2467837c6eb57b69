/**
 * The attacker at work on one target: what they have saved so far, every answer that they got, and
 * the requests that they can make. One attacker per variant of a case; steps work through one,
 * assertions look at what is left in it.
 */
import type { AttackCase, Expectation } from './cases.ts'
import type { Environment } from './environments.ts'
import { COOKIE_NAMES, type Intent, toLoginIntent, toPath } from './intents.ts'
import { attackerJwk, isSignable, type SigningKey, signWith } from './keys.ts'
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

/** A request, its answer, and what the application did meanwhile. */
export interface Exchange {
  readonly request: RawRequest
  readonly response: RawResponse
  /** What handlers did. */
  readonly executions: readonly Execution[]
  /** What it cost the application, in milliseconds; undefined when the request never reached it. */
  readonly handling: number | undefined
}

/** What a login gave. */
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

/** How a run that made no HTTP answer ended: a setup that was refused, or was not. */
export interface Setup {
  readonly status: 'config_error' | 'accepted' | 'crashed'
  /** What was thrown, in short. */
  readonly detail: string
}

/** What outlives one variant. */
export interface Suite {
  /** What the process has said, and those that it started. */
  readonly output: string[]
  /** Rejections that nobody handled. */
  readonly unhandled: readonly string[]
  /**
   * Tokens, CSRF values and passwords that were in play; none may show up where it has no business.
   */
  readonly secrets: Set<string>
  /** Everything that answers said to refusals, and other texts to be searched. */
  readonly refusals: Set<string>
}

/** The error code of an answer; null for none. */
export function codeOf({ response }: Exchange): string | null {
  try {
    const code: unknown = Object(JSON.parse(response.body))['code']
    return typeof code === 'string' ? code : null
  } catch {
    return null
  }
}

/**
 * An answer as one text, for searching; without the date, so that equal answers are equal texts.
 */
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
  /** How the setup ended, when the case is about one. */
  setup: Setup | undefined
  /** The text of the payload that was signed last. */
  payload: string | undefined
  /** Measurements and verdicts of steps, by name, for the assertions that ask for them. */
  readonly findings = new Map<string, unknown>()
  /** Tokens that must still be good at the end. */
  readonly genuine: string[] = []
  /** How `login` steps that do not say so take their tokens. */
  mode = 'body'
  /** Whether something is broken now. */
  phase: 'whole' | 'broken' | 'healed' = 'whole'
  /** The answers that the case's statuses are about, where that is not the last one. */
  readonly decisive: Exchange[] = []
  /** Responses with an expectation of their own, which their step names. */
  readonly expected: { what: string; exchange: Exchange; expectation: Expectation }[] = []
  /** What a step found about sentences of the case: complaints, or none. */
  readonly records = new Map<string, string[]>()
  /** What a reader of the report must know. */
  readonly notes: string[] = []
  #witness: Login | undefined

  constructor(attack: AttackCase, environment: Environment, suite: Suite) {
    this.attack = attack
    this.environment = environment
    this.target = environment.target
    this.suite = suite
  }

  /** Rules on a sentence of the case; it holds when no ruling was a complaint. */
  record(sentence: string, holds: boolean, complaint: string): void {
    const complaints = this.records.get(sentence) ?? []
    if (!holds) complaints.push(complaint)
    this.records.set(sentence, complaints)
  }

  now(): number {
    return this.target.clock.now()
  }

  /** Sends a request; what the application did meanwhile counts as its doing. */
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

  /** As `request`; where nobody answers, status 0. */
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

  /** Sends a request that the case is about: its answer is judged when it is the last one. */
  async attempt(intent: Intent): Promise<Exchange> {
    const exchange = await this.request(intent)
    this.exchanges.push(exchange)
    return exchange
  }

  /** Logs a user in with the right password. */
  async login(user: string, mode = 'body', headers: Intent['headers'] = []): Promise<Login> {
    return this.toLogin(user, await this.request(toLoginIntent(user, mode, headers)))
  }

  /** Reads the tokens out of an answer, from its body or its cookies. */
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

  /**
   * Remembers a text that may show up nowhere: whole, and by the parts that a log might cut out of
   * it.
   */
  keepSecret(text: string): void {
    for (const part of [text, ...text.split('.').slice(1)])
      if (part.length >= 12) this.suite.secrets.add(part)
  }

  /** Alice's login from before the attack. */
  async witness(): Promise<Login> {
    this.#witness ??= await this.login('alice', 'body')
    return this.#witness
  }

  /** A saved login; `A` is Alice and `B` is Bob where the case did not log them in itself. */
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
    if (Object.hasOwn(NAMES, name) && member === undefined) return NAMES[name]?.(this)
    const saved = this.saved.get(name)
    if (typeof saved === 'string') return member === undefined ? saved : undefined
    if (member === undefined) return undefined
    const login = await this.savedLogin(name)
    const value =
      login === undefined ? undefined : new Map<string, unknown>(Object.entries(login)).get(member)
    return typeof value === 'string' ? value : undefined
  }

  /** A token signed with any key, its header and claims put over those of a genuine one. */
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

  /** Signs two segments as the server would. */
  resign(header: string, payload: string): Segments {
    const { alg, key } = this.target.server
    return { header, payload, signature: signWith(alg, key, `${header}.${payload}`).toString('base64url') }
  }
}

/** What `mint` takes; see the `mint` step. */
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
  /** The algorithm to sign with; what the header says by default. */
  readonly alg?: string | undefined
}

function merge(base: Readonly<Record<string, Value>>, over: Value | undefined): Record<string, Value> {
  const members = isMembers(over) ? over : {}
  return Object.fromEntries(Object.entries({ ...base, ...members }).filter(([, value]) => value !== DELETED))
}

type Lookup = (attacker: Attacker) => Value | Promise<Value>

async function csrfOf(attacker: Attacker): Promise<string> {
  const login = await attacker.savedLogin('A')
  if (!login?.csrf) throw new Unsupported('a CSRF value of A')
  return login.csrf
}

/** Names that are no saved values. */
const NAMES: Readonly<Record<string, Lookup>> = {
  our_iss: () => ISSUER,
  our_iss_prefix: () => ISSUER.slice(0, -1),
  our_iss_suffix: () => ISSUER.slice(1),
  our_iss_upper: () => ISSUER.toUpperCase(),
  our_aud: () => AUDIENCE,
  attacker_public_jwk: () => attackerJwk('attacker_ec'),
  attacker_public_rsa_jwk: () => attackerJwk('attacker_rsa'),
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
