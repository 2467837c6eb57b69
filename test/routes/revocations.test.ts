/** The feed of revocations, as a client sees it: who may read it, its pages, and what they cost. */
import { connect as openSocket } from 'node:net'
import { describe, expect, it, vi } from 'vitest'
import { toNodeHandler } from '../../src/adapters/node.ts'
import { type AuthOptions, createAuth } from '../../src/index.ts'
import { authRoutes } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { listen, until } from '../remote/services.ts'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`
const GOOD = basic('api:s3cret')

interface Page {
  readonly entries: readonly { kind: string; key: string }[]
  readonly cursor: string
  readonly more: boolean
  readonly restarted: boolean
  readonly [name: string]: unknown
}

function setUp(options: AuthOptions = {}, store = memoryStore()) {
  const readLog = vi.spyOn(store, 'readLog')
  const auth = createAuth({ secret: SECRET, issuer: 'https://us', sessions: { store }, ...options })
  const handle = authRoutes(auth, {
    verifyCredentials: () => null,
    throttle: false,
    verifyClient: ({ id, secret }) => (id === 'api' || id === 'other') && secret === 's3cret',
  })
  const ask = (query = '', headers: Record<string, string> = {}, init: RequestInit = {}) =>
    handle(
      new Request(`http://localhost/auth/revocations${query}`, {
        headers: { authorization: GOOD, ...headers },
        ...init,
      }),
    )
  const read = async (query = '') => (await (await ask(query)).json()) as Page
  const revoke = async (sub = 'alice') => {
    await auth.sessions.start(sub)
    await auth.sessions.endAll(sub)
  }
  return { auth, store, readLog, handle, ask, read, revoke }
}

const wait = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000))

describe('GET /revocations', () => {
  it('is for clients that are known', async () => {
    const { handle, auth } = setUp()
    for (const authorization of [
      undefined,
      '',
      'Bearer x',
      basic('api:wrong'),
      basic('api:'),
      basic(':s3cret'),
    ]) {
      const headers = authorization === undefined ? {} : { authorization }
      for (const method of ['GET', 'POST']) {
        const response = await handle(new Request('http://localhost/auth/revocations', { method, headers }))
        expect([response.status, response.headers.get('www-authenticate')]).toEqual([
          401,
          expect.stringContaining('Basic'),
        ])
      }
    }
    const token = await auth.createTokenPair('alice')
    const bearer = new Request('http://localhost/auth/revocations', {
      headers: { authorization: `Bearer ${token.access_token}` },
    })
    expect((await handle(bearer)).status).toBe(401)
    await auth.close()
  })

  it('is not there without clients or without a store', async () => {
    const auth = createAuth({ secret: SECRET, sessions: { store: memoryStore() } })
    const plain = createAuth({ secret: SECRET })
    const request = () =>
      new Request('http://localhost/auth/revocations', { headers: { authorization: GOOD } })
    const options = { verifyCredentials: () => null, throttle: false } as const
    expect((await authRoutes(auth, options)(request())).status).toBe(404)
    expect((await authRoutes(plain, { ...options, verifyClient: () => true })(request())).status).toBe(404)
  })

  it('tells of sessions, tokens and subjects, and of nothing else', async () => {
    const { auth, ask } = setUp({ realm: 'user', access: { expiresIn: '10m' } })
    const { access_token } = await auth.sessions.start('alice')
    const { sid, jti } = await auth.verifyToken(access_token)
    await auth.revoke(await auth.verifyToken(access_token))
    await auth.sessions.end(String(sid))
    await auth.revokeSubject('bob')
    const response = await ask('?nonce=abc-_9')
    const moment = expect.any(Number)
    expect(await response.json()).toEqual({
      iss: 'https://us',
      realm: 'user',
      entries: [
        { kind: 'jti', key: jti, at: moment, until: moment },
        { kind: 'sid', key: sid, at: moment, until: moment },
        { kind: 'sub', key: 'bob', realm: 'user', at: moment, until: moment },
      ],
      cursor: expect.any(String),
      more: false,
      restarted: false,
      now: moment,
      covers: 600,
    })
    const { headers } = response
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('revocations-nonce')).toBe('abc-_9')
    expect(Number(headers.get('revocations-as-of'))).toBeGreaterThanOrEqual(-1)
    expect(headers.get('etag')).toMatch(/^"[\w-]{22}"$/)
    await auth.close()
  })

  it('keeps the subjects of other realms to itself', async () => {
    const store = memoryStore()
    const [user, admin, none] = ['user', 'admin', undefined].map((realm) =>
      setUp(realm === undefined ? {} : { realm }, store),
    )
    for (const [name, one] of Object.entries({ user, admin, none })) await one?.auth.revokeSubject(name)
    for (const [name, one] of Object.entries({ user, admin, none })) {
      expect((await one?.read())?.entries.map(({ key }) => key)).toEqual([name])
      await one?.auth.close()
    }
  })

  it('goes on after a cursor, at another process and after a restart', async () => {
    const store = memoryStore()
    const { auth, read, revoke } = setUp({}, store)
    await revoke()
    const first = await read()
    expect(first.entries).toHaveLength(1)
    expect((await read(`?cursor=${first.cursor}`)).entries).toEqual([])
    await revoke()
    await until('1', async () => String((await read(`?cursor=${first.cursor}`)).entries.length), 2)
    const other = setUp({}, store)
    const next = await other.read(`?cursor=${first.cursor}`)
    expect([next.entries.length, next.restarted]).toEqual([1, false])
    await Promise.all([auth.close(), other.auth.close()])
  })

  it('reads everything again for a cursor that it does not know', async () => {
    const { auth, read, revoke } = setUp()
    await revoke()
    const { cursor } = await read()
    for (const wrong of [
      '0',
      '-1',
      '99999',
      'x',
      `${cursor}0`,
      `9${cursor}`,
      cursor.replace('.', '..'),
      '%00',
    ]) {
      const page = await read(`?cursor=${wrong}`)
      expect([wrong, page.entries.length, page.restarted]).toEqual([wrong, 1, true])
    }
    const elsewhere = setUp()
    await elsewhere.revoke()
    expect(await elsewhere.read(`?cursor=${cursor}`)).toMatchObject({ restarted: true, more: false })
    await Promise.all([auth.close(), elsewhere.auth.close()])
  })

  it('refuses a query of another form', async () => {
    const { auth, ask } = setUp()
    const long = 'x'.repeat(1025)
    for (const query of [
      '?cursor=',
      `?cursor=${long}`,
      '?wait=-1',
      '?wait=5s',
      '?wait=NaN',
      '?nonce=',
      '?nonce=a%0Ab',
    ])
      expect([query, (await ask(query)).status]).toEqual([query, 400])
    await auth.close()
  })

  it('responds 304 to the tag of the last page, while nothing is revoked', async () => {
    const { auth, ask, revoke } = setUp()
    const { headers } = await ask()
    const tag = headers.get('etag') ?? ''
    const { cursor } = (await (await ask()).json()) as Page
    for (const sent of [tag, `W/${tag}`, `"other", ${tag}`]) {
      const response = await ask(`?cursor=${cursor}&nonce=n1`, { 'if-none-match': sent })
      expect([response.status, await response.text(), response.headers.get('etag')]).toEqual([304, '', tag])
      expect(response.headers.get('revocations-nonce')).toBe('n1')
    }
    expect((await ask(`?cursor=${cursor}`, { 'if-none-match': '"other"' })).status).toBe(200)
    await revoke()
    const changed = await ask(`?cursor=${cursor}&wait=2`, { 'if-none-match': tag })
    expect([changed.status, changed.headers.get('etag') === tag]).toEqual([200, false])
    await auth.close()
  })

  it('gives a long log in pages', async () => {
    const { auth, store, read } = setUp()
    for (let i = 0; i < 2500; i++) await store.revokeToken(`t${i}`, Date.now() / 1000 + 900, null)
    const keys: string[] = []
    for (let query = '', more = true; more; ) {
      const page = await read(query)
      keys.push(...page.entries.map(({ key }) => key))
      expect(page.entries.length).toBeLessThanOrEqual(1000)
      query = `?cursor=${page.cursor}`
      more = page.more
    }
    expect(keys).toEqual(Array.from({ length: 2500 }, (_, i) => `t${i}`))
    await auth.close()
  })
})

describe('a request that is held', () => {
  it('ends with the revocation, or after `wait`, and says as of when it is complete', async () => {
    const { auth, ask, read, revoke } = setUp()
    const { cursor } = await read()
    const begun = performance.now()
    const response = await ask(`?cursor=${cursor}&wait=0.9`)
    const seconds = (performance.now() - begun) / 1000
    expect(seconds).toBeGreaterThanOrEqual(0.89)
    const asOf = Number(response.headers.get('revocations-as-of'))
    expect(asOf).toBeLessThanOrEqual(seconds)
    expect(asOf).toBeGreaterThan(seconds - 1)
    const held = read(`?cursor=${cursor}&wait=20`)
    await wait(0.1)
    await revoke()
    expect((await held).entries).toHaveLength(1)
    expect(performance.now() - begun).toBeLessThan(4000)
    await auth.close()
  })

  it('costs no reading of the store beside the one of the process', async () => {
    const { auth, readLog, read, revoke } = setUp()
    const { cursor } = await read()
    await wait(0.5)
    const before = readLog.mock.calls.length
    const begun = performance.now()
    const held = Array.from({ length: 300 }, () => read(`?cursor=${cursor}&wait=20`))
    await wait(0.5)
    expect(auth.internals.revocations?.waiting).toBe(300)
    await revoke()
    const pages = await Promise.all(held)
    expect(pages.every(({ entries }) => entries.length === 1)).toBe(true)
    const own = Math.ceil((performance.now() - begun) / 400) + 1
    // `endAll` reads the log once more.
    expect(readLog.mock.calls.length - before).toBeLessThanOrEqual(own + 1)
    expect(auth.internals.revocations?.waiting).toBe(0)
    await auth.close()
  })

  it('ends at `close`', async () => {
    const { auth, read } = setUp()
    const { cursor } = await read()
    const held = read(`?cursor=${cursor}&wait=20`)
    await wait(0.05)
    await auth.close()
    expect((await held).entries).toEqual([])
  })

  it('is given up when its client is gone: fetch and Node', async () => {
    const { auth, handle, ask, read } = setUp()
    const { cursor } = await read()
    const { revocations } = auth.internals
    const gone = new AbortController()
    void ask(`?cursor=${cursor}&wait=20`, {}, { signal: gone.signal })
    await wait(0.05)
    expect(revocations?.waiting).toBe(1)
    gone.abort()
    await wait(0.05)
    expect(revocations?.waiting).toBe(0)
    const server = await listen(toNodeHandler(handle))
    const socket = openSocket(Number(new URL(server.origin).port), '127.0.0.1')
    socket.write(
      `GET /auth/revocations?cursor=${cursor}&wait=20 HTTP/1.1\r\nHost: x\r\nAuthorization: ${GOOD}\r\n\r\n`,
    )
    await until('1', async () => String(revocations?.waiting), 2)
    socket.destroy()
    await until('0', async () => String(revocations?.waiting), 2)
    await Promise.all([auth.close(), server.close()])
  })

  it('has a place for 500 of one client, and none is taken from another one', async () => {
    const { auth, ask, read } = setUp()
    const { cursor } = await read()
    const gone = new AbortController()
    const query = `?cursor=${cursor}&wait=20`
    const held = Array.from({ length: 500 }, () => ask(query, {}, { signal: gone.signal }))
    await wait(0.2)
    const refused = await ask(query)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1'])
    // Without a wait it is told all the same.
    expect((await ask(`?cursor=${cursor}`)).status).toBe(200)
    const other = ask(query, { authorization: basic('other:s3cret') }, { signal: gone.signal })
    await wait(0.1)
    expect(auth.internals.revocations?.waiting).toBe(501)
    gone.abort()
    await Promise.all([...held, other])
    expect(auth.internals.revocations?.waiting).toBe(0)
    await auth.close()
  })

  it('is 503 while the store is out of reach', async () => {
    const { auth, ask, read, readLog } = setUp()
    const { cursor } = await read()
    readLog.mockRejectedValue(new Error('down'))
    const held = ask(`?cursor=${cursor}&wait=3.2`)
    expect((await held).status).toBe(503)
    expect((await ask(`?cursor=${cursor}`)).status).toBe(503)
    expect((await ask()).status).toBe(503)
    readLog.mockRestore()
    await until('200', async () => String((await ask(`?cursor=${cursor}`)).status), 3)
    await auth.close()
  })
})

describe('POST /revocations', () => {
  it('says of a token whether it is revoked now', async () => {
    const { auth, ask, handle } = setUp()
    const check = async (body: object) => {
      const request = new Request('http://localhost/auth/revocations', {
        method: 'POST',
        headers: { authorization: GOOD, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      const response = await handle(request)
      return response.status === 200 ? ((await response.json()) as object) : response.status
    }
    const { access_token } = await auth.sessions.start('alice')
    const { sub, sid, jti, iat } = await auth.verifyToken(access_token)
    expect(await check({ sub, sid, jti, iat })).toEqual({ revoked: false, iss: 'https://us' })
    await auth.sessions.end(String(sid))
    expect(await check({ sub, sid, jti, iat })).toEqual({ revoked: true, iss: 'https://us' })
    expect(await check({ sub, sid: 'unknown' })).toEqual({ revoked: true, iss: 'https://us' })
    for (const wrong of [{}, { sub: 1 }, { sub: '' }, { sub, sid: 1 }, { sub, jti: {} }, { sub, iat: 'now' }])
      expect(await check(wrong)).toBe(400)
    expect((await ask('', {}, { method: 'DELETE' })).status).toBe(405)
    await auth.close()
  })
})
