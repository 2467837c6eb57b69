/**
 * Fastify: guards as hooks. `onRequest` refuses a request before its body is received.
 * `guard.payload(request)` is typed without augmenting the types of Fastify.
 *
 *     npm run example -- fastify
 */
import { fastify } from 'fastify'
import { createAuth } from 'tokenwright'
import { guards } from 'tokenwright/fastify'
import { toNodeHandler } from 'tokenwright/node'
import { authRoutes } from 'tokenwright/routes'
import { memoryStore } from 'tokenwright/stores/memory'
import { listen, secretOfThisRun } from './shared/serve.ts'
import { verifyCredentials } from './shared/users.ts'

const auth = createAuth({ secret: secretOfThisRun(), sessions: { store: memoryStore() } })
const guard = guards(auth)
const app = fastify()

const routes = toNodeHandler(authRoutes(auth, { verifyCredentials }))
await app.register(async (scope) => {
  // The routes read the bodies themselves, so nothing else may read them.
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', (_request, _payload, done) => done(null))
  for (const url of ['/auth/*', '/.well-known/jwks.json']) {
    scope.all(url, (request, reply) => {
      reply.hijack()
      routes(request.raw, reply.raw)
    })
  }
})

app.get('/protected', { onRequest: guard.access() }, async (request) => ({
  message: 'You have access',
  sub: guard.payload(request).sub,
}))

app.get<{ Params: { id: string } }>(
  '/posts/:id',
  { onRequest: guard.scopes('posts:read') },
  async (request) => ({
    id: request.params.id,
    reader: guard.payload(request).sub,
  }),
)

app.post('/change-password', { onRequest: guard.fresh() }, async () => ({ message: 'Password changed' }))

app.get('/hello', { onRequest: guard.optional() }, async (request) => ({
  message: `Hello ${guard.optionalPayload(request)?.sub ?? 'stranger'}`,
}))

await app.ready()
listen(app.server)
