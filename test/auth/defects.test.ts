/**
 * Mistakes of the application and of its configuration are never told as an outage: the response is
 * 500, an event has the error, and a message says how to mend it. What is an outage stays one.
 */
import { DatabaseSync } from '@photostructure/sqlite'
import { Kysely, type SqliteDatabase, SqliteDialect } from 'kysely'
import { beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest'
import { guards } from '../../src/adapters/fetch.ts'
import { type AuthEvents, type AuthOptions, ConfigurationError, createAuth } from '../../src/index.ts'
import { isDefect } from '../../src/internal/outage.ts'
import { type AuthRoutesOptions, authRoutes } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { sqlStore } from '../../src/stores/sql.ts'
import { openDatabase } from '../stores/sql-databases.ts'
import { SECRET } from '../token/forge.ts'

let warn: MockInstance<typeof process.emitWarning>
beforeEach(() => {
  warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
})

const BASIC = `Basic ${Buffer.from('api:secret').toString('base64')}`

/** An application all of whose events are kept. */
function setUp(options: AuthOptions = {}, routes: Partial<AuthRoutesOptions<never>> = {}, listens = true) {
  const failed: AuthEvents['failed'][] = []
  const refused: AuthEvents['refused'][] = []
  const on = { refused: (event: never) => refused.push(event), failed: (event: never) => failed.push(event) }
  const auth = createAuth({
    secret: SECRET,
    sessions: { store: memoryStore() },
    ...(listens && { on: on as never }),
    ...options,
  })
  const handle = authRoutes(auth, {
    verifyCredentials: ({ username }: { username: string }) => ({ subject: username }),
    address: () => '192.0.2.1',
    ...routes,
  } as never)
  const post = (path: string, token: string, body: object = {}) =>
    new Request(`http://localhost${path}?secret=1`, {
      method: 'POST',
      headers: {
        authorization: path.endsWith('introspect') ? BASIC : `Bearer ${token}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ username: 'u', password: 'right', token, ...body }),
    })
  return { auth, handle, post, failed, refused, guard: guards(auth) }
}

/** What wrong calls of this library throw, by where it is found out. */
const WRONG_CALLS: Readonly<Record<string, Error>> = await (async () => {
  const auth = createAuth({ secret: SECRET, sessions: { store: memoryStore() } })
  const database = await openDatabase('sqlite')
  const small = createAuth({ secret: SECRET, sessions: { store: sqlStore(database.db) } })
  // A second copy of the package, as a bundler or two versions in a tree make one.
  vi.resetModules()
  const copy = await import('../../src/index.ts')
  expect(copy.createAuth).not.toBe(createAuth)
  const calls: Readonly<Record<string, () => unknown>> = {
    'an option': () => auth.createAccessToken('u', { scope: ['a'] } as never),
    'an option of another copy': () =>
      copy.createAuth({ secret: SECRET }).createAccessToken('u', { scope: ['a'] } as never),
    'a token that no cookie holds': async () =>
      auth.cookies(await auth.createTokenPair('u', { data: { text: 'x'.repeat(4000) } })),
    'a text that the store does not keep': () =>
      small.createTokenPair('u', { data: { text: 'x'.repeat(70_000) } }),
    'no error': () => auth.errorResponse(new Error('x') as never),
    'a request': () => auth.authenticate({} as never, {}),
  }
  const errors: Record<string, Error> = {}
  for (const [name, call] of Object.entries(calls)) {
    errors[name] = await (async () => call())().then(
      () => new Error('it passed'),
      (error: Error) => error,
    )
  }
  await database.close()
  return errors
})()

const page = (): Response => new Response('passed')

/** A store of which every call fails with an error. */
function failing(error: unknown): ReturnType<typeof memoryStore> {
  const members = Object.entries(memoryStore()).map(([name, member]) => [
    name,
    typeof member === 'function' ? () => Promise.reject(error) : member,
  ])
  return Object.fromEntries(members) as ReturnType<typeof memoryStore>
}

describe('a mistake in the configuration that a store call finds', () => {
  const error = new ConfigurationError('Expected the tables to be there: migrate them')

  it('is a 500 at the routes, with one message', async () => {
    const { handle, post, failed, refused } = setUp(
      { sessions: { store: failing(error) } },
      { throttle: false },
    )
    for (let i = 0; i < 3; i++) {
      const response = await handle(post('/auth/login', ''))
      expect(response.status).toBe(500)
      expect(await response.json()).toMatchObject({ code: 'configuration_invalid' })
    }
    expect(refused).toEqual([])
    // The same error three times: it is told once.
    expect(failed).toEqual([{ error, method: 'POST', time: expect.any(Number), route: '/auth/login' }])
  })

  it('reaches the error handler behind a guard, and a listener', async () => {
    const good = setUp()
    const token = await good.auth.createAccessToken('u')
    const { guard, post, failed, refused } = setUp({ sessions: { store: failing(error) } })
    const strict = guard.token({ revocation: 'strict' })(page)
    await expect(strict(post('/x', token))).rejects.toBe(error)
    expect(refused).toEqual([])
    expect(failed).toEqual([{ error, method: 'POST', time: expect.any(Number), route: '/x' }])
  })

  it('is warned of once where no one listens', async () => {
    const { guard, post, auth } = setUp({ sessions: { store: failing(error) } }, {}, false)
    const token = await setUp().auth.createAccessToken('u')
    const strict = guard.token({ revocation: 'strict' })(page)
    for (let i = 0; i < 3; i++) await expect(strict(post('/x', token))).rejects.toBe(error)
    await expect(auth.ready()).rejects.toBe(error)
    expect(warn.mock.calls).toEqual([
      [error.message, { type: 'TokenwrightWarning', code: 'TOKENWRIGHT_MISCONFIGURED' }],
    ])
  })

  it('is what a SQL database without tables shows', async () => {
    const database = new DatabaseSync(':memory:') as unknown as SqliteDatabase
    const db = new Kysely<never>({ dialect: new SqliteDialect({ database }) })
    const { handle, post } = setUp({ sessions: { store: sqlStore(db) } }, {}, false)
    expect((await handle(post('/auth/login', ''))).status).toBe(500)
    expect(warn).toHaveBeenCalledExactlyOnceWith(
      expect.stringMatching(/npx tokenwright migrate/),
      expect.objectContaining({ code: 'TOKENWRIGHT_MISCONFIGURED' }),
    )
    await db.destroy()
  })
})

/** Functions of the application, and the request that asks for each. */
const FUNCTIONS: Readonly<
  Record<string, (fail: () => never) => { auth?: AuthOptions; routes?: object; path: string }>
> = {
  isRevoked: (fail) => ({ auth: { isRevoked: fail }, path: '/access' }),
  subject: (fail) => ({ auth: { subject: fail }, path: '/subject' }),
  'sessions.rights': (fail) => ({
    auth: { sessions: { store: memoryStore(), rights: fail } },
    path: '/auth/refresh',
  }),
  verifyCredentials: (fail) => ({ routes: { verifyCredentials: fail }, path: '/auth/login' }),
  verifyClient: (fail) => ({ routes: { verifyClient: fail }, path: '/auth/introspect' }),
  'a limiter': (fail) => {
    const limiter = { consume: fail, get: async () => null, reward: fail, delete: fail }
    return { routes: { throttle: { createLimiter: () => limiter } }, path: '/auth/login' }
  },
}

describe.each(Object.entries(FUNCTIONS))('%s', (name, toCase) => {
  async function send(error: unknown) {
    const {
      auth: options,
      routes,
      path,
    } = toCase(() => {
      throw error
    })
    const app = setUp(options, routes as never)
    const pair = await app.auth.createTokenPair('u')
    const token = path === '/auth/refresh' ? pair.refresh_token : pair.access_token
    const guarded = path === '/subject' ? app.guard.subject()(page) : app.guard.access()(page)
    const response = (path.startsWith('/auth') ? app.handle : guarded)(app.post(path, token))
    return { ...app, outcome: await response.catch((reason: unknown) => reason) }
  }

  it.each<[string, Error]>([
    ['a name that is not there', new ReferenceError('usres is not defined')],
    ['no function', new TypeError('users.find is not a function')],
    ['a member of undefined', new TypeError("Cannot read properties of undefined (reading 'id')")],
    ...Object.entries(WRONG_CALLS).map(([what, error]): [string, Error] => [`a wrong call: ${what}`, error]),
  ])('that has a defect fails as it is: %s', async (_, error) => {
    const { outcome, failed, refused } = await send(error)
    expect(outcome).toBe(error)
    expect(refused).toEqual([])
    expect(failed.map((event) => event.error)).toEqual([error])
    expect(warn).not.toHaveBeenCalled()
  })

  if (name !== 'verifyCredentials')
    it.each([
      ['a driver', Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })],
      // What a proxy sends in place of JSON.
      ['JSON', new SyntaxError('Unexpected token < in JSON at position 0')],
      ['fetch', new TypeError('fetch failed', { cause: new Error('getaddrinfo ENOTFOUND') })],
    ])('that meets an outage is 503: %s', async (_, error) => {
      const { outcome, failed, refused } = await send(error)
      expect(outcome).toMatchObject({ status: 503 })
      expect(failed).toEqual([])
      expect(refused.map(({ code }) => code)).toEqual(['store_unavailable'])
    })
})

describe('a defect', () => {
  it.each([
    () => (undefined as never as { x: string }).x,
    () => (({}) as never as { f(): void }).f(),
    () => {
      const [first] = undefined as never as string[]
      return first
    },
    () => {
      const { x } = null as never as { x: string }
      return x
    },
    () => new (({}) as never as new () => object)(),
  ])('is known by what this engine says of it: %s', (work) => {
    let error: unknown
    try {
      work()
    } catch (thrown) {
      error = thrown
    }
    expect([String(error), isDefect(error)]).toEqual([String(error), true])
  })

  it.each(Object.entries(WRONG_CALLS))('is a wrong call of this library: %s', (_, error) => {
    expect(error).toMatchObject({ name: 'TypeError' })
    expect(isDefect(error)).toBe(true)
  })

  it('is no error of another that begins as ours do', () => {
    expect(isDefect(new TypeError('Expected a response within 5 s'))).toBe(false)
  })

  it.each([undefined, null, 'x', new Error('x'), new TypeError('fetch failed'), { code: 'ETIMEDOUT' }])(
    'is not %o',
    (error) => {
      expect(isDefect(error)).toBe(false)
    },
  )
})
