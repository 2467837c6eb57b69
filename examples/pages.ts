/**
 * Pages that a server renders, as in Next.js: `peek` reads who is signed in where no cookie can be
 * set, and `refreshing` stands in front, where one can. In Next.js the first is called in server
 * components, `guard.peek({ headers: await headers() })`, and the second wraps what the middleware
 * does.
 *
 *     npm run example -- pages
 */
import { createServer } from 'node:http'
import { createAuth } from 'tokenwright'
import { guards } from 'tokenwright/fetch'
import { toNodeHandler } from 'tokenwright/node'
import { authRoutes } from 'tokenwright/routes'
import { memoryStore } from 'tokenwright/stores/memory'
import { listen, secretOfThisRun } from './surroundings/serve.ts'
import { verifyCredentials } from './surroundings/users.ts'

const auth = createAuth({
  secret: secretOfThisRun(),
  locations: ['cookie'],
  sessions: { store: memoryStore() },
})
const guard = guards(auth)
const routes = authRoutes(auth, { verifyCredentials })

/** A server component: it can read, and nothing else. */
async function renderHello(request: Request): Promise<string> {
  const visitor = await guard.peek(request)
  return visitor === null ? '<a href="/login">Sign in</a>' : `<p>Hello ${visitor.sub}</p>`
}

/**
 * Everything that is rendered. A visitor whose access token is over is refreshed on the way, and
 * never sees it.
 */
const page = guard.refreshing(async (request) => {
  const body = `<!doctype html><title>Hello</title>${await renderHello(request)}`
  return new Response(body, { headers: { 'Content-Type': 'text/html', 'Cache-Control': 'private' } })
})

listen(
  createServer(
    toNodeHandler((request, info) =>
      new URL(request.url).pathname === '/' ? page(request) : routes(request, info),
    ),
  ),
)
