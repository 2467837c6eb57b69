import { describe, expect, it } from 'vitest'
import { ConfigurationError, createAuth } from '../../src/index.ts'
import { authRoutes, type CorsOptions } from '../../src/routes.ts'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'
const APP = 'https://app.example.com'

function setUp(cors?: CorsOptions, origins: readonly string[] = [APP]) {
  const auth = createAuth({ secret: SECRET, locations: ['header', 'cookie'], csrf: { origins } })
  return authRoutes(auth, { verifyCredentials: () => null, throttle: false, ...(cors && { cors }) })
}

function ask(
  handle: ReturnType<typeof setUp>,
  method: string,
  path: string,
  origin?: string,
): Promise<Response> {
  const headers = { ...(origin && { origin, 'sec-fetch-site': 'cross-site' }) }
  return handle(new Request(`https://api.example.com${path}`, { method, headers }))
}

const corsHeaders = ({ headers }: Response): string[] =>
  [...headers.keys()].filter((name) => name.startsWith('access-control') || name === 'vary')

describe('without the option', () => {
  it('no header mentions origins, and OPTIONS is not a method', async () => {
    const response = await ask(setUp(), 'OPTIONS', '/auth/login', APP)
    expect(response.status).toBe(405)
    expect(corsHeaders(response)).toEqual([])
    expect(corsHeaders(await ask(setUp(), 'POST', '/auth/login', APP))).toEqual([])
  })
})

describe('with origins', () => {
  const handle = setUp({ origins: [APP] })

  it('responds to the preflight of an accepted origin', async () => {
    const { status, headers } = await ask(handle, 'OPTIONS', '/auth/login', APP)
    expect(status).toBe(204)
    expect(Object.fromEntries(headers)).toEqual({
      'access-control-allow-credentials': 'true',
      'access-control-allow-headers': 'Authorization, Content-Type, x-csrf-token',
      'access-control-allow-methods': 'POST',
      'access-control-allow-origin': APP,
      'access-control-max-age': '600',
      'cache-control': 'no-store',
      vary: 'Origin',
    })
  })

  it.each([
    'https://evil.example',
    'null',
    'https://app.example.com.evil.example',
    'http://app.example.com',
    undefined,
  ])('tells %s nothing', async (origin) => {
    for (const method of ['OPTIONS', 'POST', 'GET']) {
      const response = await ask(handle, method, '/auth/login', origin)
      expect(corsHeaders(response)).toEqual(['vary'])
      if (method === 'POST' && origin !== undefined) expect(response.status).toBe(403)
    }
  })

  it('lets an accepted origin read every response, refusals and their challenge included', async () => {
    const answers = await Promise.all([
      ask(handle, 'POST', '/auth/login', APP),
      ask(handle, 'POST', '/auth/refresh', APP),
      ask(handle, 'GET', '/auth/login', APP),
      ask(handle, 'GET', '/nowhere', APP),
      ask(handle, 'GET', '/.well-known/jwks.json', APP),
    ])
    expect(answers.map(({ status }) => status)).toEqual([400, 401, 405, 404, 200])
    for (const { headers } of answers) {
      expect(headers.get('access-control-allow-origin')).toBe(APP)
      expect(headers.get('access-control-allow-credentials')).toBe('true')
      expect(headers.get('access-control-expose-headers')).toBe('WWW-Authenticate, Retry-After')
      expect(headers.get('vary')).toBe('Origin')
    }
  })
})

describe('with headers of the page', () => {
  const ours = 'Authorization, Content-Type, x-csrf-token'
  const allowed = async (allowedHeaders?: readonly string[], origin = APP) => {
    const cors = { origins: [APP], ...(allowedHeaders && { allowedHeaders }) }
    const { headers } = await ask(setUp(cors), 'OPTIONS', '/auth/refresh', origin)
    return headers.get('access-control-allow-headers')
  }

  it('allows them beside ours, to accepted origins', async () => {
    expect(await allowed(['traceparent', 'baggage'])).toBe(`${ours}, traceparent, baggage`)
    expect(await allowed([])).toBe(ours)
    expect(await allowed(['traceparent'], 'https://evil.example')).toBeNull()
  })

  it('repeats none that a request asks for', async () => {
    const headers = { origin: APP, 'access-control-request-headers': 'x-asked' }
    const request = new Request('https://api.example.com/auth/refresh', { method: 'OPTIONS', headers })
    const response = await setUp({ origins: [APP], allowedHeaders: ['traceparent'] })(request)
    expect(response.headers.get('access-control-allow-headers')).toBe(`${ours}, traceparent`)
  })

  it.each([['a b'], [''], ['x\r\ny'], ['a,b'], [5], [null]])('refuses what is no name: %j', (name) => {
    expect(() => setUp({ origins: [APP], allowedHeaders: ['ok', name as string] })).toThrow(
      /^Expected `cors.allowedHeaders` to be a list of header names such as 'traceparent'/,
    )
  })

  it('refuses what is no list', () => {
    for (const allowedHeaders of ['traceparent', {}, null] as never[])
      expect(() => setUp({ origins: [APP], allowedHeaders })).toThrow(ConfigurationError)
  })
})

describe('what is refused at the start', () => {
  it.each([
    ['a wildcard', { origins: ['*'] }],
    ['a path', { origins: ['https://app.example.com/'] }],
    ['null', { origins: ['null'] }],
    ['a number', { origins: [5] }],
    ['no list', { origins: APP }],
    ['another key', { origins: [APP], credentials: true }],
    ['true', true],
    ['an origin that the origin check refuses', { origins: ['https://other.example.com'] }],
  ])('%s', (_, cors) => expect(() => setUp(cors as never)).toThrow(ConfigurationError))

  it('no origin if the origin is not checked', () => {
    const auth = createAuth({ secret: SECRET, csrf: 'token' })
    expect(() => authRoutes(auth, { verifyCredentials: () => null, cors: { origins: [APP] } })).toThrow(
      ConfigurationError,
    )
  })
})
