/**
 * The routes: the library's own under /auth, the demo API, health, and the pages. Each route is a
 * line that says what it asks of a token; what the library does is not repeated here. Knows nothing
 * of processes and sockets.
 */
import type { HttpBindings } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import { type Auth, AuthError } from 'tokenwright'
import { guards } from 'tokenwright/hono'
import { authRoutes, readBody } from 'tokenwright/routes'
import type { Health } from './health.ts'
import { describeApi } from './openapi.ts'
import { loadPages, type Page } from './pages.ts'
import { isPassword, PASSWORD_MAX_BYTES, PASSWORD_MIN_BYTES } from './passwords.ts'
import { answerUnrouted, createAnswerError } from './refusals.ts'
import type { Users } from './users.ts'

/** What the routes work with. */
export interface AppParts {
  readonly auth: Auth
  readonly users: Users
  /** How the server is. */
  readonly health: () => Promise<Health>
}

/**
 * Builds the app.
 *
 * @throws {ConfigurationError} when a page's file is missing
 */
export function createApp({ auth, users, health }: AppParts): Hono {
  const app = new Hono()
  app.onError(createAnswerError(auth))
  app.notFound((context) => answerUnrouted(app, context))
  app.use(async (context, next) => {
    await next()
    context.header('X-Content-Type-Options', 'nosniff')
    context.header('Referrer-Policy', 'no-referrer')
  })

  const answerAuth = authRoutes(auth, {
    verifyCredentials: users.verifyCredentials,
    delivery: 'body',
  })
  const handleAuth = (context: Context) => answerAuth(context.req.raw, { address: addressOf(context) })
  app.all('/auth/*', handleAuth)
  app.all('/.well-known/jwks.json', handleAuth)

  addDemo(app, auth, users)
  app.get('/healthz', async (context) => {
    const { ok, body } = await health()
    return context.json(body, ok ? 200 : 503, { 'Cache-Control': 'no-store' })
  })
  for (const [path, page] of loadPages(describeApi())) app.get(path, (context) => sendPage(context, page))
  return app
}

/**
 * The client's address, for its list of sessions; undefined where no socket is behind the request.
 */
function addressOf({ env }: Context): string | undefined {
  const { incoming }: Partial<HttpBindings> = env ?? {}
  return incoming?.socket.remoteAddress
}

/** The demo API: one route per kind of requirement. */
function addDemo(app: Hono, auth: Auth, users: Users): void {
  const guard = guards(auth)
  app.get('/protected', guard.access(), (context) => context.json({ message: 'You have access' }))
  app.get('/sensitive_operation', guard.fresh(), (context) =>
    context.json({ message: 'You have access to this sensitive operation' }),
  )
  app.get('/admin', guard.scopes('admin:*'), (context) =>
    context.json({ message: 'You have administrator access' }),
  )
  app.post('/change-password', guard.fresh(), async (context) => {
    const { sub, sid = null } = context.var.auth
    await users.changePassword(sub, await readNewPassword(context.req.raw))
    // Whoever is in with the old password is out; a failure here is one of the whole change, to be
    // tried again.
    await auth.sessions.endAll(sub, { except: sid })
    return context.json({ message: 'Password changed' })
  })
}

async function readNewPassword(request: Request): Promise<string> {
  const { new_password } = (await readBody(request)) ?? {}
  if (isPassword(new_password, PASSWORD_MIN_BYTES)) return new_password
  throw new AuthError('request_invalid', {
    message: `new_password must be a text of ${PASSWORD_MIN_BYTES} to ${PASSWORD_MAX_BYTES} bytes`,
  })
}

function sendPage(context: Context, { body, headers }: Page): Response {
  const known = context.req.header('if-none-match') === headers['etag']
  return known ? context.body(null, 304, headers) : context.body(body, 200, headers)
}
