/**
 * No framework: a guard wraps a handler of the fetch standard, for example for `Bun.serve`,
 * `Deno.serve`, Workers, Next.js route handlers or h3. The payload is the second argument.
 *
 *     npm run example -- fetch
 */
import { createServer } from 'node:http'
import { createAuth } from 'tokenwright'
import { guards } from 'tokenwright/fetch'
import { toNodeHandler } from 'tokenwright/node'
import { authRoutes } from 'tokenwright/routes'
import { memoryStore } from 'tokenwright/stores/memory'
import { listen, secretOfThisRun } from './shared/serve.ts'
import { verifyCredentials } from './shared/users.ts'

const auth = createAuth({ secret: secretOfThisRun(), sessions: { store: memoryStore() } })
const guard = guards(auth)
const routes = authRoutes(auth, { verifyCredentials })

const handlers: Readonly<Record<string, (request: Request) => Promise<Response>>> = {
  'GET /protected': guard.access()((_request, { sub }) => Response.json({ message: 'You have access', sub })),
  'GET /posts/1': guard.scopes('posts:read')((_request, { sub }) => Response.json({ id: '1', reader: sub })),
  'POST /change-password': guard.fresh()(() => Response.json({ message: 'Password changed' })),
  'GET /hello': guard.optional()((_request, payload) =>
    Response.json({ message: `Hello ${payload?.sub ?? 'stranger'}` }),
  ),
}

listen(
  createServer(
    toNodeHandler((request, info) => {
      const { pathname } = new URL(request.url)
      const handler = handlers[`${request.method} ${pathname}`]
      return handler === undefined ? routes(request, info) : handler(request)
    }),
  ),
)
