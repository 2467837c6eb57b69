/**
 * nginx asks before it passes a request on (`auth_request`), so that the application behind it
 * needs no code for tokens: it reads who asks in two headers. Start this, and nginx with the file
 * beside it:
 *
 *     npm run example -- forward-auth
 *     nginx -p "$(mktemp -d)" -c "$PWD/examples/forward-auth.nginx.conf" -g 'daemon off;'
 *
 *     curl -d username=test -d password=test -d delivery=body localhost:8080/auth/login
 *     curl -H "Authorization: Bearer $TOKEN" localhost:8080/app/me
 *
 * Login, check and application share one process here. Only the proxy may reach the last two: it
 * listens on loopback alone.
 */
import { createServer } from 'node:http'
import { createAuth } from 'tokenwright'
import { forwardAuth } from 'tokenwright/forward-auth'
import { toNodeHandler } from 'tokenwright/node'
import { authRoutes } from 'tokenwright/routes'
import { memoryStore } from 'tokenwright/stores/memory'
import { listen, secretOfThisRun } from './shared/serve.ts'
import { verifyCredentials } from './shared/users.ts'

const auth = createAuth({
  secret: secretOfThisRun(),
  locations: ['header', 'cookie'],
  sessions: { store: memoryStore() },
})
const login = authRoutes(auth, {
  verifyCredentials,
  address: (request) => request.headers.get('x-forwarded-for'),
})
const verify = forwardAuth(auth, {
  proxy: 'nginx',
  trusted: ['127.0.0.1', '::1'],
  requirements: { admin: { scopes: ['admin'] } },
})

/** The application: it knows nothing of tokens. */
function respond(request: Request): Response {
  const subject = decodeURIComponent(request.headers.get('x-auth-subject') ?? '')
  const scopes = (request.headers.get('x-auth-scopes') ?? '')
    .split(' ')
    .filter(Boolean)
    .map(decodeURIComponent)
  return Response.json({ method: request.method, path: new URL(request.url).pathname, subject, scopes })
}

listen(
  createServer(
    toNodeHandler((request, info) => {
      const { pathname } = new URL(request.url)
      if (pathname.startsWith('/auth/')) return login(request, info)
      if (/^\/verify(?:\/|$)/.test(pathname)) return verify(request, info)
      return pathname.startsWith('/app/') ? respond(request) : new Response(null, { status: 404 })
    }),
  ),
)
