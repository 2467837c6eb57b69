/**
 * One node of an application: a process with an `Auth` over a shared store, its routes on a port, and commands from the test that
 * started it. It runs the built library.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { toNodeHandler } from '../../../src/adapters/node.ts'
import { createAuth, createKeyRing, isAuthError } from '../../../src/index.ts'
import { authRoutes } from '../../../src/routes.ts'
import type { LogEntry } from '../../../src/session/store.ts'
import { connect } from './connect.ts'
import { watchDelays } from './delays.ts'
import { createFuse } from './fuse.ts'
import type { Answer, Commands, Judging, NodeSpec, Outcome, Question, Way } from './messages.ts'

const spec: NodeSpec = JSON.parse(process.env['TOKENWRIGHT_NODE'] ?? '')

if (spec.skew !== undefined) {
  const shift = spec.skew * 1000
  const now = Date.now
  Date.now = () => now() + shift
}

const uncaught: string[] = []
process.on('unhandledRejection', (cause) => uncaught.push(`rejection: ${String(cause)}`))
process.on('uncaughtException', (cause) => uncaught.push(`exception: ${String(cause)}`))
process.on('disconnect', () => process.exit())

const heldUp = watchDelays()
const fuse = createFuse()
const { store } = connect(spec.store, fuse.tap)
const events: Record<string, number> = {}
const count = (name: string) => () => {
  events[name] = (events[name] ?? 0) + 1
}
const auth = createAuth({
  ...(spec.keys === undefined
    ? { secret: 'Nq5uT2yVb8LkD4wZ7cRm1xGe9SfH3pJa6oQiK0vB' }
    : { keys: createKeyRing({ load: spec.keys.path, every: spec.keys.every }) }),
  sessions: {
    store: fuse.wrap(store),
    overlap: spec.overlap ?? 30,
    ...(spec.max !== undefined && { max: spec.max }),
  },
  revocation: { maxStale: spec.maxStale ?? 60 },
  on: Object.fromEntries(
    ['started', 'refreshed', 'replayed', 'healed', 'reused', 'steppedUp', 'ended'].map((name) => [
      name,
      count(name),
    ]),
  ),
})

/** What a refusal is called. */
function toCode(error: unknown): string {
  if (isAuthError(error)) return error.code
  throw error
}

/** Does something that may be refused. */
async function attempt(work: () => Promise<Omit<Outcome, 'code'> | undefined>): Promise<Outcome> {
  try {
    return { code: 'ok', ...(await work()) }
  } catch (error) {
    return { code: toCode(error) }
  }
}

/** Waits for work whose result is of no interest. */
async function done(work: Promise<unknown>): Promise<undefined> {
  await work
  return undefined
}

const toTokens = (pair: { readonly access_token: string; readonly refresh_token: string }) => ({
  access: pair.access_token,
  refresh: pair.refresh_token,
})

const REQUIREMENTS = {
  feed: auth.prepare({}),
  strict: auth.prepare({ revocation: 'strict' }),
  fresh: auth.prepare({ fresh: true }),
  off: auth.prepare({ revocation: 'off' }),
} as const

async function judge(token: string, judging: Judging): Promise<string> {
  const { code } = await attempt(async () => {
    await auth.verifyToken(token, REQUIREMENTS[judging])
    return undefined
  })
  return code
}

async function refreshByHttp(token: string): Promise<Outcome> {
  const headers = { Authorization: `Bearer ${token}` }
  const response = await fetch(`${url}/auth/refresh`, { method: 'POST', headers })
  const body = (await response.json()) as { code?: string; access_token: string; refresh_token: string }
  return response.ok ? { code: 'ok', ...toTokens(body) } : { code: body.code ?? `status ${response.status}` }
}

async function loginByHttp(username: string): Promise<Outcome> {
  const response = await fetch(`${url}/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username, password: 'right', delivery: 'body' }),
  })
  const body = (await response.json()) as { code?: string; access_token: string; refresh_token: string }
  return response.ok ? { code: 'ok', ...toTokens(body) } : { code: `${response.status} ${body.code}` }
}

function refresh(token: string, way: Way = 'api'): Promise<Outcome> {
  if (way === 'http') return refreshByHttp(token)
  return attempt(async () => {
    const payload = await auth.verifyToken(token, { type: 'refresh', revocation: 'off' })
    return toTokens(await auth.sessions.refresh(payload))
  })
}

// Tests ask for many logins of one user at once, in several processes. The throttle waits for its
// own process's attempts before it refuses, and not for those of the others.
const routes = authRoutes(auth, {
  throttle: false,
  verifyCredentials: ({ username, password }) => (password === 'right' ? { subject: username } : null),
})

/** The routes of the package, and one of our own for each way of judging. */
async function handle(request: Request): Promise<Response> {
  const name = new URL(request.url).pathname.slice(1)
  if (!Object.hasOwn(REQUIREMENTS, name)) return routes(request)
  try {
    await auth.authenticate(request, REQUIREMENTS[name as Judging])
    return new Response(null, { status: 204 })
  } catch (error) {
    if (!isAuthError(error)) throw error
    const { status, headers, body } = auth.errorResponse(error)
    return new Response(body, { status, headers })
  }
}

const server = createServer(toNodeHandler(handle))
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

/** The machine's monotonic clock, the same in all of its processes. */
const machineTime = (): number => Number(process.hrtime.bigint()) / 1e9

const hammered = { judged: 0, passed: 0 }

/** Judges tokens from the first moment on, without waiting for the feed, until this process is killed. */
async function hammer(tokens: readonly string[]): Promise<void> {
  for (;;) {
    for (const token of tokens) {
      const code = await judge(token, 'feed')
      hammered.judged += 1
      if (code !== 'token_revoked') hammered.passed += 1
    }
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

const commands: { [K in keyof Commands]: (...args: Parameters<Commands[K]>) => unknown } = {
  login: (sub, provedAgo = 0) =>
    attempt(async () =>
      toTokens(await auth.sessions.start(sub, { fresh: true, provedAt: auth.now() - provedAgo })),
    ),
  loginMany: (sub, count, way) =>
    Promise.all(
      Array.from({ length: count }, () =>
        way === 'http'
          ? loginByHttp(sub)
          : attempt(async () => toTokens(await auth.sessions.start(sub, { fresh: true }))),
      ),
    ),
  refresh,
  race: (token, count, way) => Promise.all(Array.from({ length: count }, () => refresh(token, way))),
  stepUp: (access, isWrong = false) =>
    attempt(async () => {
      const payload = await auth.verifyToken(access)
      return toTokens(await auth.sessions.stepUp(payload, async () => (isWrong ? null : { amr: ['otp'] })))
    }),
  judge,
  end: async (sid) => (await attempt(() => done(auth.sessions.end(sid)))).code,
  revoke: async (access) =>
    (
      await attempt(async () => {
        await auth.revoke(await auth.verifyToken(access, { revocation: 'off' }))
        return undefined
      })
    ).code,
  revokeSubject: async (sub) => (await attempt(() => done(auth.revokeSubject(sub)))).code,
  async watch(token) {
    while ((await judge(token, 'feed')) === 'ok') await new Promise((resolve) => setTimeout(resolve, 5))
    return machineTime()
  },
  hammered: () => hammered,
  async endTimed(sid) {
    await auth.sessions.end(sid)
    return machineTime()
  },
  row: (sid) => auth.sessions.get(sid),
  list: (sub) => auth.sessions.list(sub),
  async log() {
    const entries: LogEntry[] = []
    for (let cursor: string | null = null, more = true; more; ) {
      const page = await store.readLog(cursor, 1000)
      entries.push(...page.entries)
      cursor = page.cursor
      more = page.more
    }
    return entries
  },
  ready: async () => (await attempt(() => auth.ready().then(() => undefined))).code,
  crashAt: fuse.set,
  seen: () => ({ events, uncaught }),
  heldUp,
  memory() {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    // What the first pass has finalized, the second takes away.
    for (let pass = 0; pass < 2; pass++) collect()
    const { heapUsed, external, rss } = process.memoryUsage()
    return { kept: (heapUsed + external) / 2 ** 20, resident: rss / 2 ** 20 }
  },
}

const answer = (message: Answer): void => void process.send?.(message)

process.on('message', ({ id, command, args }: Question) => {
  const run = commands[command] as (...args: readonly unknown[]) => unknown
  Promise.resolve()
    .then(() => run(...args))
    .then(
      (value) => answer({ id, value }),
      (error: unknown) => answer({ id, error: String(error instanceof Error ? error.stack : error) }),
    )
})

answer({ id: 0, value: url })
if (spec.hammer !== undefined) void hammer(spec.hammer)
