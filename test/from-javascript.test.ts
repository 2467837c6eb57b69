/** The page for those who come from a JavaScript library: tokens in use go on working, both ways. */
import { createSigner, createVerifier } from 'fast-jwt'
import { sign as signHono, verify as verifyHono } from 'hono/jwt'
import { jwtVerify, SignJWT } from 'jose'
import jsonwebtoken from 'jsonwebtoken'
import { describe, expect, it } from 'vitest'
import { AuthError, createAuth } from '../src/index.ts'

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
