/** The documents below `/.well-known/`, and the challenges that name them. */
import * as jose from 'jose'
import { describe, expect, it } from 'vitest'
import {
  type AuthOptions,
  createAuth,
  createKeyRing,
  generateKey,
  type ResourceOptions,
} from '../../src/index.ts'
import { type AuthRoutesOptions, authRoutes } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { SECRET } from '../token/forge.ts'

const API = 'https://api.example.com'

function routesOf(options: AuthOptions, more: Partial<AuthRoutesOptions<object>> = {}) {
  const auth = createAuth({ secret: SECRET, ...options })
  const handle = authRoutes(
    auth as never,
    { verifyCredentials: () => null, throttle: false, ...more } as never,
  )
  const get = (path: string, init?: RequestInit) => handle(new Request(`${API}${path}`, init))
  return { auth, get }
}

describe('the document of the resource', () => {
  it.each([
    [API, '/.well-known/oauth-protected-resource'],
    [`${API}/`, '/.well-known/oauth-protected-resource'],
    [`${API}/mcp`, '/.well-known/oauth-protected-resource/mcp'],
    [`${API}/v1/mcp/`, '/.well-known/oauth-protected-resource/v1/mcp/'],
    ['http://localhost:8000/mcp', '/.well-known/oauth-protected-resource/mcp'],
  ])('of %s is at %s', async (resource, path) => {
    const { auth, get } = routesOf({ resource })
    const url = `${new URL(resource).origin}${path}`
    expect(auth.resource).toMatchObject({ identifier: resource, path, url })
    const response = await get(path)
    expect(await response.json()).toEqual({ resource, bearer_methods_supported: ['header'] })
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(response.headers.get('cache-control')).toBe('public, max-age=300')
    expect((await get(`${path}x`)).status).toBe(404)
    expect((await get(`${path}/x`)).status).toBe(404)
  })

  it('says what it is told, and where tokens may be', async () => {
    const resource: ResourceOptions = {
      identifier: API,
      authorizationServers: ['https://login.example.com/realms/main'],
      scopes: ['read', 'write'],
      name: 'The API',
      documentation: 'https://docs.example.com/api',
    }
    const { auth } = routesOf({ resource, locations: ['cookie', 'query', 'header'] })
    expect(auth.resource?.metadata).toEqual({
      resource: API,
      authorization_servers: ['https://login.example.com/realms/main'],
      scopes_supported: ['read', 'write'],
      bearer_methods_supported: ['header', 'query'],
      resource_name: 'The API',
      resource_documentation: 'https://docs.example.com/api',
    })
    expect(Object.isFrozen(auth.resource?.metadata)).toBe(true)
  })

  it('may be read by a page of any origin, which may send headers', async () => {
    const { get } = routesOf(
      { resource: API, csrf: { origins: ['https://app.example.com'] } },
      {
        cors: { origins: ['https://app.example.com'] },
      },
    )
    const headers = { Origin: 'https://inspector.example', 'Access-Control-Request-Method': 'GET' }
    const path = '/.well-known/oauth-protected-resource'
    const preflight = await get(path, { method: 'OPTIONS', headers })
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, '*'])
    expect(preflight.headers.get('access-control-allow-headers')).toBe('*')
    const response = await get(path, { headers })
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(response.headers.get('access-control-allow-credentials')).toBeNull()
    // Other routes take named origins alone, as before.
    const other = await get('/auth/session', { method: 'OPTIONS', headers })
    expect(other.headers.get('access-control-allow-origin')).toBeNull()
  })

  it('is named by every challenge of a bearer token', async () => {
    const { auth, get } = routesOf({ resource: `${API}/mcp`, realm: 'api' }, { verifyClient: () => false })
    const metadata = `resource_metadata="${API}/.well-known/oauth-protected-resource/mcp"`
    const none = await get('/auth/sessions')
    expect(none.status).toBe(404)
    const missing = await get('/auth/logout', { method: 'POST' })
    expect(missing.status).toBe(204)
    const refused = await get('/auth/verify-password', { method: 'POST' })
    expect(refused.headers.get('www-authenticate')).toBe(`Bearer realm="api", ${metadata}`)
    const bad = await get('/auth/refresh', { method: 'POST', headers: { Authorization: 'Bearer x.y.z' } })
    expect(bad.headers.get('www-authenticate')).toMatch(/error="invalid_token".*resource_metadata=/)
    // That of a client is about the client.
    const client = await get('/auth/introspect', { method: 'POST' })
    expect(client.headers.get('www-authenticate')).toBe('Basic realm="api"')
    expect(auth.resource?.url).toBe(`${API}/.well-known/oauth-protected-resource/mcp`)
  })

  it('is not there without the option', async () => {
    const { auth, get } = routesOf({})
    expect(auth.resource).toBeNull()
    expect((await get('/.well-known/oauth-protected-resource')).status).toBe(404)
    expect((await get('/auth/verify-password', { method: 'POST' })).headers.get('www-authenticate')).toBe(
      'Bearer',
    )
  })

  it.each<[string, unknown]>([
    ['no URL', 'api'],
    ['http', 'http://api.example.com'],
    ['a query', `${API}/?a`],
    ['a fragment', `${API}/#a`],
    ['a password', 'https://a:b@api.example.com'],
    ['a quote', `${API}/"x`],
    ['nothing', ''],
    ['no identifier', { name: 'x' }],
    ['an unknown member', { identifier: API, scopesSupported: [] }],
    ['a server that is no URL', { identifier: API, authorizationServers: ['login'] }],
    ['scopes that are no list', { identifier: API, scopes: 'read' }],
  ])('is refused at start: %s', (_name, resource) => {
    expect(() => createAuth({ secret: SECRET, resource: resource as string })).toThrow(
      /resource|scopesSupported/,
    )
  })
})

/** The one grant. */
const REFRESH = {
  token_endpoint: `${API}/auth/refresh`,
  token_endpoint_auth_methods_supported: ['none'],
  grant_types_supported: ['refresh_token'],
  response_types_supported: [],
}

describe('the document of the issuer', () => {
  it('says where keys, introspection and revocation are, and nothing that is not there', async () => {
    const signing = generateKey('ES256')
    const { get } = routesOf(
      {
        secret: undefined as never,
        keys: createKeyRing({ signing }),
        issuer: API,
        sessions: { store: memoryStore() },
      },
      { metadata: true, verifyClient: () => true },
    )
    const document = await (await get('/.well-known/oauth-authorization-server')).json()
    expect(document).toEqual({
      issuer: API,
      ...REFRESH,
      jwks_uri: `${API}/.well-known/jwks.json`,
      introspection_endpoint: `${API}/auth/introspect`,
      introspection_endpoint_auth_methods_supported: ['client_secret_basic'],
      revocation_endpoint: `${API}/auth/revoke`,
      revocation_endpoint_auth_methods_supported: ['client_secret_basic'],
    })
  })

  it('leads a service that knows the issuer alone to the keys', async () => {
    const issuer = `${API}/tenants/a`
    const keys = createKeyRing({ signing: generateKey('ES256') })
    const { auth, get } = routesOf({ secret: undefined as never, keys, issuer }, { metadata: true })
    const path = '/.well-known/oauth-authorization-server/tenants/a'
    const { jwks_uri } = (await (await get(path)).json()) as { jwks_uri: string }
    const jwks = await (await get(new URL(jwks_uri).pathname)).json()
    const token = await auth.createAccessToken('alice')
    const { payload } = await jose.jwtVerify(token, jose.createLocalJWKSet(jwks as jose.JSONWebKeySet), {
      issuer,
    })
    expect(payload.sub).toBe('alice')
  })

  it('leads a client of OAuth to the refresh', async () => {
    const { auth, get } = routesOf({ issuer: API, sessions: { store: memoryStore() } }, { metadata: true })
    const { refresh_token } = await auth.createTokenPair('alice')
    const { token_endpoint } = (await (await get('/.well-known/oauth-authorization-server')).json()) as {
      token_endpoint: string
    }
    const refresh = (token: string) =>
      get(new URL(token_endpoint).pathname, {
        method: 'POST',
        body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: token }),
      })
    const response = await refresh(refresh_token)
    expect([response.status, await response.json()]).toMatchObject([
      200,
      { token_type: 'bearer', access_token: expect.any(String), refresh_token: expect.any(String) },
    ])
    const bad = await refresh('x.y.z')
    expect([bad.status, await bad.json()]).toMatchObject([400, { error: 'invalid_grant' }])
  })

  it('is short without keys and clients', async () => {
    const { get } = routesOf({ issuer: API }, { metadata: true })
    expect(await (await get('/.well-known/oauth-authorization-server')).json()).toEqual({
      issuer: API,
      ...REFRESH,
    })
  })

  it('needs an issuer that is a URL, and is served on request', async () => {
    expect(() => routesOf({}, { metadata: true })).toThrow(/`issuer` of `createAuth` beside `metadata`/)
    expect(() => routesOf({ issuer: 'me' }, { metadata: true })).toThrow(/`issuer` to be an https URL/)
    expect(() => routesOf({ issuer: API }, { metadata: 'yes' as never })).toThrow(
      /`metadata` to be true or false/,
    )
    expect((await routesOf({ issuer: API }).get('/.well-known/oauth-authorization-server')).status).toBe(404)
  })
})
