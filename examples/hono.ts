/**
 * Hono: guards as middleware. The payload is in `c.var.auth`, with an inferred type.
 *
 *     npm run example -- hono
 */
import { Hono } from 'hono'
import { createAuth } from 'tokenwright'
import { guards } from 'tokenwright/hono'
import { authRoutes } from 'tokenwright/routes'
import { memoryStore } from 'tokenwright/stores/memory'
import { secretOfThisRun, serve } from './shared/serve.ts'
import { verifyCredentials } from './shared/users.ts'

const auth = createAuth({ secret: secretOfThisRun(), sessions: { store: memoryStore() } })
const guard = guards(auth)
const app = new Hono()

// The environment says the address of the client, for the limits of attempts.
const routes = authRoutes(auth, { verifyCredentials })
app.all('/auth/*', (c) => routes(c.req.raw, c.env))
app.get('/.well-known/jwks.json', (c) => routes(c.req.raw, c.env))

app.get('/protected', guard.access(), (c) => c.json({ message: 'You have access', sub: c.var.auth.sub }))

app.get('/posts/:id', guard.scopes('posts:read'), (c) =>
  c.json({ id: c.req.param('id'), reader: c.var.auth.sub }),
)

app.post('/change-password', guard.fresh(), (c) => c.json({ message: 'Password changed' }))

app.get('/hello', guard.optional(), (c) => c.json({ message: `Hello ${c.var.auth?.sub ?? 'stranger'}` }))

serve(app.fetch)
