/**
 * A second factor: the password, then a code of an authenticator application (TOTP, RFC 6238) or
 * one of the recovery codes. A code alone is enough to step up. The key and the codes are printed
 * at the start; a real application shows them once, when the user switches the second factor on.
 *
 *     npm run example -- totp
 *
 *     # 401 proof_required, with a continuation:
 *     curl -i -X POST --json '{"username":"test", "password":"test"}' \
 *       http://localhost:8000/auth/login
 *     curl -X POST --json '{"code":"'$CODE'", "continuation":"'$CONTINUATION'"}' \
 *       http://localhost:8000/auth/login
 *     curl -X POST --oauth2-bearer $TOKEN --json '{"code":"'$NEXT_CODE'"}' \
 *       http://localhost:8000/auth/step-up
 *     curl -X POST --oauth2-bearer $FRESH_TOKEN http://localhost:8000/change-password
 */
import { createHash, randomBytes } from 'node:crypto'
import { Hono } from 'hono'
import { Secret, TOTP } from 'otpauth'
import { createAuth } from 'tokenwright'
import { guards } from 'tokenwright/hono'
import { authRoutes } from 'tokenwright/routes'
import { memoryStore } from 'tokenwright/stores/memory'
import { secretOfThisRun, serve } from './shared/serve.ts'

/** The second factor of the only user. A real application keeps it in its database. */
const factor = {
  totp: new TOTP({ issuer: 'Tokenwright example', label: 'test', secret: new Secret() }),
  /** The period of the last code that was used: each code is good for one use. */
  lastPeriod: 0,
  /** Hashes of the recovery codes that were not used. */
  recovery: new Set<string>(),
}
const recoveryCodes = Array.from({ length: 3 }, () => randomBytes(10).toString('hex'))
for (const code of recoveryCodes) factor.recovery.add(hash(code))

/**
 * Uses up a code. With several processes, compare and write the last period in one statement of
 * your database.
 */
function useCode(code: unknown): readonly string[] | null {
  if (typeof code !== 'string') return null
  const delta = factor.totp.validate({ token: code, window: 1 })
  if (delta === null) return factor.recovery.delete(hash(code)) ? ['mfa'] : null
  const period = factor.totp.counter() + delta
  if (period <= factor.lastPeriod) return null
  factor.lastPeriod = period
  return ['otp', 'mfa']
}

function hash(code: string): string {
  return createHash('sha256').update(code).digest('hex')
}

const auth = createAuth({ secret: secretOfThisRun(), sessions: { store: memoryStore() } })
const guard = guards(auth)
const app = new Hono()

const routes = authRoutes(auth, {
  verifyCredentials({ username, password, code }, { proved }) {
    if (proved === null) {
      if (username !== 'test' || password !== 'test') return null
      return { next: { methods: ['totp', 'recovery-code'] }, subject: 'user-1', amr: ['pwd'] }
    }
    const amr = useCode(code)
    return amr && { subject: proved.subject, amr }
  },
  verifyStepUp({ code }) {
    const amr = useCode(code)
    return amr && { amr }
  },
})

app.all('/auth/*', (c) => routes(c.req.raw, c.env))
app.get('/protected', guard.access(), (c) => c.json({ sub: c.var.auth.sub, amr: c.var.auth.amr }))
app.post('/change-password', guard.fresh(), (c) => c.json({ message: 'Password changed' }))

console.log(`Key for your authenticator application: ${factor.totp}`)
console.log(`Recovery codes: ${recoveryCodes.join(' ')}`)
serve(app.fetch)
