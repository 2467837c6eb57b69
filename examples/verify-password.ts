/**
 * Step-up: a user who is logged in gives the password once more and gets a fresh token for one
 * sensitive operation. There is no refresh token: an access token renews itself, but only within
 * twelve hours of the last password.
 *
 *     npm run example -- verify-password
 *
 *     curl -X POST --json '{"username":"user1", "password":"password1"}' http://localhost:8000/login
 *     curl -X POST --oauth2-bearer $TOKEN http://localhost:8000/refresh                          # the next one, not fresh
 *     curl -i -X POST --oauth2-bearer $TOKEN http://localhost:8000/account/change-password       # 401
 *     curl -X POST --oauth2-bearer $TOKEN --json '{"username":"user1", "password":"password1"}' \
 *       http://localhost:8000/auth/verify-password                                               # a fresh one
 *     curl -X POST --oauth2-bearer $FRESH_TOKEN http://localhost:8000/account/change-password    # Password changed
 */
import { Hono } from 'hono'
import { AuthError, createAuth } from 'tokenwright'
import { guards } from 'tokenwright/hono'
import { NO_STORE, readTexts, toErrorResponse } from './surroundings/responses.ts'
import { secretOfThisRun, serve } from './surroundings/serve.ts'

/**
 * Passwords in the clear, for the example. A real application keeps slow hashes (argon2id, scrypt)
 * and limits attempts.
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

// `maxAge` looks at when the password was given, which every renewal keeps: a stolen token
// cannot renew itself forever.
app.post('/refresh', guard.token({ maxAge: '12h' }), async (c) => {
  const access_token = await auth.createAccessToken(c.var.auth)
  return c.json({ access_token, token_type: 'bearer' }, 200, NO_STORE)
})

app.post('/auth/verify-password', guard.access(), async (c) => {
  const { username, password } = await readTexts(c.req.raw, 'username', 'password')
  // The name of another user is refused before any password is looked at.
  if (username !== c.var.auth.sub) throw new AuthError('subject_mismatch')
  if (PASSWORDS.get(username) !== password) {
    throw new AuthError('credentials_invalid', { message: 'Invalid password' })
  }
  const access_token = await auth.createAccessToken(c.var.auth, { fresh: true })
  return c.json({ access_token, token_type: 'bearer', fresh: true }, 200, NO_STORE)
})

serve(app.fetch)
