/**
 * Express: login, refresh, step-up, logout and sessions out of the box, and guards for your own
 * routes. A wrapped handler (`guard.access(handler)`) gets a typed payload; any other handler gets
 * it from `guard.payload(req)`.
 *
 *     npm run example -- express
 */
import { createServer } from 'node:http'
import express from 'express'
import { createAuth } from 'tokenwright'
import { guards } from 'tokenwright/express'
import { toNodeHandler } from 'tokenwright/node'
import { authRoutes } from 'tokenwright/routes'
import { memoryStore } from 'tokenwright/stores/memory'
import { listen, secretOfThisRun } from './shared/serve.ts'
import { verifyCredentials } from './shared/users.ts'

const auth = createAuth({ secret: secretOfThisRun(), sessions: { store: memoryStore() } })
const guard = guards(auth)
const app = express()

const routes = toNodeHandler(authRoutes(auth, { verifyCredentials }))
app.use('/auth', routes)
app.use('/.well-known/jwks.json', routes)

app.get(
  '/protected',
  guard.access((req, res) => res.json({ message: 'You have access', sub: req.auth.sub })),
)

// As middleware, a guard does not change the types of the handlers after it: `req.params.id` is
// still inferred from the path.
app.get('/posts/:id', guard.scopes('posts:read'), (req, res) => {
  res.json({ id: req.params.id, reader: guard.payload(req).sub })
})

app.post('/change-password', guard.fresh(), express.json(), (_req, res) => {
  res.json({ message: 'Password changed' })
})

app.get(
  '/hello',
  guard.optional((req, res) => res.json({ message: `Hello ${req.auth?.sub ?? 'stranger'}` })),
)

listen(createServer(app))
