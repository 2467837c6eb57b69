import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AuthError, ERRORS, type ErrorCode } from '../../src/errors.ts'
import { createErrorResponse } from '../../src/http/error-response.ts'

const CODES = Object.keys(ERRORS) as ErrorCode[]

function challengeOf(error: AuthError, realm?: string): string | undefined {
  return createErrorResponse(error, { realm }).headers['WWW-Authenticate']
}

/** Reads a challenge as RFC 9110 sections 5.6.4 and 11.2 spell it; the whole text must be one. */
function parseChallenge(text: string): Record<string, string> {
  if (text === 'Bearer') return {}
  expect(text).toMatch(/^Bearer (?:[a-z_]+="(?:[\t \x21\x23-\x5b\x5d-\x7e]|\\[\t \x21-\x7e])*"(?:, |$))+$/)
  const found = [...text.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)]
  return Object.fromEntries(found.map(([, name, value]) => [name, (value ?? '').replace(/\\(.)/g, '$1')]))
}

describe('the challenge', () => {
  it.each<[string, AuthError, string | undefined, string | undefined]>([
    [
      "is the first of RFC 6750 section 3's examples",
      new AuthError('token_missing'),
      'example',
      'Bearer realm="example"',
    ],
    [
      "is the second of RFC 6750 section 3's examples",
      new AuthError('token_expired', { message: 'The access token expired' }),
      'example',
      'Bearer realm="example", error="invalid_token", error_description="The access token expired"',
    ],
    [
      "is RFC 9470 section 3's example of an acr",
      new AuthError('fresh_token_required', {
        message: 'A different authentication level is required',
        detail: { acrValues: ['myACR'] },
      }),
      undefined,
      'Bearer error="insufficient_user_authentication", error_description="A different authentication level is required", acr_values="myACR"',
    ],
    [
      "is RFC 9470 section 3's example of a max_age",
      new AuthError('fresh_token_required', {
        message: 'More recent authentication is required',
        detail: { maxAge: 5 },
      }),
      undefined,
      'Bearer error="insufficient_user_authentication", error_description="More recent authentication is required", max_age="5"',
    ],
    ['is bare for a missing token', new AuthError('token_missing'), undefined, 'Bearer'],
    ['is bare for a wrong password', new AuthError('credentials_invalid'), undefined, 'Bearer'],
    ['has no empty realm', new AuthError('token_missing'), '', 'Bearer'],
    [
      'names the scopes',
      new AuthError('scope_missing', { detail: { scopes: ['users:read', 'users:*'] } }),
      'api',
      'Bearer realm="api", error="insufficient_scope", error_description="Missing required scopes", scope="users:read users:*"',
    ],
    [
      'names no scopes where there are none',
      new AuthError('scope_missing', { detail: { scopes: [] } }),
      undefined,
      'Bearer error="insufficient_scope", error_description="Missing required scopes"',
    ],
    [
      'names a freshness without bounds',
      new AuthError('fresh_token_required', { detail: {} }),
      undefined,
      'Bearer error="insufficient_user_authentication", error_description="Fresh token required"',
    ],
    [
      'goes with a malformed request, which is a 400',
      new AuthError('request_invalid'),
      undefined,
      'Bearer error="invalid_request", error_description="Invalid request"',
    ],
    ['does not go with CSRF', new AuthError('csrf_missing'), 'api', undefined],
    ['does not go with another subject', new AuthError('subject_mismatch'), 'api', undefined],
    [
      'does not go with a limit',
      new AuthError('rate_limited', { detail: { retryAfter: 3 } }),
      'api',
      undefined,
    ],
  ])('%s', (_, error, realm, expected) => {
    expect(challengeOf(error, realm)).toBe(expected)
  })

  it('goes with every 401', () => {
    for (const code of CODES.filter((name) => ERRORS[name].status === 401)) {
      expect(challengeOf(new AuthError(code)), code).toMatch(
        code === 'client_invalid' ? /^Basic realm=/ : /^Bearer/,
      )
    }
  })

  it('asks a client for HTTP Basic, which has a realm and no error word', () => {
    expect(challengeOf(new AuthError('client_invalid'))).toBe('Basic realm="clients"')
    expect(challengeOf(new AuthError('client_invalid'), 'a "b"')).toBe('Basic realm="a \\"b\\""')
    expect(JSON.parse(createErrorResponse(new AuthError('client_invalid')).body)).toMatchObject({
      error: 'invalid_client',
    })
  })

  it('gives back any printable realm, whatever it holds', () => {
    fc.assert(
      fc.property(
        fc.string({
          unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
          minLength: 1,
        }),
        (realm) => {
          expect(parseChallenge(challengeOf(new AuthError('token_expired'), realm) ?? '')).toMatchObject({
            realm,
          })
        },
      ),
    )
  })

  it('stays well formed for any text', () => {
    const text = fc.string({ unit: 'binary' })
    fc.assert(
      fc.property(text, text, fc.array(text), (realm, message, words) => {
        const stale = new AuthError('fresh_token_required', {
          message,
          detail: { maxAge: 60, acrValues: words },
        })
        const narrow = new AuthError('scope_missing', { message, detail: { scopes: words } })
        const parsed = parseChallenge(challengeOf(stale, realm) ?? '')
        expect(parsed).toMatchObject({ error: 'insufficient_user_authentication', max_age: '60' })
        expect(parsed['error_description'] ?? '').not.toMatch(/["\\]/)
        expect(parseChallenge(challengeOf(narrow, realm) ?? '')['scope'] ?? 'x').toMatch(/^\S+(?: \S+)*$/)
      }),
    )
  })

  it('breaks no header line', () => {
    const error = new AuthError('scope_missing', {
      message: 'a\r\nb"\\',
      detail: { scopes: ['a b', 'c"\r\n', '\\', 'é'] },
    })
    expect(challengeOf(error, 'r\r\n"\\é')).toBe(
      'Bearer realm="r\\"\\\\", error="insufficient_scope", error_description="ab", scope="ab c"',
    )
  })
})

describe('the body', () => {
  it.each(CODES)('of %s says what the table says, in order', (code) => {
    const { status, headers, body } = createErrorResponse(new AuthError(code))
    const row = ERRORS[code]
    expect(status).toBe(row.status)
    expect(headers).toMatchObject({ 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
    const expected: [string, unknown][] = [
      ['message', row.message],
      ['error_type', row.type],
    ]
    if (row.oauth !== null) expected.push(['error', row.oauth])
    expected.push(['code', code])
    if (row.status === 429) expected.push(['retry_after', 1])
    expect(Object.entries(JSON.parse(body))).toEqual(expected)
  })

  it("is the contract's example", () => {
    expect(createErrorResponse(new AuthError('fresh_token_required')).body).toBe(
      '{"message":"Fresh token required","error_type":"FreshTokenRequiredError","error":"insufficient_user_authentication","code":"fresh_token_required"}',
    )
  })

  it('keeps the cause to the server (LEK-01)', () => {
    const error = new AuthError('store_unavailable', {
      cause: new Error('redis://:password@host'),
      detail: { retryAfter: 2 },
    })
    expect(JSON.stringify(createErrorResponse(error))).not.toContain('password')
  })
})

describe('Retry-After', () => {
  it.each([
    [1, 1],
    [30, 30],
    [2.1, 3],
    [0, 1],
    [-4, 1],
    [Number.NaN, 1],
    [Number.POSITIVE_INFINITY, 1],
  ])('of %d s is %d', (retryAfter, expected) => {
    const limited = createErrorResponse(new AuthError('rate_limited', { detail: { retryAfter } }))
    expect(limited.headers['Retry-After']).toBe(String(expected))
    expect(JSON.parse(limited.body).retry_after).toBe(expected)
    const down = createErrorResponse(new AuthError('store_unavailable', { detail: { retryAfter } }))
    expect(down.headers['Retry-After']).toBe(String(expected))
    expect(JSON.parse(down.body)).not.toHaveProperty('retry_after')
  })

  it('goes with 429 and 503 only', () => {
    for (const code of CODES) {
      expect('Retry-After' in createErrorResponse(new AuthError(code)).headers, code).toBe(
        [429, 503].includes(ERRORS[code].status),
      )
    }
  })
})

it('responds to an error of another copy of the package', () => {
  const foreign = Object.assign(new Error('Token has expired'), {
    code: 'token_expired',
    name: 'TokenExpiredError',
  })
  expect(createErrorResponse(foreign as unknown as AuthError)).toEqual(
    createErrorResponse(new AuthError('token_expired')),
  )
})
