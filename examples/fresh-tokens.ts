/**
 * Fresh tokens: a token is fresh only after the user has entered a password. Regular routes accept
 * any access token, sensitive routes only a fresh one. A refreshed token is not fresh.
 *
 *     npm run example -- fresh-tokens
 *
 *     # {"access_token":"...","refresh_token":"..."}:
 *     curl -X POST --json '{"username":"test", "password":"test"}' http://localhost:8000/login
 *     # Password changed:
 *     curl -X POST --oauth2-bearer $FRESH_TOKEN http://localhost:8000/change-password
 *     # {"access_token":"..."}:
 *     curl -X POST --oauth2-bearer $REFRESH_TOKEN http://localhost:8000/refresh
 *     # 401:
 *     curl -i -X POST --oauth2-bearer $NON_FRESH_TOKEN http://localhost:8000/change-password
 *     # You have access:
 *     curl --oauth2-bearer $NON_FRESH_TOKEN http://localhost:8000/protected
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
