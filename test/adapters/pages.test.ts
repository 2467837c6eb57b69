/** Pages that a server renders: what is read, what is refreshed, and what is left alone. */
import { describe, expect, it } from 'vitest'
import { guards } from '../../src/adapters/fetch.ts'
import { type AuthOptions, ConfigurationError, createAuth } from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'

function setUp(options: AuthOptions = {}) {
  let now = 1_700_000_000
  const store = memoryStore({ clock: () => now })
  const auth = createAuth({
    secret: SECRET,
    clock: () => now,
    locations: ['header', 'cookie'],
    sessions: { store },
    ...options,
  })
  const guard = guards(auth)
  const page = guard.refreshing(async (request) => {
    const payload = await guard.peek(request)
    return Response.json({ sub: payload?.sub ?? null, cookie: request.headers.get('cookie') })
  })
  const login = async (): Promise<string[]> =>
    auth
      .cookies(await auth.createTokenPair('alice', { fresh: true, scopes: ['a'] }))
      .map((line) => line.split(';', 1)[0] ?? '')
  const visit = async (cookies: readonly string[], init: RequestInit = {}) => {
    const request = new Request('http://localhost/', { ...init, headers: { cookie: cookies.join('; ') } })
    const response = await page(request)
    const lines = response.headers.getSetCookie().map((line) => line.split(';', 1)[0] ?? '')
    return { lines, ...((await response.json()) as { sub: string | null; cookie: string }) }
  }
  return { auth, guard, store, login, visit, move: (seconds: number) => (now += seconds) }
}

/** What the browser keeps after an answer. */
function keep(cookies: readonly string[], lines: readonly string[]): string[] {
  const names = lines.map((pair) => pair.split('=', 1)[0])
  return [...cookies.filter((pair) => !names.includes(pair.split('=', 1)[0])), ...lines]
}

describe('peek', () => {
  it('returns the payload, or null if no user is signed in or the requirement is not satisfied', async () => {
    const { auth, guard, move } = setUp()
    const { access_token, refresh_token } = await auth.createTokenPair('alice', {
      fresh: true,
      scopes: ['a'],
    })
    const at = (token: string) => ({ headers: new Headers({ authorization: `Bearer ${token}` }) })
    expect((await guard.peek(at(access_token)))?.sub).toBe('alice')
    expect((await guard.peek(at(access_token), { fresh: true, scopes: ['a'] }))?.sub).toBe('alice')
    expect(await guard.peek(at(access_token), { scopes: ['b'] })).toBeNull()
    for (const token of ['', 'x', 'a.b.c', refresh_token, `${access_token}x`])
      expect(await guard.peek(at(token))).toBeNull()
    expect(await guard.peek({ headers: new Headers() })).toBeNull()
    move(2000)
    expect(await guard.peek(at(access_token))).toBeNull()
  })

  it('renews nothing, and does not treat an unreachable store as a missing user', async () => {
    const { auth, guard } = setUp({
      sessions: { store: { ...memoryStore(), isRevoked: () => Promise.reject(new Error('down')) } },
    })
    const { access_token } = await auth.createTokenPair('alice')
    const source = { headers: new Headers({ authorization: `Bearer ${access_token}` }) }
    await expect(guard.peek(source, { revocation: 'strict' })).rejects.toMatchObject({
      code: 'store_unavailable',
    })
  })
})

describe('refreshing', () => {
  it('does not refresh a valid access token', async () => {
    const { login, visit, move } = setUp()
    const cookies = await login()
    move(800)
    expect(await visit(cookies)).toEqual({ lines: [], sub: 'alice', cookie: cookies.join('; ') })
  })

  it('refreshes one that is about to expire, expired or missing, for the page and for the browser', async () => {
    for (const [seconds, without] of [
      [850, ''],
      [2000, ''],
      [2000, '__Host-access_token'],
    ] as const) {
      const { login, visit, move, auth } = setUp()
      const cookies = (await login()).filter((pair) => without === '' || !pair.startsWith(without))
      move(seconds)
      const { lines, sub, cookie } = await visit(cookies)
      expect(sub).toBe('alice')
      expect(lines.map((pair) => pair.split('=', 1)[0])).toContain('__Host-access_token')
      // The page has seen what the browser will send from now on.
      expect(cookie.split('; ').sort()).toEqual(keep(cookies, lines).sort())
      const access = lines.find((pair) => pair.startsWith('__Host-access_token='))?.split('=')[1] ?? ''
      expect(await auth.verifyToken(access)).toMatchObject({ sub: 'alice', fresh: false, scopes: ['a'] })
    }
  })

  it('keeps a response with new cookies out of caches, whatever the page says', async () => {
    const { auth, guard, login, move } = setUp()
    const page = guard.refreshing(
      () =>
        new Response('page', {
          headers: {
            'Cache-Control': 'public, max-age=600',
            'CDN-Cache-Control': 'max-age=600',
            Vary: 'Accept',
          },
        }),
    )
    const visit = async (cookie: string) => {
      const { headers } = await page(new Request('http://localhost/', { headers: { cookie } }))
      const read = (name: string) => headers.get(name)
      return [read('cache-control'), read('cdn-cache-control'), read('vary'), headers.getSetCookie().length]
    }
    const cookie = (await login()).join('; ')
    const asThePageSays = ['public, max-age=600', 'max-age=600', 'Accept', 0]
    expect(await visit(cookie)).toEqual(asThePageSays)
    move(2000)
    expect(await visit(cookie)).toEqual(['private, no-store', null, 'Accept, Cookie, Authorization', 3])
    // A session that is over gets no cookies, so its page is for every visitor.
    await auth.revokeSubject('alice')
    expect(await visit(cookie)).toEqual(asThePageSays)
  })

  it('lets no framework make a 304 of a response with new cookies, in which they could be lost', async () => {
    const { guard, login, move } = setUp()
    const modified = 'Mon, 30 Nov 2026 00:00:00 GMT'
    const page = guard.refreshing(
      () => new Response('page', { headers: { ETag: '"a"', 'Last-Modified': modified } }),
    )
    const cookie = (await login()).join('; ')
    const visit = async () => {
      const { headers } = await page(new Request('http://localhost/', { headers: { cookie } }))
      return [headers.get('etag'), headers.get('last-modified')]
    }
    expect(await visit()).toEqual(['"a"', modified])
    move(2000)
    expect(await visit()).toEqual([null, null])
  })

  it('does not set the same refresh token again, because such a response may be late', async () => {
    const { login, visit, move } = setUp()
    const names = (lines: readonly string[]) => lines.map((pair) => pair.split('=', 1)[0])
    const before = await login()
    move(2000)
    const rotated = await visit(before)
    expect(names(rotated.lines)).toContain('__Host-refresh_token')
    const cookies = keep(before, rotated.lines).filter((pair) => !pair.startsWith('__Host-access_token='))
    move(5)
    const kept = await visit(cookies)
    expect(kept.sub).toBe('alice')
    expect(names(kept.lines)).toContain('__Host-access_token')
    expect(names(kept.lines)).not.toContain('__Host-refresh_token')
  })

  it('survives any number of pages at once, whichever response the browser keeps', async () => {
    const { login, visit, move } = setUp()
    let cookies = await login()
    for (let round = 0; round < 5; round++) {
      move(2000)
      const visits = await Promise.all(Array.from({ length: 8 }, () => visit(cookies)))
      expect(visits.map(({ sub }) => sub)).toEqual(Array(8).fill('alice'))
      cookies = keep(cookies, visits[(round * 3) % 8]?.lines ?? [])
    }
  })

  it('changes nothing if it cannot refresh: no cookie, a bad one, an ended session, an unreachable store', async () => {
    const { auth, login, visit, move } = setUp()
    expect(await visit([])).toMatchObject({ lines: [], sub: null })
    expect(await visit(['__Host-refresh_token=garbage'])).toMatchObject({ lines: [], sub: null })
    const cookies = await login()
    const [session] = await auth.sessions.list('alice')
    await auth.sessions.end(session?.sid ?? '')
    move(2000)
    expect(await visit(cookies)).toMatchObject({ lines: [], sub: null })
    const down = setUp({
      sessions: { store: { ...memoryStore(), rotate: () => Promise.reject(new Error('down')) } },
    })
    const kept = await down.login()
    down.move(2000)
    expect(await down.visit(kept)).toMatchObject({ lines: [], sub: null })
  })

  it("hands a request of the platform's own class on as one, with the new cookies", async () => {
    const { guard, login, move } = setUp()
    class PlatformRequest extends Request {
      readonly nextUrl = new URL(this.url)
    }
    class StrangeRequest extends Request {
      constructor(input: string, path: { readonly length: number }) {
        super(input)
        if (typeof path !== 'string') throw new TypeError('a path, please')
      }
    }
    const cookie = (await login()).join('; ')
    move(1000)
    const seen: unknown[] = []
    const page = guard.refreshing((request: Request) => {
      const { nextUrl } = request as Partial<PlatformRequest>
      seen.push([nextUrl?.pathname, request.headers.get('cookie') === cookie])
      return new Response()
    })
    await page(new PlatformRequest('http://localhost/a', { headers: { cookie } }))
    const strange = new StrangeRequest('http://localhost/b', 'x')
    strange.headers.set('cookie', cookie)
    await page(strange)
    expect(seen).toEqual([
      ['/a', false],
      [undefined, false],
    ])
  })

  it('refreshes no request that changes something', async () => {
    const { login, visit, move } = setUp()
    const cookies = await login()
    move(2000)
    expect(await visit(cookies, { method: 'POST' })).toMatchObject({ lines: [], sub: null })
    expect((await visit(cookies)).sub).toBe('alice')
  })

  describe('a form that was open for longer than the access token', () => {
    const ORIGIN = { origin: 'http://localhost', host: 'localhost' }
    const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

    async function openForm(options: AuthOptions = {}) {
      const refused: string[] = []
      const on = { refused: ({ code }: { readonly code: string }) => void refused.push(code) }
      const { auth, guard, login, move } = setUp({ on, ...options })
      const cookies = await login()
      const csrf = cookies.find((pair) => pair.startsWith('__Host-csrf_token='))?.split('=')[1] ?? ''
      move(2000)
      const page = guard.refreshing(async (request: Request) => {
        const { sub } = await auth.authenticate(request).catch(({ code }) => ({ sub: code }))
        return Response.json([sub, await request.text()])
      })
      const submit = async (body: string, headers: object, method = 'POST') => {
        const cookie = cookies.join('; ')
        const request = new Request('http://localhost/', { method, headers: { cookie, ...headers }, body })
        const response = await page(request)
        return [...((await response.json()) as [string, string]), response.headers.getSetCookie().length]
      }
      return { csrf, submit, refused }
    }

    it('is refreshed, and keeps its body', async () => {
      const { csrf, submit, refused } = await openForm()
      const body = `name=a+b&csrf_token=${csrf}`
      expect(await submit(body, { ...FORM, ...ORIGIN })).toEqual(['alice', body, 3])
      // A file cannot be sent with the field: a script adds the header.
      const upload = { 'content-type': 'multipart/form-data; boundary=x', 'x-csrf-token': csrf, ...ORIGIN }
      expect(await submit('--x--', upload)).toEqual(['alice', '--x--', 3])
      expect(refused).toEqual([])
    })

    it('is left to the client where a script sent it, as its calls of `/auth/refresh` are', async () => {
      const { csrf, submit } = await openForm()
      const headers = { 'content-type': 'application/json', 'x-csrf-token': csrf, ...ORIGIN }
      expect(await submit('{}', headers)).toEqual(['token_expired', '{}', 0])
    })

    it('is not, unless it passes the checks of every unsafe request', async () => {
      const { csrf, submit, refused } = await openForm()
      const body = `csrf_token=${csrf}`
      for (const [text, headers, codes] of [
        ['name=a', { ...FORM, ...ORIGIN }, ['token_expired']],
        ['csrf_token=', { ...FORM, ...ORIGIN }, ['token_expired']],
        [`csrf_token=${csrf}x`, { ...FORM, ...ORIGIN }, ['csrf_mismatch', 'token_expired']],
        [body, { ...FORM, ...ORIGIN, origin: 'https://evil.example' }, ['csrf_mismatch', 'csrf_mismatch']],
        [body, { ...FORM, 'sec-fetch-site': 'same-site' }, ['csrf_mismatch', 'csrf_mismatch']],
        [body, { 'content-type': 'text/plain', ...ORIGIN }, ['token_expired']],
      ] as const) {
        refused.length = 0
        expect(await submit(text, headers)).toEqual([codes.at(-1), text, 0])
        expect(refused).toEqual(codes)
      }
    })

    it.each([
      ['origin', 'alice', 2],
      ['token', 'token_expired', 0],
    ] as const)('needs the value where the mode asks for it: %s', async (mode, sub, cookies) => {
      const { submit } = await openForm({ csrf: mode })
      expect(await submit('name=a', { ...FORM, ...ORIGIN })).toEqual([sub, 'name=a', cookies])
    })
  })

  it('requires a session store and the cookie location, at the start', () => {
    const plain = guards(createAuth({ secret: SECRET, locations: ['cookie'] }))
    expect(() => plain.refreshing(() => new Response())).toThrow(ConfigurationError)
    const byHeader = guards(createAuth({ secret: SECRET, sessions: { store: memoryStore() } }))
    expect(() => byHeader.refreshing(() => new Response())).toThrow(ConfigurationError)
    expect(() => setUp().guard.refreshing(() => new Response(), { within: 'soon' as never })).toThrow(
      ConfigurationError,
    )
  })
})

describe('the request that a handler gets after a refresh', () => {
  /** A request of a platform whose constructor takes other arguments, and that knows more than `Request`. */
  class PlatformRequest extends Request {
    readonly runtime = { name: 'platform' }
    #secret = 'own'
    constructor(parts: { url: string; init: RequestInit }) {
      super(parts.url, parts.init)
    }
    get own(): string {
      return this.#secret
    }
    path(): string {
      return new URL(this.url).pathname + this.#secret
    }
  }

  /** Headers as Deno and Workers give them. */
  function freeze(headers: Headers): Headers {
    for (const name of ['set', 'append', 'delete'] as const)
      Object.defineProperty(headers, name, {
        value: () => {
          throw new TypeError('immutable')
        },
      })
    return headers
  }

  it.each(['mutable', 'immutable'])('is of the class of the platform, with %s headers', async (kind) => {
    const { guard, login, move } = setUp()
    const cookie = (await login()).join('; ')
    move(2000)
    const request = new PlatformRequest({ url: 'http://localhost/dash', init: { headers: { cookie } } })
    if (kind === 'immutable') freeze(request.headers)
    const page = guard.refreshing(async (given: PlatformRequest) => {
      expect(given).toBeInstanceOf(PlatformRequest)
      expect(given.runtime).toEqual({ name: 'platform' })
      expect([given.own, given.path(), given.method]).toEqual(['own', '/dashown', 'GET'])
      expect(given === request).toBe(kind === 'mutable')
      return Response.json({ sub: (await guard.peek(given))?.sub })
    })
    expect(await (await page(request)).json()).toEqual({ sub: 'alice' })
  })

  it('leaves alone the cookies of a platform that sends them by itself, as Bun does', async () => {
    const { guard, login, move } = setUp()
    const cookie = (await login()).join('; ')
    move(2000)
    const sent: string[] = []
    const cookies = {
      set: (name: string, value: string) => sent.push(`${name}=${value}; Path=/; SameSite=Lax`),
      delete: (name: string) => sent.push(`${name}=; Max-Age=0`),
    }
    const request = Object.assign(new Request('http://localhost/', { headers: { cookie } }), { cookies })
    const page = guard.refreshing(async (given: Request) =>
      Response.json({ sub: (await guard.peek(given))?.sub }),
    )
    const response = await page(request)
    expect(await response.json()).toEqual({ sub: 'alice' })
    for (const line of [...response.headers.getSetCookie(), ...sent]) expect(line).toContain('; Secure')
  })

  it('is a plain request where the platform has no other, with immutable headers too', async () => {
    const { guard, login, move } = setUp()
    const cookie = (await login()).join('; ')
    move(2000)
    const request = new Request('http://localhost/dash', { headers: { cookie } })
    freeze(request.headers)
    const page = guard.refreshing(async (given) =>
      Response.json({ sub: (await guard.peek(given.clone()))?.sub }),
    )
    expect(await (await page(request)).json()).toEqual({ sub: 'alice' })
  })

  it('has no cookie that the same response deletes, and each name once', async () => {
    const { guard, login, move } = setUp({
      cookies: { domain: 'example.com', former: [{ path: '/' }, { name: '__Host-old' }] },
    })
    const cookie = [
      ...(await login()).filter((pair) => !pair.endsWith('=')),
      '__Host-old=x',
      'theme=dark',
    ].join('; ')
    move(2000)
    let seen: string[] = []
    const page = guard.refreshing(async (request) => {
      seen = (request.headers.get('cookie') ?? '').split('; ').map((pair) => pair.split('=', 1)[0] ?? '')
      return Response.json({ sub: (await guard.peek(request))?.sub ?? null })
    })
    const response = await page(new Request('http://localhost/', { headers: { cookie } }))
    expect(await response.json()).toEqual({ sub: 'alice' })
    expect(seen.sort()).toEqual([
      '__Secure-access_token',
      '__Secure-csrf_token',
      '__Secure-refresh_token',
      'theme',
    ])
  })
})
