/**
 * A refresh token opens nothing anywhere: verifiers that know nothing of `typ` and ask for issuer and
 * audience, as their documents say, refuse it. The packages are used as they are.
 */
import { createServer, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { expressjwt } from 'express-jwt'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { expressJwtSecret } from 'jwks-rsa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuth } from '../../src/auth/create-auth.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { createKeyRing, generateKey } from '../../src/token/key-ring.ts'
import { claimsOf, codeOf, forge, NOW, read, setUp } from './forge.ts'

// Its types change those of Express for the whole program.
const { auth: bearerAuth, requiredScopes } = createRequire(import.meta.url)(
  'express-oauth2-jwt-bearer',
) as Record<'auth' | 'requiredScopes', (options: object | string) => express.RequestHandler>

const AUDIENCE = 'https://api.example'
const keys = createKeyRing({ signing: generateKey('RS256') })
const servers: Server[] = []
let issuer: string
let jwksUri: string

async function listen(server: Server): Promise<string> {
  servers.push(server)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

beforeAll(async () => {
  issuer = await listen(
    createServer((_, response) => {
      response.setHeader('content-type', 'application/json').end(JSON.stringify(keys.jwks))
    }),
  )
  jwksUri = `${issuer}/.well-known/jwks.json`
})
afterAll(() => {
  for (const server of servers) server.close()
})

/** The status that each verifier gives for a token. */
async function statuses(token: string): Promise<Record<string, number>> {
  const app = express()
  const secret = expressJwtSecret({ jwksUri, cache: true })
  app.get(
    '/express-jwt',
    expressjwt({ secret: secret as never, algorithms: ['RS256'], audience: AUDIENCE, issuer }),
  )
  const bearer = { issuer, audience: AUDIENCE, jwksUri, tokenSigningAlg: 'RS256' }
  app.get('/express-oauth2-jwt-bearer', bearerAuth(bearer))
  app.get('/scopes', bearerAuth(bearer), requiredScopes('read'))
  app.get(/.*/, (_, response) => void response.end('ok'))
  app.use(((error, _request, response, _next) => {
    response.status((error as { status?: number }).status ?? 500).end()
  }) as express.ErrorRequestHandler)
  const address = await listen(createServer(app))
  const found: Record<string, number> = {}
  for (const name of ['express-jwt', 'express-oauth2-jwt-bearer']) {
    const response = await fetch(`${address}/${name}`, { headers: { authorization: `Bearer ${token}` } })
    found[name] = response.status
  }
  found['jose'] = await jwtVerify(token, createRemoteJWKSet(new URL(jwksUri)), {
    issuer,
    audience: AUDIENCE,
  }).then(
    () => 200,
    () => 401,
  )
  return found
}

const ACCEPTED = { 'express-jwt': 200, 'express-oauth2-jwt-bearer': 200, jose: 200 }
const REFUSED = { 'express-jwt': 401, 'express-oauth2-jwt-bearer': 401, jose: 401 }

describe('verifiers of others', () => {
  it.each(['without sessions', 'with sessions'])(
    'take the access token and not the refresh token, %s',
    async (sort) => {
      const sessions = sort === 'with sessions' ? { sessions: { store: memoryStore() } } : {}
      const auth = createAuth({ keys, issuer, audience: AUDIENCE, ...sessions })
      const first = await auth.createTokenPair('u', { scopes: ['read'] })
      expect(await statuses(first.access_token)).toEqual(ACCEPTED)
      expect(await statuses(first.refresh_token)).toEqual(REFUSED)
      const payload = await auth.verifyToken(first.refresh_token, { type: 'refresh' })
      expect(payload.scopes).toEqual(['read'])
      expect(await statuses(await auth.createAccessToken(payload))).toEqual(ACCEPTED)
      if (sort === 'without sessions') return
      const next = await auth.sessions.refresh(payload)
      expect(await statuses(next.access_token)).toEqual(ACCEPTED)
      expect(await statuses(next.refresh_token)).toEqual(REFUSED)
      expect([read(next.refresh_token), read(first.refresh_token)]).toEqual([
        expect.not.objectContaining({ scopes: expect.anything() }),
        expect.not.objectContaining({ scopes: expect.anything() }),
      ])
    },
  )

  it.each<readonly [string, object]>([
    ['of several audiences', { audience: [AUDIENCE, 'other'] }],
    ['whose issuer is an audience, too', { audience: [AUDIENCE, 'ISSUER'] }],
    ['with an audience of its own', { audience: 'other' }],
  ])('refuse a refresh token %s', async (_, options) => {
    const audience = JSON.parse(JSON.stringify(options).replace('ISSUER', issuer)).audience
    const auth = createAuth({ keys, issuer, audience: [AUDIENCE, 'other', issuer] })
    const { refresh_token } = await auth.createTokenPair('u', { audience })
    expect(await statuses(refresh_token)).toEqual(REFUSED)
    const payload = await auth.verifyToken(refresh_token, { type: 'refresh' })
    expect(read(await auth.createAccessToken(payload))['aud']).toEqual(audience)
  })
})

describe('the audience of a refresh token', () => {
  it.each([
    [{ issuer: 'i', audience: 'a' }, 'i'],
    [{ issuer: 'i' }, 'i'],
    [{ audience: 'a' }, 'urn:tokenwright:refresh'],
    [{ issuer: 'i', audience: 'i' }, 'urn:tokenwright:refresh'],
    [{}, undefined],
  ])('of %j is %j, and it is taken back', async (options, aud) => {
    const { auth } = setUp(options)
    const token = await auth.createRefreshToken('u')
    expect(read(token)['aud']).toBe(aud)
    const payload = await auth.verifyToken(token, { type: 'refresh' })
    const access = read(await auth.createAccessToken(payload))
    expect(access['aud']).toBe((options as { audience?: string }).audience)
  })

  it('of tokens issued before, which is that of access tokens, is accepted', async () => {
    const { auth } = setUp({ issuer: 'i', audience: ['a', 'b'] })
    const header = { alg: 'HS256', typ: 'rt+jwt' }
    const token = forge(claimsOf({ type: 'refresh', iss: 'i', aud: 'b', fresh: undefined, exp: NOW + 900 }), {
      header,
    })
    const payload = await auth.verifyToken(token, { type: 'refresh' })
    expect(read(await auth.createAccessToken(payload))['aud']).toBe('b')
  })

  it('opens no route to an access token', async () => {
    const { auth } = setUp({ issuer: 'i', audience: 'a' })
    for (const aud of ['i', 'urn:tokenwright:refresh'])
      expect(await codeOf(() => auth.verifyToken(forge(claimsOf({ iss: 'i', aud }))))).toBe(
        'audience_invalid',
      )
  })
})
