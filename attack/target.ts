/**
 * The application under attack: the public package behind a real HTTP server on its own port. It
 * has an issuer, an audience, tokens in header and cookies, sessions in memory or in a given store,
 * a clock that the attack moves, and no leeway, so that `exp == now` is refused. It records what
 * its handlers did and which events its listeners got, to show that a refused request had no
 * effect.
 */
import { scrypt, timingSafeEqual } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  type Auth,
  type AuthEvents,
  type AuthOptions,
  createAuth,
  createKeyRing,
  createRealms,
  isAuthError,
  type SessionNotice,
  type Store,
  type TokenPayload,
} from 'tokenwright'
import { memoryStore } from 'tokenwright/stores/memory'
import { type Adapter, type Application, FETCH_ADAPTERS, type Identity } from './adapters.ts'
import { isObject } from './cases.ts'
import { FRAMEWORKS } from './frameworks.ts'
import { keyOf, type ServerKey, serverKey } from './keys.ts'
import { Unsupported } from './values.ts'

/** The application's issuer and audience, and its lifetimes in seconds. */
export const ISSUER = 'https://us'
export const AUDIENCE = 'api'
export const TIMES: Readonly<Record<string, number>> = {
  access_ttl: 900,
  refresh_ttl: 1_728_000,
  fresh_ttl: 300,
  grace: 30,
  idle_ttl: 1_728_000,
  abs_ttl: 7_776_000,
}

/** The users of case files and their passwords. Mallory, who attacks the others, has an account. */
export const USERS: ReadonlyMap<string, string> = new Map([
  ['alice', 'pw'],
  ['bob', 'pw'],
  ['carol', 'pw'],
  ['mallory', 'x'],
])

/** The user who needs a code after the password, and that code. */
const TWO_FACTORS = 'carol'
const CODE = '123456'

/** The clients that may introspect tokens, and their secrets. */
const CLIENTS: ReadonlyMap<string, string> = new Map([['resource-server', 'client-secret']])

/** The headers of a page that shared caches may keep. */
const CACHEABLE: Readonly<Record<string, string>> = { 'Cache-Control': 'public, max-age=600' }

/** What a handler saw when it ran. */
export interface Execution {
  readonly sub: string
  readonly exp: number
  readonly scopes: readonly string[]
  /** The `admin` that a handler can read: in the payload, its data, or a copy of either. */
  readonly admin: unknown
}

/** An event of a session, as a listener gets it. */
export interface Notice extends SessionNotice {
  readonly event: keyof AuthEvents
}

/** A refusal, as a listener of the event `refused` gets it. */
export type Refusal = AuthEvents['refused']

/** A clock that stands still until the attack moves it; epoch seconds. */
export interface Clock {
  now(): number
  advance(seconds: number): void
}

/** The options of the application under attack. */
export interface TargetOptions {
  readonly adapter?: string
  /** The signing algorithm. */
  readonly alg?: string
  /** Whether it has a key ring, whose keys can be rotated, instead of one secret. */
  readonly ring?: boolean
  /** The store of sessions; by default in memory, with the clock of the attack. */
  readonly store?: Store
  /** Whether it uses the system's clock, so that the store's clock decides. */
  readonly systemClock?: boolean
  /** The scopes of users, read at each login and refresh. By default no one has any. */
  readonly grants?: ReadonlyMap<string, readonly string[]>
  /** Options that replace the usual ones. */
  readonly changes?: Partial<AuthOptions>
  /** Called before and after the end of each response. */
  readonly onResponse?: (when: 'before' | 'after') => void
}

/** The realm of the application, and the others of its process. */
export interface RealmsBeside {
  readonly name: string
  /** Their options, by their names. */
  readonly others: Readonly<Record<string, object>>
}

/** A running application. */
export interface Target {
  readonly port: number
  readonly clock: Clock
  /** The runs of handlers, in order. */
  readonly executions: readonly Execution[]
  /** The application's time for each request that reached it, in milliseconds. */
  readonly handling: readonly number[]
  /** How many wrong passwords were checked. */
  readonly mistakes: () => number
  /** The events that the application's listeners got, in order. */
  readonly notices: readonly Notice[]
  /** The refusals that its listener got, in order. */
  readonly refusals: readonly Refusal[]
  /** The store of sessions. */
  readonly store: Store
  /** The current application. Each change creates a new one. */
  readonly auth: Auth
  /** The key that signs now. */
  readonly server: ServerKey
  /** Creates the application again with changed options. Throws what the library throws. */
  rebuild(changes: Partial<AuthOptions>, realms?: RealmsBeside): void
  /** Removes the limits of password attempts. */
  unlimit(): void
  /** Adds a new signing key. The old one still verifies. */
  rotate(): void
  /** Keeps a retired key in the ring until a time; undefined removes it. */
  retire(notAfter: number | undefined): void
  /** Takes no more requests, finishes those that run, and closes. */
  drain(): Promise<void>
  /** Closes at once. */
  close(): Promise<void>
}

function createClock(): Clock {
  let now = Math.floor(Date.now() / 1000)
  return {
    now: () => now,
    advance(seconds) {
      now += seconds
    },
  }
}

function createSystemClock(): Clock {
  return {
    now: () => Math.floor(Date.now() / 1000),
    advance() {
      throw new Unsupported('the clock cannot move, as the application uses the clock of its store')
    },
  }
}

const EVENTS = [
  'started',
  'refreshed',
  'replayed',
  'reused',
  'shadowed',
  'healed',
  'steppedUp',
  'ended',
] as const

/** Listeners that record their events. */
function toListeners(notices: Notice[], refusals: Refusal[]): NonNullable<AuthOptions['on']> {
  const entries = EVENTS.map((event) => [
    event,
    (notice: SessionNotice) => notices.push({ event, ...notice }),
  ])
  return { ...Object.fromEntries(entries), refused: (refusal: Refusal) => refusals.push(refusal) }
}

/**
 * Changed options: a group such as `sessions` keeps its members that are not changed, and undefined
 * leaves an option out.
 */
function merge(base: AuthOptions, changes: Partial<AuthOptions>): AuthOptions {
  const members = Object.entries(changes).map(([name, value]) => {
    const before: unknown = base[name as keyof AuthOptions]
    return [name, isObject(before) && isObject(value) ? { ...before, ...value } : value] as const
  })
  const all = Object.entries({ ...base, ...Object.fromEntries(members) })
  return Object.fromEntries(all.filter(([, value]) => value !== undefined))
}

/** The option that reads rights at each refresh, if the attack is about rights. */
function toRights(grants: TargetOptions['grants']) {
  return grants && { rights: (sub: string) => ({ scopes: grants.get(sub) ?? [] }) }
}

/** The options of the application, without keys. */
function baseOptions(
  clock: Clock,
  on: AuthOptions['on'] & object,
  { store, systemClock, grants, changes }: TargetOptions & { readonly store: Store },
): AuthOptions {
  return {
    issuer: ISSUER,
    audience: AUDIENCE,
    locations: ['header', 'cookie'],
    access: { expiresIn: TIMES['access_ttl'] ?? 0 },
    freshness: { window: TIMES['fresh_ttl'] ?? 0 },
    leeway: 0,
    ...(!systemClock && { clock: clock.now }),
    sessions: {
      store,
      overlap: TIMES['grace'] ?? 0,
      idle: TIMES['idle_ttl'] ?? 0,
      absolute: TIMES['abs_ttl'] ?? 0,
      ...toRights(grants),
    },
    on,
    ...changes,
  }
}

/** What an application needs beside its `Auth`. */
interface Surroundings {
  readonly grants: TargetOptions['grants']
  readonly throttled: boolean
  /** Called for each wrong password. */
  readonly mistaken: () => void
}

/** A cheap cost for password hashes, as some attacks log in thousands of times. */
const COST = { N: 1024 } as const

function hash(text: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(text, 'salt', 32, COST, (error, key) => (error === null ? resolve(key) : reject(error)))
  })
}

/** Checks a password, in the same time for an unknown user. */
async function isPassword(username: string, password: string): Promise<boolean> {
  const known = USERS.get(username)
  const [given, stored] = await Promise.all([hash(password), hash(known ?? 'unknown')])
  return timingSafeEqual(given, stored) && known !== undefined
}

function createApplication(
  auth: Auth,
  executions: Execution[],
  { grants, throttled, mistaken }: Surroundings,
): Application {
  const handle = (payload: TokenPayload) => {
    const copy: Record<string, unknown> = Object.assign({}, payload, payload.data)
    executions.push({
      sub: payload.sub,
      exp: payload.exp,
      scopes: payload.scopes,
      admin: copy['admin'] ?? Object(payload)['admin'] ?? Object(payload.data)['admin'],
    })
    return { message: 'You have access', sub: payload.sub }
  }
  return {
    auth,
    routes: [
      { method: 'GET', path: '/protected', fresh: false, scopeParameter: 'need', handle },
      { method: 'POST', path: '/protected', fresh: false, scopeParameter: 'need', handle },
      { method: 'POST', path: '/change-password', fresh: true, handle },
      { method: 'GET', path: '/strict', fresh: false, revocation: 'strict', handle },
      { method: 'GET', path: '/stateless', fresh: false, revocation: 'off', handle },
      { method: 'GET', path: '/cacheable', fresh: false, renew: true, headers: CACHEABLE, handle },
    ],
    throttled,
    async verifyCredentials({ username, password, code, link, remember }, proved) {
      if (link !== undefined) return redeem(auth, link)
      // Careless: whoever is named with the code is the user.
      if (proved !== undefined) return code === CODE ? { subject: username || proved } : null
      if (!(await isPassword(username, password))) {
        mistaken()
        return null
      }
      if (username === TWO_FACTORS) return { subject: username, next: { methods: ['code'] } }
      const scopes = grants?.get(username)
      return { subject: username, ...(scopes && { scopes }), ...(remember === false && { remember }) }
    },
    verifyClient: ({ id, secret }) => CLIENTS.get(id) === secret,
    async loginWithClaims(body) {
      const { username, extra_claims: data } = Object(body)
      try {
        return { status: 200, body: await auth.createTokenPair(String(username), { fresh: true, data }) }
      } catch {
        return { status: 422, body: { code: 'reserved_claim' } }
      }
    },
  }
}

/** Creates the application's `Auth`, as one of several realms if there are others. */
function createIn(realms: RealmsBeside | undefined, options: AuthOptions): Auth {
  if (realms === undefined) return createAuth(options)
  const all: Readonly<Record<string, Auth>> = createRealms({ [realms.name]: options, ...realms.others })
  return all[realms.name] as Auth
}

/** The user of a link in a mail; null for one that was used, and for anything else. */
async function redeem(auth: Auth, link: unknown): Promise<Identity | null> {
  try {
    return { subject: (await auth.oneTime.redeem('magic-link', String(link))).subject }
  } catch (error) {
    if (isAuthError(error) && error.status === 401) return null
    throw error
  }
}

/** All adapters, by name. */
export const ADAPTERS: Readonly<Record<string, Adapter>> = { ...FETCH_ADAPTERS, ...FRAMEWORKS }

/** Starts the application on an adapter. The server listens on a free port of 127.0.0.1. */
export async function createTarget(options: TargetOptions): Promise<Target> {
  const { adapter = 'fetch', alg = 'HS256', ring = alg !== 'HS256', grants } = options
  const createListener = ADAPTERS[adapter]
  if (createListener === undefined) throw new Error(`no such adapter: ${adapter}`)
  const clock = options.systemClock ? createSystemClock() : createClock()
  const store = options.store ?? memoryStore({ clock: clock.now })
  const state = {
    generation: 0,
    retired: undefined as number | undefined,
    changes: {} as Partial<AuthOptions>,
    realms: undefined as RealmsBeside | undefined,
    throttled: true,
    mistakes: 0,
  }
  const executions: Execution[] = []
  const handling: number[] = []
  const notices: Notice[] = []
  const refusals: Refusal[] = []
  const base = baseOptions(clock, toListeners(notices, refusals), { ...options, store })
  const server = () => serverKey(alg, state.generation)

  function toKeys(): Partial<AuthOptions> {
    const { key } = server()
    if (!ring && key instanceof Uint8Array) return { secret: key }
    const verifying = Array.from({ length: state.generation }, (_, index) => serverKey(alg, index) as never)
    if (state.retired !== undefined) {
      verifying.push({ alg, key: keyOf('retired', alg), kid: 'retired', notAfter: state.retired } as never)
    }
    return { keys: createKeyRing({ signing: server() as never, verifying }) }
  }
  const mistaken = (): void => {
    state.mistakes += 1
  }
  function build(): { readonly auth: Auth; readonly listener: ReturnType<Adapter> } {
    const auth = createIn(state.realms, merge({ ...base, ...toKeys() }, state.changes))
    return {
      auth,
      listener: (createListener as Adapter)(
        createApplication(auth, executions, { grants, throttled: state.throttled, mistaken }),
      ),
    }
  }
  function replace(): void {
    const next = build()
    void current.auth.close()
    current = next
  }

  let current = build()
  const listener = createServer((request, response) => {
    const stop = startWatch()
    const end = response.end
    response.end = ((...args: Parameters<typeof end>) => {
      handling.push(stop())
      options.onResponse?.('before')
      const result = end.apply(response, args)
      options.onResponse?.('after')
      return result
    }) as typeof end
    current.listener(request, response)
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))

  return {
    port: (listener.address() as AddressInfo).port,
    clock,
    executions,
    handling,
    notices,
    refusals,
    store,
    get auth() {
      return current.auth
    },
    get server() {
      return server()
    },
    rebuild(changes, realms = state.realms) {
      const before = { ...state }
      Object.assign(state, { changes: { ...before.changes, ...changes }, realms })
      try {
        replace()
      } catch (error) {
        Object.assign(state, before)
        throw error
      }
    },
    mistakes: () => state.mistakes,
    unlimit() {
      state.throttled = false
      replace()
    },
    rotate() {
      state.generation += 1
      replace()
    },
    retire(notAfter) {
      state.retired = notAfter
      replace()
    },
    async drain() {
      await closeServer(listener)
      await current.auth.close()
    },
    async close() {
      await current.auth.close()
      listener.closeAllConnections()
      await closeServer(listener)
    },
  }
}

/**
 * Starts a stopwatch for handling, in milliseconds. It takes the lesser of elapsed and processor
 * time: other processes lengthen the one, and threads of the garbage collector the other.
 */
function startWatch(): () => number {
  const started = performance.now()
  const before = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(before)
    return Math.min(performance.now() - started, (user + system) / 1000)
  }
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}
