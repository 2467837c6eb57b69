/** A real authorization server on this machine, whose keys rotate: `oidc-provider`, with JWT and opaque access tokens. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Provider from 'oidc-provider'
import { expect, it, onTestFinished } from 'vitest'
import { createAuth } from '../../src/index.ts'
import { codeOf } from '../token/forge.ts'
import { makeKey, type ProviderKey } from './provider.ts'

const RESOURCE = 'https://orders.example'

/** Starts a server that issues to one client, by its credentials. `serve` changes its keys, as a new release does. */
async function start() {
  const server = createServer((request, response) => handle(request, response))
  let handle: (...args: Parameters<ReturnType<Provider['callback']>>) => unknown = () => undefined
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  onTestFinished(() => void server.close())
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const serve = (keys: readonly ProviderKey[], format: 'jwt' | 'opaque' = 'jwt'): void => {
    const alg = keys[0]?.alg as 'RS256'
    const provider = new Provider(issuer, {
      jwks: {
        keys: keys.map((key) => ({
          ...key.privateKey.export({ format: 'jwk' }),
          kid: key.kid,
          alg: key.alg,
          use: 'sig',
        })) as never,
      },
      clients: [
        {
          client_id: 'worker',
          client_secret: 'secret',
          grant_types: ['client_credentials'],
          redirect_uris: [],
          response_types: [],
          id_token_signed_response_alg: alg,
        },
      ],
      features: {
        clientCredentials: { enabled: true },
        introspection: { enabled: true },
        revocation: { enabled: true },
        devInteractions: { enabled: false },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: () => ({
            scope: 'orders:read orders:write',
            audience: RESOURCE,
            accessTokenFormat: format,
            ...(format === 'jwt' && { jwt: { sign: { alg } } }),
          }),
        },
      },
      enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'] },
    } as never)
    handle = provider.callback()
  }
  const issue = async (): Promise<string> => {
    const response = await fetch(`${issuer}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from('worker:secret').toString('base64')}` },
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        resource: RESOURCE,
        scope: 'orders:read',
      }),
    })
    const body = (await response.json()) as { access_token?: string }
    return body.access_token ?? `no token: ${JSON.stringify(body)}`
  }
  return { issuer, serve, issue }
}

it('signs with RS256, ES256, PS256 and EdDSA one after the other, and no request is refused', async () => {
  const { issuer, serve, issue } = await start()
  let now = Date.now() / 1000
  const auth = createAuth({
    clock: () => now,
    issuers: [
      {
        issuer,
        audience: RESOURCE,
        algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'],
        profile: 'rfc9068',
        toUser: ({ client_id }) => ({ sub: `client|${client_id}` }),
      },
    ],
  })
  const former: string[] = []
  let previous: ProviderKey | undefined
  for (const alg of ['RS256', 'ES256', 'PS256', 'EdDSA']) {
    const key = makeKey(alg)
    serve(previous === undefined ? [key] : [key, previous])
    const token = await issue()
    expect(await auth.verifyToken(token, { scopes: ['orders:read'] })).toMatchObject({
      sub: 'client|worker',
      client_id: 'worker',
      aud: RESOURCE,
    })
    for (const earlier of former.slice(-1))
      expect(await codeOf(() => auth.verifyToken(earlier))).toBe('accepted')
    former.push(token)
    previous = key
    now += 10
  }
})

it('is asked about its opaque tokens, and its revocations are noticed', async () => {
  const { issuer, serve, issue } = await start()
  serve([makeKey('RS256')], 'opaque')
  let now = Date.now() / 1000
  const auth = createAuth({
    clock: () => now,
    issuers: [
      {
        issuer,
        audience: RESOURCE,
        introspection: { clientId: 'worker', clientSecret: 'secret', cacheFor: '30s' },
        toUser: ({ client_id }) => ({ sub: `client|${client_id}` }),
      },
    ],
  })
  const token = await issue()
  expect(token).not.toContain('.')
  expect(await auth.verifyToken(token, { scopes: ['orders:read'] })).toMatchObject({
    sub: 'client|worker',
    iss: issuer,
  })
  expect(await codeOf(() => auth.verifyToken('made-up'))).toBe('token_revoked')
  now += 31
  expect(await codeOf(() => auth.verifyToken(token))).toBe('accepted')
  const revoked = await fetch(`${issuer}/token/revocation`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from('worker:secret').toString('base64')}` },
    body: new URLSearchParams({ token }),
  })
  expect(revoked.status).toBe(200)
  now += 31
  expect(await codeOf(() => auth.verifyToken(token))).toBe('token_revoked')
})
