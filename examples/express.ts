/**
 * Express: login, refresh, step-up, logout and sessions out of the box, guards beside your own
 * routes. The payload is typed in a wrapped handler (`guard.access(handler)`), and anywhere by
 * `guard.payload(req)`.
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
import { listen, secretOfThisRun } from './surroundings/serve.ts'
import { verifyCredentials } from './surroundings/users.ts'

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

// As a middleware it leaves the handlers behind it as they are: `req.params.id` is still inferred
// from the path.
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
