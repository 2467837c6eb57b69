/**
 * The page for those who come from a JavaScript library: tokens in use go on working, both ways, and
 * sessions in use are taken over.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createSigner, createVerifier } from 'fast-jwt'
import { Hono, type MiddlewareHandler } from 'hono'
import { sign as signHono, verify as verifyHono } from 'hono/jwt'
import { jwtVerify, SignJWT } from 'jose'
import jsonwebtoken from 'jsonwebtoken'
import { describe, expect, it } from 'vitest'
import { guards } from '../src/adapters/hono.ts'
import { type Auth, AuthError, createAuth } from '../src/index.ts'
import { authRoutes } from '../src/routes.ts'
import { memoryStore } from '../src/stores/memory.ts'
import { ROOT } from './architecture/source.ts'

const SECRET = 'bq7Yt2uW9zK4mN8xR5vC1pL6sD3fG0hJaQeTiOkZ'
const BYTES = new TextEncoder().encode(SECRET)
const inAnHour = (): number => Math.floor(Date.now() / 1000) + 3600

/** How each signs and verifies; @fastify/jwt is fast-jwt, and @nestjs/jwt is jsonwebtoken. */
const LIBRARIES: Readonly<
  Record<
    string,
    {
      sign: (claims: { sub: string; plan: string }) => string | Promise<string>
      verify: (token: string) => unknown
    }
  >
> = {
  jsonwebtoken: {
    sign: (claims) => jsonwebtoken.sign(claims, SECRET, { expiresIn: '1h' }),
    verify: (token) => jsonwebtoken.verify(token, SECRET, { algorithms: ['HS256'] }),
  },
  'fast-jwt': {
    sign: createSigner({ key: SECRET, expiresIn: 3_600_000 }),
    verify: createVerifier({ key: SECRET, algorithms: ['HS256'] }),
  },
  'hono/jwt': {
    sign: (claims) => signHono({ ...claims, exp: inAnHour() }, SECRET),
    verify: (token) => verifyHono(token, SECRET, 'HS256'),
  },
  jose: {
    sign: (claims) =>
      new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('1h').sign(BYTES),
    verify: async (token) => (await jwtVerify(token, BYTES)).payload,
  },
}

describe.each(Object.entries(LIBRARIES))('%s', (name, { sign, verify }) => {
  it('has tokens that are accepted, with their claims', async () => {
    const auth = createAuth({ secret: SECRET, interop: { untyped: true } })
    const payload = await auth.verifyToken(await sign({ sub: 'user-1', plan: 'pro' }))
    expect(payload).toMatchObject({ sub: 'user-1', type: 'access', fresh: false, data: { plan: 'pro' } })
  })

  it('has none that are, without the option', async () => {
    const auth = createAuth({ secret: SECRET })
    const token = await sign({ sub: 'user-1', plan: 'pro' })
    await expect(auth.verifyToken(token)).rejects.toBeInstanceOf(AuthError)
  })

  // hono/jwt takes no other `typ` than `JWT`.
  it(name === 'hono/jwt' ? 'refuses ours' : 'verifies ours', async () => {
    const token = await createAuth({ secret: SECRET }).createAccessToken('user-1', { data: { plan: 'pro' } })
    const outcome = await Promise.resolve(token)
      .then(verify)
      .catch(({ name }: Error) => name)
    if (name === 'hono/jwt') expect(outcome).toBe('JwtHeaderInvalid')
    else expect(outcome).toMatchObject({ sub: 'user-1', plan: 'pro' })
  })
})

describe('sessions in use', () => {
  /** The middleware of the page, with an earlier library whose cookie is the name of the user. */
  async function loadTakeOver(ended: string[]): Promise<(auth: Auth) => MiddlewareHandler> {
    const page = readFileSync(join(ROOT, 'docs/from-javascript.md'), 'utf8')
    const [, code = ''] = /```ts\n(\/\/ take-over\.ts\n[\s\S]*?)```/.exec(page) ?? []
    const folder = join(ROOT, '.cache/from-javascript')
    mkdirSync(folder, { recursive: true })
    writeFileSync(
      join(folder, 'take-over.ts'),
      code
        .replace(
          /^declare const readEarlierSession.*$/m,
          'const readEarlierSession = globalThis.earlier.read',
        )
        .replace(/^declare const endEarlierSession.*$/m, 'const endEarlierSession = globalThis.earlier.end'),
    )
    const read = async ({ headers }: Request) => {
      const [, userId] = /earlier=([\w-]+)/.exec(headers.get('cookie') ?? '') ?? []
      return userId === undefined || ended.includes(userId) ? null : { userId }
    }
    Object.assign(globalThis, {
      earlier: { read, end: async (before: { userId: string }) => ended.push(before.userId) },
    })
    return (await import(/* @vite-ignore */ join(folder, 'take-over.ts'))).takeOver
  }

  it('are taken over by the next request, whoever responds to it', async () => {
    const ended: string[] = []
    const takeOver = await loadTakeOver(ended)
    const auth = createAuth({ secret: SECRET, locations: ['cookie'], sessions: { store: memoryStore() } })
    const guard = guards(auth)
    const routes = authRoutes(auth, { verifyCredentials: () => null, address: () => '192.0.2.1' })
    const app = new Hono()
    app.use(takeOver(auth))
    app.all('/auth/*', (c) => routes(c.req.raw))
    app.on(['GET', 'POST'], '/me', guard.access(), (c) => c.json({ sub: c.var.auth.sub }))
    app.get('/raw', () => new Response('raw'))

    const send = async (method: string, path: string, cookie: string) => {
      const response = await app.request(`http://localhost${path}`, { method, headers: { cookie } })
      const cookies = response.headers.getSetCookie().map((line) => line.split(';')[0])
      return { status: response.status, cookies, body: await response.text() }
    }
    const calls = [
      ['GET', '/me', 200],
      ['GET', '/raw', 200],
      ['GET', '/auth/session', 200],
      ['POST', '/me', 401],
    ] as const
    for (const [index, [method, path, status]] of calls.entries()) {
      const user = `user-${index}`
      const first = await send(method, path, `earlier=${user}`)
      expect([path, first.status, first.cookies.length]).toEqual([path, status, 3])
      expect(ended).toContain(user)
      const second = await send('GET', '/me', ['earlier=gone', ...first.cookies].join('; '))
      expect([second.body, second.cookies]).toEqual([JSON.stringify({ sub: user }), []])
    }
    expect((await send('GET', '/me', 'none=1')).cookies).toEqual([])
  })
})
