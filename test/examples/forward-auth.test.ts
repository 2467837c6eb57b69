/** The example behind real nginx, with its configuration file: login, a page, and what is refused. */
import { expect, it, onTestFinished } from 'vitest'
import { HAS_NGINX, startNginx } from '../adapters/forward-auth/nginx.ts'
import { send, startExample, tokensOf } from './program.ts'

it.skipIf(!HAS_NGINX)('lets nginx ask before the application gets a request', async () => {
  const { url } = await startExample('forward-auth')
  const port = Number(new URL(url).port)
  const nginx = await startNginx({ auth: port, app: port })
  onTestFinished(() => nginx.close())
  const json = { username: 'test', password: 'test', delivery: 'body' }
  const { access } = tokensOf(await send(nginx.origin, 'POST /auth/login', { json }))
  const me = await send(nginx.origin, 'GET /app/me', { token: access })
  expect(JSON.parse(me.text)).toEqual({
    method: 'GET',
    path: '/app/me',
    subject: 'test',
    scopes: ['posts:read'],
  })
  expect((await send(nginx.origin, 'GET /app/me')).status).toBe(401)
  expect((await send(nginx.origin, 'GET /app/admin/users', { token: access })).status).toBe(403)
})
