/**
 * Pages that a server renders. `peek` reads who is signed in where no cookie can be set;
 * `refreshing` goes where one can. For Next.js there is `tokenwright/next`.
 *
 *     npm run example -- pages
 */
import { createServer } from 'node:http'
import { createAuth } from 'tokenwright'
import { guards } from 'tokenwright/fetch'
import { toNodeHandler } from 'tokenwright/node'
import { authRoutes } from 'tokenwright/routes'
import { memoryStore } from 'tokenwright/stores/memory'
import { listen, secretOfThisRun } from './shared/serve.ts'
import { verifyCredentials } from './shared/users.ts'

const auth = createAuth({
  secret: secretOfThisRun(),
  locations: ['cookie'],
  sessions: { store: memoryStore() },
})
const guard = guards(auth)
const routes = authRoutes(auth, { verifyCredentials })

/** A server component. It can only read. */
async function renderHello(request: Request): Promise<string> {
  const visitor = await guard.peek(request)
  return visitor === null ? '<a href="/login">Sign in</a>' : `<p>Hello ${visitor.sub}</p>`
}

/** The page. If the access token of the visitor has expired, it is refreshed without notice. */
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
