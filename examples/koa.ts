/**
 * Koa: guards as middleware. The payload is in `ctx.state.auth`, with a type in the handlers after
 * the guard.
 *
 *     npm run example -- koa
 */
import { createServer } from 'node:http'
import Router from '@koa/router'
import Koa from 'koa'
import { createAuth } from 'tokenwright'
import { guards } from 'tokenwright/koa'
import { toNodeHandler } from 'tokenwright/node'
import { authRoutes } from 'tokenwright/routes'
import { memoryStore } from 'tokenwright/stores/memory'
import { listen, secretOfThisRun } from './shared/serve.ts'
import { verifyCredentials } from './shared/users.ts'

const auth = createAuth({ secret: secretOfThisRun(), sessions: { store: memoryStore() } })
const guard = guards(auth)
const app = new Koa()
const router = new Router()

const routes = toNodeHandler(authRoutes(auth, { verifyCredentials }))
const handled = ['/auth/', '/.well-known/jwks.json']
app.use(async (ctx, next) => {
  if (!handled.some((path) => ctx.path.startsWith(path))) return next()
  // The routes write to Node's response themselves.
  ctx.respond = false
  routes(ctx.req, ctx.res)
})

router.get('/protected', guard.access(), (ctx) => {
  ctx.body = { message: 'You have access', sub: ctx.state.auth.sub }
})

router.get('/posts/:id', guard.scopes('posts:read'), (ctx) => {
  ctx.body = { id: ctx.params['id'], reader: ctx.state.auth.sub }
})

router.post('/change-password', guard.fresh(), (ctx) => {
  ctx.body = { message: 'Password changed' }
})

router.get('/hello', guard.optional(), (ctx) => {
  ctx.body = { message: `Hello ${ctx.state.auth?.sub ?? 'stranger'}` }
})

app.use(router.routes())
listen(createServer(app.callback()))
