/**
 * Explicit refresh without a framework: `tokenwright/fetch` wraps handlers that take a `Request`
 * and return a `Response`, as in Bun, Deno, Workers and route handlers of Next.js. A guard sends
 * the error response itself, so a refusal is a 401 without further setup.
 *
 *     npm run example -- explicit-refresh-fetch
 *
 *     curl -s -X POST --json '{"username":"test", "password":"test"}' http://localhost:8000/login
 *     curl -s --oauth2-bearer $FRESH_TOKEN http://localhost:8000/sensitive_operation
 *     curl -s -X POST --oauth2-bearer $REFRESH_TOKEN http://localhost:8000/refresh
 *     # 401, never a 500:
 *     curl -si --oauth2-bearer $NON_FRESH_TOKEN http://localhost:8000/sensitive_operation
 */
import { AuthError, createAuth } from 'tokenwright'
import { guards } from 'tokenwright/fetch'
import { NO_STORE, readTexts, toErrorResponse } from './shared/responses.ts'
import { secretOfThisRun, serve } from './shared/serve.ts'

const auth = createAuth({ secret: secretOfThisRun() })
const guard = guards(auth)

async function login(request: Request): Promise<Response> {
  const { username, password } = await readTexts(request, 'username', 'password')
  // A real application compares with a slow hash (argon2id, scrypt) and limits the attempts.
  if (username !== 'test' || password !== 'test') {
    throw new AuthError('credentials_invalid', { message: 'Bad username/password' })
  }
  const { access_token, refresh_token } = await auth.createTokenPair(username, { fresh: true })
  return Response.json({ access_token, refresh_token }, { headers: NO_STORE })
}

const routes = new Map<string, (request: Request) => Promise<Response>>([
  ['POST /login', (request) => login(request).catch(toErrorResponse)],
  [
    'POST /refresh',
    guard.refresh()(async (_request, payload) =>
      Response.json({ access_token: await auth.createAccessToken(payload) }, { headers: NO_STORE }),
    ),
  ],
  ['GET /protected', guard.access()(() => Response.json('You have access to this protected resource'))],
  [
    'GET /sensitive_operation',
    guard.fresh()(() => Response.json('You have access to this sensitive operation')),
  ],
])

serve((request) => {
  const route = routes.get(`${request.method} ${new URL(request.url).pathname}`)
  return route === undefined ? new Response('Not Found', { status: 404 }) : route(request)
})
