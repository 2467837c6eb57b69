/** The verifier behind the middleware of the MCP SDK, of both its versions. */
import * as errors from '@modelcontextprotocol/sdk/server/auth/errors.js'
import type { OAuthTokenVerifier } from '@modelcontextprotocol/sdk/server/auth/provider.js'
import { type AuthInfo, OAuthError, requireBearerAuth as requireBearer } from '@modelcontextprotocol/server'
import express from 'express'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { type McpVerifierOptions, mcpVerifier } from '../../src/adapters/mcp.ts'
import { createAuth } from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { SECRET } from '../token/forge.ts'

/** Not imported by its name: its types would give every Express request of this program an `auth`. */
const MIDDLEWARE: string = '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
const { requireBearerAuth } = await import(MIDDLEWARE)

const RESOURCE = 'https://mcp.example.com/mcp'
const METADATA = 'https://mcp.example.com/.well-known/oauth-protected-resource/mcp'
const URLS = { resourceMetadataUrl: METADATA, expectedResource: new URL(RESOURCE) }

let isDown = false
beforeEach(() => {
  isDown = false
})

const OPTIONS = { secret: SECRET, audience: [RESOURCE, 'other'], resource: RESOURCE } as const
const auth = createAuth({
  ...OPTIONS,
  sessions: { store: memoryStore() },
  isRevoked() {
    if (isDown) throw new Error('down')
    return false
  },
})

type Ask = (authorization?: string) => Promise<{ status: number; challenge: string; body: unknown }>

/** The middleware of each version, in front of a route that says what it knows. */
const VERSIONS: Readonly<Record<string, (options: Partial<McpVerifierOptions<never>>) => Promise<Ask>>> = {
  async '1'(options) {
    const verifier: OAuthTokenVerifier = mcpVerifier(auth, { errors, ...options } as never)
    const app = express()
    app.get(
      '/mcp',
      requireBearerAuth({ verifier, ...URLS }),
      (req, res) => void res.json(toBody(Reflect.get(req, 'auth'))),
    )
    const server = app.listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    onTestFinished(() => void server.close().closeAllConnections())
    const { port } = server.address() as { port: number }
    return async (authorization) =>
      toResult(await fetch(`http://127.0.0.1:${port}/mcp`, toInit(authorization)))
  },
  async '2'(options) {
    const verifier = mcpVerifier(auth, { errors: { OAuthError }, ...options } as never)
    const check = requireBearer({ verifier, ...URLS })
    return async (authorization) => {
      const found = await check(new Request(RESOURCE, toInit(authorization)))
      return toResult(found instanceof Response ? found : Response.json(toBody(found)))
    }
  },
}

function toInit(authorization: string | undefined): RequestInit {
  return authorization === undefined ? {} : { headers: { Authorization: authorization } }
}

function toBody(info: Omit<AuthInfo, 'resourceMetadataUrl'> | undefined): object {
  return {
    ...info,
    sub: mcpVerifier(auth, { errors }).payloadOf(info).sub,
    extra: undefined,
    token: undefined,
  }
}

async function toResult(response: Response) {
  const challenge = response.headers.get('www-authenticate') ?? ''
  return { status: response.status, challenge, body: await response.json() }
}

describe.each(Object.entries(VERSIONS))('version %s of the SDK', (_version, open) => {
  const login = async (options: object = {}) => {
    const { access_token } = await auth.createTokenPair('alice', { scopes: ['read'], ...options })
    return `Bearer ${access_token}`
  }

  it('gets who calls, for which client, until when and for which resource', async () => {
    const ask = await open({})
    const { status, body } = await ask(await login())
    expect(status).toBe(200)
    expect(body).toMatchObject({ sub: 'alice', clientId: 'alice', scopes: ['read'], resource: RESOURCE })
    const { expiresAt } = body as { expiresAt: number }
    expect(expiresAt - Date.now() / 1000).toBeGreaterThan(800)
  })

  it('refuses as 401 with the URL of the metadata: no token, a bad, a foreign, a revoked one', async () => {
    const ask = await open({})
    const foreign = createAuth({ secret: SECRET, audience: 'other' })
    const elsewhere = createAuth({ secret: SECRET.toUpperCase(), audience: RESOURCE })
    const expired = createAuth({ ...OPTIONS, clock: () => Date.now() / 1000 - 3600 })
    const { access_token: ended } = await auth.createTokenPair('carol')
    await auth.revokeSubject('carol')
    const refused: readonly (string | undefined)[] = [
      undefined,
      'Bearer x.y.z',
      `Bearer ${await foreign.createAccessToken('alice')}`,
      `Bearer ${await elsewhere.createAccessToken('alice')}`,
      `Bearer ${await expired.createAccessToken('alice')}`,
      `Bearer ${await createAuth(OPTIONS).createRefreshToken('alice')}`,
      `Bearer ${ended}`,
    ]
    for (const authorization of refused) {
      const { status, challenge, body } = await ask(authorization)
      expect([status, (body as { error: string }).error]).toEqual([401, 'invalid_token'])
      expect(challenge).toContain(`resource_metadata="${METADATA}"`)
    }
  })

  it('refuses as 403 without the scopes, which `users:*` covers', async () => {
    const ask = await open({ requirement: { scopes: ['users:read'] } })
    const { status, challenge, body } = await ask(await login())
    expect([status, (body as { error: string }).error]).toEqual([403, 'insufficient_scope'])
    expect(challenge).toContain(`resource_metadata="${METADATA}"`)
    expect((await ask(await login({ scopes: ['users:*'] }))).status).toBe(200)
  })

  it("refuses as 403 by a rule of the route's own, so that no client logs in again", async () => {
    const ask = await open({ requirement: { check: ({ sub }) => sub === 'bob' } })
    const { status, body } = await ask(await login())
    expect([status, (body as { error: string }).error]).toEqual([403, 'insufficient_scope'])
  })

  it('refuses a stale login as 401', async () => {
    const ask = await open({ requirement: { fresh: true } })
    expect((await ask(await login())).status).toBe(401)
    expect((await ask(await login({ fresh: true }))).status).toBe(200)
  })

  it('says an outage as a failure of the server, which signs no one out', async () => {
    const ask = await open({})
    const token = await login()
    isDown = true
    const { status, body } = await ask(token)
    expect([status, (body as { error: string }).error]).toEqual([500, 'server_error'])
  })

  it('names the client that a token was issued to', async () => {
    const app = createAuth({ ...OPTIONS, clientId: 'app' })
    const token = `Bearer ${await app.createAccessToken('alice')}`
    expect((await (await open({}))(token)).body).toMatchObject({ clientId: 'app' })
    const ask = await open({ clientIdOf: ({ sub }: { sub: string }) => `of-${sub}` } as never)
    expect((await ask(token)).body).toMatchObject({ clientId: 'of-alice' })
  })
})

describe('a mistake', () => {
  /** As version 1 exports it: the code is the class, and not an argument. */
  class Uncoded extends Error {}

  it.each<[string, object, RegExp]>([
    ['no errors', {}, /`errors` to be the module/],
    ['errors of nothing', { errors: { InvalidTokenError: Error } }, /`errors`/],
    ['the base class of version 1', { errors: { OAuthError: Uncoded } }, /`errors`/],
    ['a misspelled requirement', { errors, requirement: { scope: ['x'] } }, /scope/],
    ['a client that is no function', { errors, clientIdOf: 'app' }, /`clientIdOf` to be a function/],
    ['an unknown option', { errors, verifier: 1 }, /Unknown option `mcpVerifier.verifier`/],
  ])('shows at start: %s', (_name, options, message) => {
    expect(() => mcpVerifier(auth, options as never)).toThrow(message)
  })

  it('is said where a tool has no payload of ours', () => {
    const verifier = mcpVerifier(auth, { errors })
    for (const info of [undefined, {}, { extra: { payload: { sub: 'alice' } } }])
      expect(() => verifier.payloadOf(info)).toThrow(/`authInfo` to be what the SDK gives a tool/)
    expect(() => mcpVerifier({} as never, { errors })).toThrow(/`auth`/)
    expect(() => mcpVerifier(auth, undefined as never)).toThrow(/`options`/)
  })
})
