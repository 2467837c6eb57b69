/**
 * Explicit refresh: an access token lasts minutes and a refresh token days. The client exchanges
 * the refresh token for the next access token at one route. The new token has the same subject,
 * scopes and data, but is not fresh. No other route accepts a refresh token.
 *
 *     npm run example -- explicit-refresh
 *
 *     curl -s -X POST --json '{"username":"test", "password":"test"}' http://localhost:8000/login
 *     curl -s --oauth2-bearer $FRESH_TOKEN http://localhost:8000/sensitive_operation
 *     curl -s -X POST --oauth2-bearer $REFRESH_TOKEN http://localhost:8000/refresh
 *     # 401, never a 500:
 *     curl -si --oauth2-bearer $NON_FRESH_TOKEN http://localhost:8000/sensitive_operation
 *     curl -s --oauth2-bearer $NON_FRESH_TOKEN http://localhost:8000/protected
 */
import { Hono } from 'hono'
import { AuthError, createAuth } from 'tokenwright'
import { guards } from 'tokenwright/hono'
import { NO_STORE, readTexts, toErrorResponse } from './shared/responses.ts'
import { secretOfThisRun, serve } from './shared/serve.ts'

const auth = createAuth({
  secret: secretOfThisRun(),
  access: { expiresIn: '15m' }, // These three are the defaults.
  refresh: { expiresIn: '20d' },
  freshness: { window: '15m' },
})
const guard = guards(auth)
const app = new Hono()
app.onError(toErrorResponse)

app.post('/login', async (c) => {
  const { username, password } = await readTexts(c.req.raw, 'username', 'password')
  // A real application compares with a slow hash (argon2id, scrypt) and limits the attempts.
  if (username !== 'test' || password !== 'test') {
    throw new AuthError('credentials_invalid', { message: 'Bad username/password' })
  }
  // `createTokenPair` would create both in one call.
  const access_token = await auth.createAccessToken(username, { fresh: true })
  const refresh_token = await auth.createRefreshToken(username)
  return c.json({ access_token, refresh_token }, 200, NO_STORE)
})

// From a verified payload instead of a username, the new token gets its subject, scopes and data.
app.post('/refresh', guard.refresh(), async (c) =>
  c.json({ access_token: await auth.createAccessToken(c.var.auth) }, 200, NO_STORE),
)

app.get('/protected', guard.access(), (c) => c.json('You have access to this protected resource'))

app.get('/sensitive_operation', guard.fresh(), (c) => c.json('You have access to this sensitive operation'))

serve(app.fetch)
