/**
 * A stand-in for a server with `tokenwright/routes`, for the story of the front page: it runs in
 * the page and knows one user. Its responses have the form of the real ones, but its tokens are not
 * signed and it checks next to nothing. Never use it as a server.
 */
import { ERRORS } from '../../src/errors.ts'

export const USER = { username: 'ada', password: 'lovelace' }

/** How long an access token lasts, and is fresh, in seconds: the library's defaults. */
export const LIFE = 15 * 60
const FRESH_FOR = 15 * 60

/**
 * Creates the stand-in.
 *
 * @param now the story's clock, in epoch seconds
 * @returns a function that takes the place of `fetch`
 */
export function createStandIn(now) {
  let rotation = 0
  const refuse = (code) => {
    const { status, type, oauth, message } = ERRORS[code]
    const age = code === 'fresh_token_required' ? `, max_age=${FRESH_FOR}` : ''
    return Response.json(
      { message, error_type: type, ...(oauth && { error: oauth }), code },
      { status, headers: oauth ? { 'WWW-Authenticate': `Bearer error="${oauth}"${age}` } : {} },
    )
  }
  const issue = (fresh) => {
    rotation++
    const iat = Math.floor(now())
    const claims = { sub: USER.username, type: 'access', fresh, iat, exp: iat + LIFE }
    return Response.json({
      access_token: toText(claims),
      refresh_token: `refresh-${rotation}`,
      token_type: 'bearer',
      ...(fresh && { fresh }),
      expires_in: LIFE,
    })
  }
  /** Responds for a route that requires a token, and perhaps a fresh one. */
  const guarded = (request, isSensitive, respond) => {
    const claims = readClaims(request.headers.get('Authorization')?.replace('Bearer ', ''))
    if (!claims) return refuse('token_missing')
    if (claims.exp <= now()) return refuse('token_expired')
    return isSensitive && !claims.fresh ? refuse('fresh_token_required') : respond()
  }
  const routes = {
    'POST /auth/login': ({ username, password }) =>
      username === USER.username && password === USER.password ? issue(true) : refuse('credentials_invalid'),
    'POST /auth/refresh': ({ refresh_token }) =>
      refresh_token === `refresh-${rotation}` ? issue(false) : refuse('token_missing'),
    'POST /auth/verify-password': ({ password }, request) =>
      guarded(request, false, () =>
        password === USER.password ? issue(true) : refuse('credentials_invalid'),
      ),
    'POST /auth/logout': () => new Response(null, { status: 204 }),
    'GET /auth/session': (_, request) => guarded(request, false, () => Response.json({ active: true })),
    'GET /posts': (_, request) => guarded(request, false, () => Response.json(['Notes on the engine'])),
    'POST /change-email': (_, request) =>
      guarded(request, true, () => Response.json({ message: 'Email changed' })),
  }
  return async (input, init) => {
    const request = new Request(input, init)
    const respond = routes[`${request.method} ${new URL(request.url).pathname}`]
    if (!respond) return new Response(null, { status: 404 })
    const text = await request.text()
    return respond(text ? JSON.parse(text) : {}, request)
  }
}

/** The claims of a token of the stand-in; null for anything else. */
export function readClaims(token) {
  const [, payload] = token?.split('.') ?? []
  return payload ? JSON.parse(atob(payload)) : null
}

const toText = (claims) => [{ alg: 'none' }, claims].map((part) => btoa(JSON.stringify(part))).join('.')
