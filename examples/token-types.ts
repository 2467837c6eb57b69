/**
 * Token types: routes accept an access token, which lasts minutes. A refresh token lasts days and
 * gets the next access token. Neither is accepted as the other. First prints the output of
 * `token-payload.ts`.
 *
 *     npm run example -- token-types
 *
 *     curl -X POST --json '{"username":"test", "password":"test"}' http://localhost:8000/auth/login
 *     curl --oauth2-bearer $ACCESS_TOKEN http://localhost:8000/api/profile
 *     curl -X POST --oauth2-bearer $REFRESH_TOKEN http://localhost:8000/auth/refresh
 *     curl -X POST --oauth2-bearer $ACCESS_TOKEN --json '{"new_password":"n"}' \
 *       http://localhost:8000/api/change-password
 *     curl -X POST --oauth2-bearer $ACCESS_TOKEN http://localhost:8000/api/delete-account
 *     curl -X POST --oauth2-bearer $ACCESS_TOKEN http://localhost:8000/api/sensitive-operation
 *     curl -X POST --json '{"scopes":["users:read"], "data":{"role":"admin"}, "expiry":3600}' \
 *       http://localhost:8000/issue
 *     curl --oauth2-bearer $ISSUED_TOKEN http://localhost:8000/introspect
 */
import { Hono } from 'hono'
import { AuthError, createAuth } from 'tokenwright'
import { guards } from 'tokenwright/hono'
import { NO_STORE, readObject, readTexts, toErrorResponse } from './shared/responses.ts'
import { secretOfThisRun, serve } from './shared/serve.ts'
import './token-payload.ts'

const auth = createAuth({ secret: secretOfThisRun() })
const guard = guards(auth)
const app = new Hono()
app.onError(toErrorResponse)

app.post('/auth/login', async (c) => {
  // In the body, because URLs end up in logs and histories.
  const { username, password } = await readTexts(c.req.raw, 'username', 'password')
  // A real application compares with a slow hash (argon2id, scrypt) and limits the attempts.
  if (username !== 'test' || password !== 'test') {
    throw new AuthError('credentials_invalid', { message: 'Invalid credentials' })
  }
  const { access_token, refresh_token } = await auth.createTokenPair('user123', { fresh: true })
  return c.json({ access_token, refresh_token }, 200, NO_STORE)
})

app.post('/auth/refresh', guard.refresh(), async (c) =>
  c.json({ access_token: await auth.createAccessToken(c.var.auth) }, 200, NO_STORE),
)

app.get('/api/profile', guard.access(), (c) => {
  const { sub, scopes } = c.var.auth
  return c.json({ user_id: sub, scopes: scopes.length > 0 ? scopes : null })
})

app.post('/api/change-password', guard.fresh(), async (c) => {
  await readTexts(c.req.raw, 'new_password') // A real application hashes and stores it.
  return c.json({ message: 'Password updated' })
})

app.post('/api/delete-account', guard.fresh(), (c) => c.json({ message: 'Account deleted' }))

// `guard.token` takes any requirement, such as `{ fresh: '5m' }` or
// `{ scopes: ['admin:*'], maxAge: '12h' }`.
app.post('/api/sensitive-operation', guard.token({ fresh: true }), (c) =>
  c.json({ message: 'Operation completed' }),
)

// For experiments only: issues any token. A real application never lets a client choose the content
// of its token.
app.post('/issue', async (c) => {
  const { expiry, ...rest } = await readObject(c.req.raw)
  const life = typeof expiry === 'string' ? { expiresAt: new Date(expiry) } : { expiresIn: expiry as number }
  try {
    const access_token = await auth.createAccessToken('user123', {
      ...rest,
      ...(expiry !== undefined && life),
    })
    return c.json({ access_token }, 200, NO_STORE)
  } catch (error) {
    // Invalid options are a TypeError, because they are usually a mistake in the code. Here they
    // come from the client.
    throw error instanceof TypeError ? new AuthError('request_invalid', { cause: error }) : error
  }
})

app.get('/introspect', guard.access(), (c) => {
  const payload = c.var.auth
  return c.json({
    payload,
    expires_at: payload.expiresAt,
    issued_at: payload.issuedAt,
    time_until_expiry: payload.timeUntilExpiry,
    time_since_issued: payload.timeSinceIssued,
    has_users_read: payload.hasScopes('users:read'),
    has_users_read_and_write: payload.hasScopes('users:read', 'users:write'),
    has_any_admin: payload.hasScopes('admin:users', 'admin:settings', { all: false }),
  })
})

serve(app.fetch)
