/**
 * Tokens of another issuer, whose key set is fetched: verified with known keys, and found again.
 * The peers are what services use with an identity provider, each with the cache of keys that it
 * has; hono's fetches the set for every token. @fastify/jwt also has a cache of tokens. Their
 * middleware runs without a server. The header says `JWT`, as hono takes no other type.
 */
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import fastifyJwt, { type TokenOrHeader } from '@fastify/jwt'
import type { RequestHandler } from 'express'
import { expressjwt } from 'express-jwt'
import { type FastifyRequest, fastify } from 'fastify'
import buildGetJwks from 'get-jwks'
import { Hono } from 'hono'
import { jwk } from 'hono/jwk'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import jwksRsa from 'jwks-rsa'
import { type AuthOptions, createAuth } from 'tokenwright'
import type { Contestant, Race } from './measure.ts'
import { createPairSigner } from './raw.ts'
import { AUDIENCE, createPool, draw, ISSUER, KID, PAIRS, toHeader } from './token.ts'

/** Loaded without its types, which declare `auth` of every request of Express. */
const { auth: oauth2 } = createRequire(import.meta.url)('express-oauth2-jwt-bearer') as {
  readonly auth: (options: Readonly<Record<string, string>>) => RequestHandler
}

/** Serves the key set of the issuer at every path. The process ends without closing it. */
async function startIssuer(): Promise<string> {
  const key = { ...PAIRS.RS256.publicKey.export({ format: 'jwk' }), kid: KID, alg: 'RS256', use: 'sig' }
  const body = JSON.stringify({ keys: [key] })
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'application/json').end(body)
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  server.unref()
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`
}

function createOurs(jwks: string, cache?: AuthOptions['cache']): Contestant {
  const auth = createAuth({
    issuers: [{ issuer: ISSUER, audience: AUDIENCE, jwks }],
    ...(cache !== undefined && { cache }),
  })
  return { name: 'tokenwright', run: (token) => auth.verifyToken(token) }
}

/** What a middleware of Express reads of a request beside its headers. */
const REQUEST = { method: 'GET', protocol: 'https', url: '/', originalUrl: '/', query: {}, is: () => false }

/** Runs a middleware of Express as far as its verdict. */
function toContestant(name: string, handler: RequestHandler): Contestant {
  const run = (token: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const headers = { host: 'api.example.com', authorization: `Bearer ${token}` }
      const request = { ...REQUEST, headers, get: () => headers.host }
      const done = (error?: unknown): void => {
        if (error === undefined) resolve()
        else reject(error)
      }
      void handler(request as never, {} as never, done)
    })
  return { name, run }
}

function createPeers(jwksUri: string): readonly Contestant[] {
  const options = { algorithms: ['RS256' as const], issuer: ISSUER, audience: AUDIENCE }
  const keys = createRemoteJWKSet(new URL(jwksUri))
  const app = new Hono()
  app.use(jwk({ jwks_uri: jwksUri, alg: ['RS256'], verification: { iss: ISSUER, aud: AUDIENCE } }))
  app.get('/', (context) => context.body(null, 204))
  return [
    { name: 'jose, createRemoteJWKSet', run: (token) => jwtVerify(token, keys, options) },
    toContestant(
      'express-oauth2-jwt-bearer',
      oauth2({ jwksUri, issuer: ISSUER, audience: AUDIENCE, tokenSigningAlg: 'RS256' }),
    ),
    toContestant(
      'jwks-rsa, express-jwt',
      expressjwt({
        ...options,
        secret: jwksRsa.expressJwtSecret({ jwksUri, cache: true }) as never,
      }) as never,
    ),
    {
      name: 'hono jwk',
      async run(token) {
        const { status } = await app.request('/', { headers: { authorization: `Bearer ${token}` } })
        if (status !== 204) throw new Error(`hono responded ${status}`)
      },
    },
  ]
}

/** Runs `jwtVerify` on a request of a route, whose header is replaced each time. */
async function createFastifyPeer(jwksUri: string, isCached: boolean): Promise<Contestant> {
  const keys = buildGetJwks()
  const domain = new URL(jwksUri).origin
  const app = fastify()
  await app.register(fastifyJwt, {
    decode: { complete: true },
    secret: (_request: FastifyRequest, token: TokenOrHeader) => {
      const { alg, kid = '' } = 'header' in token ? token.header : token
      return keys.getPublicKey({ alg: String(alg), kid, domain })
    },
    verify: { allowedIss: ISSUER, allowedAud: AUDIENCE, algorithms: ['RS256'], cache: isCached },
  })
  const request = await new Promise<FastifyRequest>((resolve) => {
    app.get('/', async (given) => resolve(given))
    void app.inject('/')
  })
  return {
    name: `@fastify/jwt, get-jwks${isCached ? ', cached' : ''}`,
    run(token) {
      request.raw.headers.authorization = `Bearer ${token}`
      return request.jwtVerify()
    },
  }
}

/** Creates the races. Ratios are to ours. */
export async function createIssuerRaces(): Promise<readonly Race[]> {
  const pool = createPool(createPairSigner('RS256', toHeader('RS256', 'JWT')))
  const jwks = await startIssuer()
  const peers = [...createPeers(jwks), await createFastifyPeer(jwks, false)]
  const cached = createOurs(jwks)
  for (const bytes of pool) await cached.run(bytes.toString('latin1'))
  const race = { draw: () => draw(pool), batch: 50 }
  return [
    { ...race, title: 'issuer RS256 verify', contestants: [createOurs(jwks, false), ...peers] },
    {
      ...race,
      title: 'issuer RS256 seen before',
      contestants: [cached, ...peers, await createFastifyPeer(jwks, true)],
    },
  ]
}
