/** Problem details (RFC 9457) behind every guard, and from the routes. */
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { forwardAuth } from '../../../src/adapters/forward-auth.ts'
import {
  type AuthOptions,
  createAuth,
  describeErrors,
  isAuthError,
  type OpenApiResponse,
} from '../../../src/index.ts'
import { authRoutes } from '../../../src/routes.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { SECRET } from '../../token/forge.ts'
import { MODEL, DOORS as PLAIN } from './frameworks.ts'
import { NEST_DOORS } from './nest.ts'

const TYPES = 'https://docs.example.com/errors/'

function create(options: AuthOptions = { problemDetails: true }) {
  return createAuth({ secret: SECRET, ...options })
}

/** The members of problem details, and that the media type says so. */
async function toProblem(response: Response) {
  expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json(?:;|$)/)
  const body = (await response.json()) as Record<string, unknown>
  expect(body).toMatchObject({ status: response.status, detail: body['message'] })
  return body
}

describe('behind a guard', () => {
  it.each([MODEL, ...PLAIN, ...NEST_DOORS].map((door) => [door.name, door] as const))(
    '%s',
    async (_name, door) => {
      const handle = () => ({ body: {} })
      const routes = [{ path: '/me', methods: ['GET'], guards: [['scopes', 'admin']], handle }] as const
      const auth = create()
      const server = await door.open({ auth: auth as never, routes })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      onTestFinished(() => void server.close().closeAllConnections())
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/me`
      const headers = { Authorization: `Bearer ${await auth.createAccessToken('alice')}` }
      const response = await fetch(url, { headers })
      expect(response.headers.get('www-authenticate')).toMatch(/error="insufficient_scope"/)
      expect(await toProblem(response)).toEqual({
        type: 'about:blank',
        title: 'Forbidden',
        status: 403,
        detail: 'Missing required scopes',
        message: 'Missing required scopes',
        error_type: 'InsufficientScopeError',
        error: 'insufficient_scope',
        code: 'scope_missing',
      })
    },
  )
})

describe('from the routes', () => {
  const handle = authRoutes(
    create({ problemDetails: { types: TYPES }, sessions: { store: memoryStore() } }),
    {
      verifyCredentials: () => null,
      verifyClient: () => true,
      throttle: false,
    },
  )
  const ask = (path: string, init?: RequestInit) => handle(new Request(`http://localhost${path}`, init))

  it('name the kind of error by a URI, and say what is there anyway', async () => {
    const body = JSON.stringify({ username: 'a', password: 'b' })
    const login = await ask('/auth/login', {
      method: 'POST',
      body,
      headers: { 'Content-Type': 'application/json' },
    })
    expect(await toProblem(login)).toMatchObject({
      type: `${TYPES}credentials_invalid`,
      title: 'Bad username or password',
      status: 401,
      code: 'credentials_invalid',
    })
  })

  it('are in responses that no error of the table stands for', async () => {
    expect(await toProblem(await ask('/auth/other'))).toMatchObject({
      type: `${TYPES}not_found`,
      status: 404,
    })
    const method = await ask('/auth/login')
    expect(method.headers.get('allow')).toBe('POST')
    expect(await toProblem(method)).toMatchObject({ code: 'method_not_allowed', status: 405 })
  })

  it('are not in the errors of OAuth, whose clients expect JSON and another status', async () => {
    const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: 'x.y.z' })
    const response = await ask('/auth/refresh', { method: 'POST', body })
    expect([response.status, response.headers.get('content-type')]).toEqual([400, 'application/json'])
    expect(await response.json()).not.toHaveProperty('status')
  })

  it('can be read by a page of another origin', async () => {
    const app = 'https://app.example.com'
    const auth = create({ problemDetails: true, csrf: { origins: [app] } })
    const routes = authRoutes(auth, { verifyCredentials: () => null, cors: { origins: [app] } })
    const request = new Request('http://localhost/auth/verify-password', {
      method: 'POST',
      headers: { Origin: app },
    })
    const response = await routes(request)
    expect(response.headers.get('access-control-allow-origin')).toBe(app)
    expect(await toProblem(response)).toMatchObject({ code: 'token_missing', title: 'Unauthorized' })
  })
})

it('are what a proxy gets', async () => {
  const verify = forwardAuth(create(), { proxy: 'traefik', trusted: () => false })
  expect(await toProblem(await verify(new Request('http://localhost/verify')))).toMatchObject({
    code: 'proxy_untrusted',
    title: 'Forbidden',
  })
})

it('are what the description says', () => {
  const { responses } = create().openapi().components
  const { content } = responses['401'] as OpenApiResponse
  expect(Object.keys(content)).toEqual(['application/problem+json'])
  expect(content['application/problem+json']?.schema['required']).toContain('title')
  expect(content['application/problem+json']?.examples['token_expired']?.value).toMatchObject({
    type: 'about:blank',
    title: 'Unauthorized',
    status: 401,
    code: 'token_expired',
  })
  expect(Object.keys(describeErrors(['token_expired'])['401']?.content ?? {})).toEqual(['application/json'])
})

it('are off by default, and refused when misspelled', () => {
  const auth = create({})
  const error = Object.assign(new Error('Token has expired'), {
    name: 'TokenExpiredError',
    code: 'token_expired',
  })
  if (!isAuthError(error)) throw new Error('not an error of the table')
  expect(auth.errorResponse(error).headers['Content-Type']).toBe('application/json')
  expect(create({ problemDetails: false }).http.problems).toBeNull()
  for (const problemDetails of ['yes', { types: 'errors' }, { types: 'https://x/ y' }, { base: TYPES }, 1])
    expect(() => create({ problemDetails } as never)).toThrow(/problemDetails/)
})
