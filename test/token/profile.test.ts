/**
 * RFC 9068 and `scope`: our tokens at verifiers of other libraries, unmodified, and scopes in the
 * form of others at ours.
 */
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import express, { type ErrorRequestHandler, type RequestHandler } from 'express'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuth } from '../../src/auth/create-auth.ts'
import type { AuthOptions } from '../../src/auth/options.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { createKeyRing, generateKey } from '../../src/token/key-ring.ts'
import { claimsOf, codeOf, complaintOf, forge, NOW, read, setUp, stoppedClock } from './forge.ts'

/** Not by `import`: its types give every request of Express another `auth`. */
const { auth: oauth2Bearer, requiredScopes } = createRequire(import.meta.url)(
  'express-oauth2-jwt-bearer',
) as {
  auth(options: object): RequestHandler
  requiredScopes(scopes: string): RequestHandler
}

const AUDIENCE = 'https://api.example'
const server = createServer((request, response) => {
  const { port } = server.address() as AddressInfo
  const issuer = `http://127.0.0.1:${port}`
  response.setHeader('content-type', 'application/json')
  if (request.url === '/jwks') response.end(JSON.stringify(issuerOf(port).jwks()))
  else response.end(JSON.stringify({ issuer, jwks_uri: `${issuer}/jwks` }))
})
const keys = createKeyRing({ signing: generateKey('RS256') })
const issuerOf = (port: number) =>
  createAuth({ keys, issuer: `http://127.0.0.1:${port}`, audience: AUDIENCE, profile: 'rfc9068' })
const GRANTS = { scopes: ['orders:read', 'orders:write'], fresh: true, amr: ['pwd'], acr: '1' }

let port = 0
beforeAll(async () => {
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  port = (server.address() as AddressInfo).port
})
afterAll(() => server.close())

describe('a token of the profile', () => {
  it('passes express-oauth2-jwt-bearer, strict, with its scopes', async () => {
    const app = express()
    app.use(oauth2Bearer({ issuerBaseURL: `http://127.0.0.1:${port}`, audience: AUDIENCE, strict: true }))
    app.get('/read', requiredScopes('orders:read'), (request, response) => {
      response.json({ sub: (request as { auth?: { payload: { sub: string } } }).auth?.payload.sub })
    })
    app.get('/admin', requiredScopes('admin'), (_, response) => void response.json({}))
    const onError: ErrorRequestHandler = (error, _request, response, _next) => {
      response.status(error.status ?? 500).json({ message: error.message })
    }
    app.use(onError)
    const resource = app.listen(0, '127.0.0.1')
    try {
      await new Promise((listening) => resource.once('listening', listening))
      const call = async (path: string, token: string) => {
        const url = `http://127.0.0.1:${(resource.address() as AddressInfo).port}${path}`
        const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } })
        return { status: response.status, body: await response.json() }
      }
      const token = await issuerOf(port).createAccessToken('alice', GRANTS)
      expect(await call('/read', token)).toEqual({ status: 200, body: { sub: 'alice' } })
      expect((await call('/admin', token)).status).toBe(403)
      const plain = createAuth({ keys, issuer: `http://127.0.0.1:${port}`, audience: AUDIENCE })
      expect((await call('/read', await plain.createAccessToken('alice', GRANTS))).status).toBe(401)
    } finally {
      resource.close()
    }
  })

  it('passes oauth4webapi.validateJwtAccessToken', async () => {
    const issuer = `http://127.0.0.1:${port}`
    const server: oauth.AuthorizationServer = { issuer, jwks_uri: `${issuer}/jwks` }
    const validate = async (token: string) =>
      oauth.validateJwtAccessToken(
        server,
        new Request(AUDIENCE, { headers: { authorization: `Bearer ${token}` } }),
        AUDIENCE,
        { [oauth.allowInsecureRequests]: true, signingAlgorithms: ['RS256'] },
      )
    const token = await issuerOf(port).createAccessToken('alice', { ...GRANTS, clientId: 'web' })
    expect(await validate(token)).toMatchObject({
      sub: 'alice',
      client_id: 'web',
      scope: 'orders:read orders:write',
    })
    const plain = createAuth({ keys, issuer, audience: AUDIENCE })
    await expect(validate(await plain.createAccessToken('alice', GRANTS))).rejects.toThrow()
  })

  it('passes jose with the type and the claims that the RFC requires', async () => {
    const issuer = `http://127.0.0.1:${port}`
    const token = await issuerOf(port).createAccessToken('alice', GRANTS)
    const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(`${issuer}/jwks`)), {
      issuer,
      audience: AUDIENCE,
      typ: 'at+jwt',
      requiredClaims: ['iss', 'exp', 'aud', 'sub', 'client_id', 'iat', 'jti', 'scope', 'auth_time'],
    })
    expect(payload['scopes']).toBeUndefined()
  })

  it('is read by us, with and without the profile', async () => {
    const clock = stoppedClock()
    const common: AuthOptions = { keys, issuer: 'https://us', audience: AUDIENCE, clock }
    const token = await createAuth({ ...common, profile: 'rfc9068' }).createAccessToken('alice', GRANTS)
    for (const auth of [createAuth(common), createAuth({ ...common, profile: 'rfc9068' })]) {
      const payload = await auth.verifyToken(token, { scopes: ['orders:read'], fresh: true })
      expect(payload).toMatchObject({ client_id: 'https://us', scopes: GRANTS.scopes, data: {} })
    }
  })

  it('has its scopes and its client through refreshes', async () => {
    const auth = createAuth({
      keys,
      issuer: 'https://us',
      audience: AUDIENCE,
      profile: 'rfc9068',
      sessions: { store: memoryStore() },
    })
    const first = await auth.sessions.start('alice', { scopes: ['orders:read'], clientId: 'phone' })
    const next = await auth.sessions.refresh(await auth.verifyToken(first.refresh_token, { type: 'refresh' }))
    expect(read(next.access_token)).toMatchObject({ client_id: 'phone', scope: 'orders:read' })
    expect(auth.decodeUnverified(next.access_token).header['typ']).toBe('at+jwt')
    await auth.close()
  })
})

describe('without the profile', () => {
  it('the header promises no RFC 9068, and the token has no `client_id`', async () => {
    const { auth } = setUp()
    const token = await auth.createAccessToken('alice', { scopes: ['a'] })
    expect(auth.decodeUnverified(token).header['typ']).toBe('access+jwt')
    expect(read(token)).toMatchObject({ scopes: ['a'] })
    expect(Object.keys(read(token))).not.toContain('client_id')
  })

  it('`clientId` is written where it is configured or given', async () => {
    const { auth } = setUp({ clientId: 'web' })
    expect(read(await auth.createAccessToken('alice'))['client_id']).toBe('web')
    expect(read(await auth.createAccessToken('alice', { clientId: 'phone' }))['client_id']).toBe('phone')
  })
})

describe('options', () => {
  it.each<[string, AuthOptions, RegExp]>([
    ['no issuer', { profile: 'rfc9068', audience: 'api' }, /`issuer` with `profile: 'rfc9068'`/],
    ['no audience', { profile: 'rfc9068', issuer: 'https://us' }, /`audience` with `profile/],
    ['another profile', { profile: 'at+jwt' as 'rfc9068' }, /`profile` to be 'rfc9068', got/],
    ['an empty client', { clientId: '' }, /`clientId` to be a non-empty string/],
  ])('%s: refused at start', async (_, options, message) => {
    expect(await complaintOf(() => setUp(options))).toMatch(message)
  })

  it.each([
    [{ scope: 'a b' }, /`scope` is reserved; give `scopes`/],
    [{ client_id: 'web' }, /`client_id` is reserved; give `clientId`/],
  ])('%o as custom data: refused', async (data, message) => {
    const { auth } = setUp()
    expect(await complaintOf(() => auth.createAccessToken('alice', { data }))).toMatch(message)
  })
})

describe('the claim `scope`', () => {
  const { auth } = setUp()
  const verify = (claims: Record<string, unknown>) => auth.verifyToken(forge(claimsOf(claims)))

  it.each<[string, Record<string, unknown>, readonly string[]]>([
    ['one text', { scope: 'a b:c' }, ['a', 'b:c']],
    ['one name', { scope: 'a' }, ['a']],
    ['no name', { scope: '' }, []],
    ['further blanks', { scope: ' a  b ' }, ['a', 'b']],
    ['a list', { scope: ['a', 'b'] }, ['a', 'b']],
    ['beside `scopes`, which are ours', { scope: 'a b', scopes: ['c'] }, ['c']],
    ['beside empty `scopes`', { scope: 'a b', scopes: [] }, []],
  ])('as %s', async (_, claims, scopes) => {
    const payload = await verify(claims)
    expect(payload.scopes).toEqual(scopes)
    expect(Object.isFrozen(payload.scopes)).toBe(true)
    expect(payload.data).toEqual({})
  })

  it.each<[string, unknown]>([
    ['a number', 1],
    ['an object', { a: true }],
    ['a quote', 'a "b"'],
    ['a line break', 'a\nb'],
    ['a list with a blank', ['a b']],
    ['513 names', Array.from({ length: 513 }, (_, i) => `s${i}`).join(' ')],
    ['a name of 257 characters', 'x'.repeat(257)],
  ])('with %s: token_malformed', async (_, scope) => {
    expect(await codeOf(() => verify({ scope }))).toBe('token_malformed')
  })

  it('opens a route of its scopes, and no other', async () => {
    const token = forge(claimsOf({ scope: 'users:read' }))
    expect((await auth.verifyToken(token, { scopes: ['users:read'] })).sub).toBe('user-1')
    expect(await codeOf(() => auth.verifyToken(token, { scopes: ['users:write'] }))).toBe('scope_missing')
  })

  it('of a token without a type is read, and ignored in another form', async () => {
    const other = setUp({ interop: { untyped: true } }).auth
    const header = { alg: 'HS256', typ: 'JWT' }
    const of = (scope: unknown) => forge({ sub: 'u', exp: NOW + 60, scope, client_id: 7 }, { header })
    expect((await other.verifyToken(of('a b'))).scopes).toEqual(['a', 'b'])
    const misfit = await other.verifyToken(of(7))
    expect([misfit.scopes, misfit.client_id]).toEqual([[], undefined])
  })
})
