/**
 * Fresh tokens: a token is fresh only after the user has entered a password. Regular routes accept
 * any access token, sensitive routes only a fresh one. A refreshed token is not fresh.
 *
 *     npm run example -- fresh-tokens
 *
 *     curl -X POST -H "Content-Type: application/json" -d '{"username":"test", "password":"test"}'
 *     \ http://localhost:8000/login                        #
 *     {"access_token":"...","refresh_token":"..."} curl -H "Authorization: Bearer <fresh-token>" -X
 *     POST http://localhost:8000/change-password    # Password changed curl -H "Authorization:
 *     Bearer <refresh-token>" -X POST http://localhost:8000/refresh          #
 *     {"access_token":"..."} curl -i -H "Authorization: Bearer <non-fresh-token>" -X POST
 *     http://localhost:8000/change-password  # 401 curl -H "Authorization: Bearer
 *     <non-fresh-token>" http://localhost:8000/protected              # You have access
 */
import { Hono } from 'hono'
import { AuthError, createAuth } from 'tokenwright'
import { guards } from 'tokenwright/hono'
import { NO_STORE, readTexts, toErrorResponse } from './shared/responses.ts'
import { secretOfThisRun, serve } from './shared/serve.ts'

const auth = createAuth({ secret: secretOfThisRun() })
const guard = guards(auth)
const app = new Hono()
app.onError(toErrorResponse)

app.post('/login', async (c) => {
  const { username, password } = await readTexts(c.req.raw, 'username', 'password')
  // A real application looks up the user and compares with a slow hash (argon2id, scrypt). It takes
  // as long for an unknown user, and limits the attempts.
  if (username !== 'test' || password !== 'test') {
    throw new AuthError('credentials_invalid', { message: 'Invalid credentials' })
  }
  // Fresh, because the user has just entered a password. A refresh token is never fresh.
  const { access_token, refresh_token } = await auth.createTokenPair(username, { fresh: true })
  return c.json({ access_token, refresh_token }, 200, NO_STORE)
})

app.post('/refresh', guard.refresh(), async (c) => {
  // Not fresh, because no password was entered. `fresh: false` is the default.
  const access_token = await auth.createAccessToken(c.var.auth, { fresh: false })
  return c.json({ access_token }, 200, NO_STORE)
})

app.get('/protected', guard.access(), (c) => c.json({ message: 'You have access' }))

app.post('/change-password', guard.fresh(), (c) => c.json({ message: 'Password changed' }))

serve(app.fetch)
