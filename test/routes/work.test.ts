/**
 * What one request costs: how many tokens are decoded, how often a token is searched, how many requirements are
 * prepared. A token that was just signed is known, so nothing decodes it.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { AuthOptions } from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'

const prepared = vi.hoisted(() => ({ count: 0 }))
vi.mock('../../src/http/extract-token.ts', async (load) => {
  const actual = await load<typeof import('../../src/http/extract-token.ts')>()
  const prepareExtractToken: typeof actual.prepareExtractToken = (...args) => {
    prepared.count++
    return actual.prepareExtractToken(...args)
  }
  return { ...actual, prepareExtractToken }
})

const { createAuth } = await import('../../src/index.ts')
const { authRoutes } = await import('../../src/routes.ts')

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'
const CREDENTIALS = { username: 'alice', password: 'right' }

const isToken = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'exp' in value && 'type' in value

interface Work {
  /** Token payloads that were parsed, verification included. */
  readonly decoded: number
  /** Times that the header was searched for a token. */
  readonly searched: number
  /** Requirements that were prepared. */
  readonly prepared: number
}

/** Counts the work of one request by the calls that no implementation can do without. */
async function measure(send: () => Promise<Response>): Promise<Work & { readonly response: Response }> {
  let decoded = 0
  let searched = 0
  const { parse } = JSON
  vi.spyOn(JSON, 'parse').mockImplementation((...args: Parameters<typeof JSON.parse>) => {
    const value: unknown = parse(...args)
    if (isToken(value)) decoded++
    return value
  })
  const { get } = Headers.prototype
  vi.spyOn(Headers.prototype, 'get').mockImplementation(function (this: Headers, name: string) {
    if (name.toLowerCase() === 'cookie') searched++
    return get.call(this, name)
  })
  const before = prepared.count
  const response = await send()
  vi.restoreAllMocks()
  return { decoded, searched, prepared: prepared.count - before, response }
}

/** A browser's cookie jar and the routes of one application. */
function setUp(options: AuthOptions, stateful: boolean) {
  const auth = createAuth({
    secret: SECRET,
    cache: false,
    ...options,
    ...(stateful && { sessions: { store: memoryStore() } }),
  })
  const handle = authRoutes(auth, {
    verifyCredentials: ({ username, password }) =>
      password === 'right' ? { subject: username, scopes: ['posts:read'] } : null,
    address: () => '192.0.2.1',
  })
  const jar = new Map<string, string>()
  const send = async (path: string, body: object, token?: string): Promise<Response> => {
    const csrf = [...jar].find(([name]) => name.includes('csrf'))?.[1]
    const response = await handle(
      new Request(`http://localhost/auth/${path}`, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: {
          'content-type': 'application/json',
          ...(jar.size > 0 && { cookie: [...jar].map((pair) => pair.join('=')).join('; ') }),
          ...(csrf !== undefined && { 'x-csrf-token': csrf }),
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        },
      }),
    )
    for (const line of response.headers.getSetCookie()) {
      const [name = '', value = ''] = (line.split(';')[0] ?? '').split('=')
      jar.set(name, value)
    }
    return response
  }
  return { send, jar }
}

const BY_COOKIE: AuthOptions = { locations: ['header', 'cookie'] }
const HYBRID: AuthOptions = { ...BY_COOKIE, cookies: { carry: ['refresh'] } }
/** The cookie is searched too, so that a search by any location is counted. */
const MODES = { cookie: BY_COOKIE, hybrid: HYBRID } as const

beforeEach(() => vi.restoreAllMocks())
afterEach(() => vi.restoreAllMocks())

describe.each([
  ['with a store', true],
  ['without a store', false],
])('%s', (_, stateful) => {
  describe.each(['cookie', 'hybrid'] as const)('by %s', (mode) => {
    it('a refresh verifies one token, searches once and prepares nothing', async () => {
      const { send } = setUp(MODES[mode], stateful)
      expect((await send('login', CREDENTIALS)).status).toBe(200)
      const { response, ...work } = await measure(() => send('refresh', {}))
      expect(response.status).toBe(200)
      expect(work).toEqual({ decoded: 1, searched: 1, prepared: 0 })
    })

    it('a login decodes nothing that it signed', async () => {
      const { send } = setUp(MODES[mode], stateful)
      const { response, ...work } = await measure(() => send('login', CREDENTIALS))
      expect(response.status).toBe(200)
      expect(work).toEqual({ decoded: 0, searched: stateful ? 1 : 0, prepared: 0 })
    })

    it('a login in a browser with a session verifies one token of the earlier session', async () => {
      const { send } = setUp(MODES[mode], stateful)
      await send('login', CREDENTIALS)
      const { response, ...work } = await measure(() => send('login', CREDENTIALS))
      expect(response.status).toBe(200)
      expect(work).toEqual({ decoded: stateful ? 1 : 0, searched: stateful ? 1 : 0, prepared: 0 })
    })

    it('a step-up decodes nothing that it signed', async () => {
      const { send } = setUp(MODES[mode], stateful)
      const { access_token } = (await (await send('login', CREDENTIALS)).json()) as { access_token?: string }
      const { response, ...work } = await measure(() =>
        send('verify-password', { password: 'right' }, access_token),
      )
      expect(response.status).toBe(200)
      // In the hybrid the token comes by header: a look at the refresh cookie says how to deliver.
      expect(work).toEqual({ decoded: 1, searched: 1, prepared: 0 })
    })
  })

  it('a refresh by body verifies one token, reads no cookie twice and prepares nothing', async () => {
    const { send, jar } = setUp(BY_COOKIE, stateful)
    const login = await send('login', { ...CREDENTIALS, delivery: 'body' })
    const { refresh_token } = (await login.json()) as { refresh_token: string }
    expect(jar.size).toBe(0)
    const { response, ...work } = await measure(() => send('refresh', { refresh_token }))
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ refresh_token: expect.any(String) })
    expect(work).toEqual({ decoded: 1, searched: 0, prepared: 0 })
  })

  it('a refresh by header verifies one token', async () => {
    const { send } = setUp(BY_COOKIE, stateful)
    const login = await send('login', { ...CREDENTIALS, delivery: 'body' })
    const { refresh_token } = (await login.json()) as { refresh_token: string }
    const { response, ...work } = await measure(() => send('refresh', {}, refresh_token))
    expect(response.status).toBe(200)
    expect(work).toEqual({ decoded: 1, searched: 0, prepared: 0 })
  })
})
