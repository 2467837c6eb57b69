/**
 * Step-up: a signed-in user enters the password again and gets a fresh token for a sensitive
 * operation. There is no refresh token. An access token gets the next one, for up to twelve hours
 * after the password was entered.
 *
 *     npm run example -- verify-password
 *
 *     curl -X POST --json '{"username":"user1", "password":"password1"}' \
 *       http://localhost:8000/login
 *     # The next one, not fresh:
 *     curl -X POST --oauth2-bearer $TOKEN http://localhost:8000/refresh
 *     # 401:
 *     curl -i -X POST --oauth2-bearer $TOKEN http://localhost:8000/account/change-password
 *     # A fresh one:
 *     curl -X POST --oauth2-bearer $TOKEN --json '{"username":"user1", "password":"password1"}' \
 *       http://localhost:8000/auth/verify-password
 *     # Password changed:
 *     curl -X POST --oauth2-bearer $FRESH_TOKEN http://localhost:8000/account/change-password
 */
import { Hono } from 'hono'
import { AuthError, createAuth } from 'tokenwright'
import { guards } from 'tokenwright/hono'
import { NO_STORE, readTexts, toErrorResponse } from './shared/responses.ts'
import { secretOfThisRun, serve } from './shared/serve.ts'

/**
 * Plain-text passwords, only in this example. A real application stores slow hashes (argon2id,
 * scrypt) and limits the attempts.
 */
const PASSWORDS = new Map([
  ['user1', 'password1'],
  ['user2', 'password2'],
])

const auth = createAuth({ secret: secretOfThisRun() })
const guard = guards(auth)
const app = new Hono()
app.onError(toErrorResponse)

app.post('/login', async (c) => {
  const { username, password } = await readTexts(c.req.raw, 'username', 'password')
  if (PASSWORDS.get(username) !== password) throw new AuthError('credentials_invalid')
  const access_token = await auth.createAccessToken(username, { fresh: true })
  return c.json({ access_token, token_type: 'bearer' }, 200, NO_STORE)
})

app.get('/protected', guard.access(), (c) =>
  c.json({ message: 'You have access', username: c.var.auth.sub, fresh: c.var.auth.fresh }),
)

app.post('/account/change-password', guard.fresh(), (c) =>
  c.json({ message: 'Password changed', username: c.var.auth.sub }),
)

// `maxAge` counts from when the password was entered. Renewing does not change that time, so a
// stolen token cannot be renewed forever.
app.post('/refresh', guard.token({ maxAge: '12h' }), async (c) => {
  const access_token = await auth.createAccessToken(c.var.auth)
  return c.json({ access_token, token_type: 'bearer' }, 200, NO_STORE)
})

app.post('/auth/verify-password', guard.access(), async (c) => {
  const { username, password } = await readTexts(c.req.raw, 'username', 'password')
  // Refuses the name of another user before checking a password.
  if (username !== c.var.auth.sub) throw new AuthError('subject_mismatch')
  if (PASSWORDS.get(username) !== password) {
    throw new AuthError('credentials_invalid', { message: 'Invalid password' })
  }
  const access_token = await auth.createAccessToken(c.var.auth, { fresh: true })
  return c.json({ access_token, token_type: 'bearer', fresh: true }, 200, NO_STORE)
})

serve(app.fetch)
