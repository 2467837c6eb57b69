/**
 * Token payloads: what a token can contain, and what a verified payload offers. It prints and
 * exits, without a server.
 *
 *     npm run example -- token-payload
 */
import { createAuth } from 'tokenwright'
import { secretOfThisRun } from './shared/serve.ts'

const auth = createAuth({
  secret: secretOfThisRun(),
  access: { expiresIn: { minutes: 15 } }, // These are the defaults.
  refresh: { expiresIn: { days: 20 } },
})

// Custom expiration: a duration or a date. The sooner a token expires, the less a stolen one is
// worth.
const anHour = await auth.createAccessToken('user123', { expiresIn: { hours: 1 } })
console.log(`Lives ${Math.round((await auth.verifyToken(anHour)).timeUntilExpiry / 60)} minutes`)
// Or `new Date('2026-12-31T23:59:59Z')`. A date in the past is an error.
const inAMonth = new Date(Date.now() + 30 * 86_400_000)
const aMonth = await auth.createAccessToken('user123', { expiresAt: inAMonth })
console.log(`Lives until ${(await auth.verifyToken(aMonth)).expiresAt.toISOString()}`)

// A refresh token must be verified as such. Everything else refuses it.
const refreshToken = await auth.createRefreshToken('user123')
console.log(`Type: ${(await auth.verifyToken(refreshToken, { type: 'refresh' })).type}`)

// Freshness: a token is fresh after the login, and not after a refresh.
const fresh = await auth.verifyToken(await auth.createAccessToken('user123', { fresh: true }))
const refreshed = await auth.verifyToken(await auth.createAccessToken('user123', { fresh: false }))
console.log(`Fresh after the login: ${fresh.fresh}; after a refresh: ${refreshed.fresh}`)

// The members of a payload: the registered claims, then those of Tokenwright. A claim that the
// token does not have is undefined.
const { sub, jti, iat, exp, nbf, iss, aud, type, csrf, scopes } = fresh
console.log('Payload:', { sub, jti, iat, exp, nbf, iss, aud, type, fresh: fresh.fresh, csrf, scopes })

// Custom data is available without a database. It should be small and must not be secret: a token
// is signed, not encrypted.
const data = { email: 'user@example.com', role: 'admin', department: 'engineering' }
const withData = await auth.verifyToken(await auth.createAccessToken('user123', { data }))
console.log(`Custom data: ${withData.data['email']}`)

// Expiration.
console.log(`Token expires in ${fresh.timeUntilExpiry} seconds`)
console.log(`Token was issued ${fresh.timeSinceIssued} seconds ago`)
console.log(`Token expires at ${fresh.expiresAt.toISOString()}`)

// Scopes: all of these, or any of these with `all: false`. `admin:*` includes `admin:users`.
const granted = ['users:read', 'posts:write', 'admin:*']
const scoped = await auth.verifyToken(await auth.createAccessToken('user123', { scopes: granted }))
if (scoped.hasScopes('users:read')) console.log('Can read users')
if (scoped.hasScopes('users:read', 'users:write')) console.log('Can read and write users')
if (scoped.hasScopes('admin:users', 'admin:settings', { all: false })) {
  console.log('Has at least one admin scope')
}
