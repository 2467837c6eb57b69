/**
 * The routes: those of the library under /auth, those of the account, the demo API, probes, health,
 * and the pages. Each demo route is one line that names what it requires of a token. This file does
 * not deal with processes or sockets.
 */
import { type Context, Hono } from 'hono'
import type { Auth, RequestInfo } from 'tokenwright'
import { guards } from 'tokenwright/hono'
import { authRoutes } from 'tokenwright/routes'
import { type AccountDependencies, addAccountRoutes, type Guards } from './account-routes.ts'
import { createErrorHandler, respondUnrouted } from './error-responses.ts'
import type { Health } from './health.ts'
import { describeApi } from './openapi.ts'
import { loadPages, type Page } from './pages.ts'
import { addProbes, type ReadinessDependencies } from './probes.ts'
import { createProofs } from './proofs.ts'
import { addressOf, trackRequests } from './request-context.ts'
import { type TrustedProxies, toClientAddress } from './trusted-proxies.ts'
import type { Users } from './users.ts'

/** Whether a client takes gzip: named, and not with the weight 0 (RFC 9110 section 12.5.3). */
const ACCEPTS_GZIP = /(?:^|,)\s*gzip\s*(?:;\s*q=(?:1|0?\.\d*[1-9])\S*\s*)?(?:,|$)/i

/** Where the routes with short lifetimes are. */
const DEMO_BASE = '/demo'

/** What the routes use. */
export interface AppDependencies
  extends Omit<AccountDependencies, 'users' | 'proofs' | 'guard'>,
    Partial<Pick<ReadinessDependencies, 'stage'>> {
  readonly auth: Auth
  /** The same with short lifetimes, for the page. Without it the page uses the routes of `auth`. */
  readonly demo?: Auth | undefined
  readonly users: Users
  /** Which proxies say the address of a client. Default: none. */
  readonly trustedProxies?: TrustedProxies | undefined
  /** Checks the state of the server. */
  readonly health: () => Promise<Health>
}

/**
 * Builds the app.
 *
 * @throws {ConfigurationError} when a page's file is missing
 */
export function createApp(dependencies: AppDependencies): Hono {
  const { auth, demo, health, stage = () => 'running', trustedProxies } = dependencies
  const app = new Hono()
  app.onError(createErrorHandler(auth))
  app.notFound((context) => respondUnrouted(app, context))
  app.use(trackRequests(prepareAddress(trustedProxies)))
  app.use(async (context, next) => {
    await next()
    context.header('X-Content-Type-Options', 'nosniff')
    context.header('Referrer-Policy', 'no-referrer')
  })

  addRoutes(app, auth, dependencies)
  // The same routes with short lifetimes: the tokens are alike, so the sessions are the same.
  if (demo) {
    const fast = new Hono()
    addRoutes(fast, demo, dependencies, DEMO_BASE)
    app.route(DEMO_BASE, fast)
  }
  addProbes(app, { stage, health })
  app.get('/healthz', async (context) => {
    const { ok, body } = await health()
    return context.json(body, ok ? 200 : 503, { 'Cache-Control': 'no-store' })
  })
  for (const [path, page] of loadPages(describeApi(), demo ? DEMO_BASE : ''))
    app.get(path, (context) => sendPage(context, page))
  return app
}

/** The routes of the library, those of the account, and the demo API. */
function addRoutes(app: Hono, auth: Auth, dependencies: AppDependencies, base = ''): void {
  const proofs = createProofs(dependencies)
  const { verifyCredentials, verifyStepUp } = proofs
  const basePath = `${base}/auth`
  const { trustedProxies } = dependencies
  const address = prepareAddress(trustedProxies)
  const respondAuth = authRoutes(auth, {
    verifyCredentials,
    verifyStepUp,
    delivery: 'body',
    basePath,
    // Without it the library warns of a proxy whose clients would all have one address.
    ...(trustedProxies !== undefined && { address: (_: Request, info?: RequestInfo) => info?.address }),
  })
  const handleAuth = (context: Context) => respondAuth(context.req.raw, { address: address(context) })
  app.all('/auth/*', handleAuth)
  if (base === '') app.all('/.well-known/jwks.json', handleAuth)
  const guard = guards(auth, { address })
  addAccountRoutes(app, auth, { ...dependencies, proofs, guard })
  addDemo(app, auth, guard)
}

/** The address of a client, as far as proxies are trusted. */
function prepareAddress(trusted: TrustedProxies | undefined): (context: Context) => string | undefined {
  return (context) => toClientAddress(addressOf(context), context.req.header('x-forwarded-for'), trusted)
}

/** The demo API: one route per kind of requirement. */
function addDemo(app: Hono, auth: Auth, guard: Guards): void {
  // A cookie hides the token from scripts. This shows what it says, without the signature.
  app.get('/token', guard.access(), async (context) => {
    const found = await auth.findToken(context.req.raw)
    const [header = '', claims = ''] = found?.token.split('.') ?? []
    const body = { header, claims, freshness: auth.lifetimes.freshness, now: auth.now() }
    return context.json(body, 200, { 'Cache-Control': 'no-store' })
  })
  app.get('/protected', guard.access(), (context) => context.json({ message: 'You have access' }))
  app.get('/sensitive_operation', guard.fresh(), (context) =>
    context.json({ message: 'You have access to this sensitive operation' }),
  )
  app.get('/admin', guard.scopes('admin:*'), (context) =>
    context.json({ message: 'You have administrator access' }),
  )
}

function sendPage(context: Context, { body, gzipped, headers }: Page): Response {
  if (context.req.header('if-none-match') === headers['etag']) return context.body(null, 304, headers)
  if (!ACCEPTS_GZIP.test(context.req.header('accept-encoding') ?? '')) return context.body(body, 200, headers)
  return context.body(gzipped, 200, { ...headers, 'content-encoding': 'gzip' })
}
