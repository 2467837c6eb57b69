/**
 * Login by a link in a mail. The link opens a page, and its button redeems the token: scanners of
 * mail open links, but press no button. The token is in the fragment, which no server logs.
 *
 *     npm run example -- magic-link
 *
 *     curl -X POST --json '{"email":"test@example.com"}' http://localhost:8000/login-link
 *     # Open the link that the program prints, or:
 *     curl -X POST --json '{"token":"'$LINK_TOKEN'"}' http://localhost:8000/auth/login
 */
import { Hono } from 'hono'
import { createAuth, isAuthError } from 'tokenwright'
import { guards } from 'tokenwright/hono'
import { authRoutes } from 'tokenwright/routes'
import { memoryStore } from 'tokenwright/stores/memory'
import { NO_STORE, readTexts, toErrorResponse } from './shared/responses.ts'
import { secretOfThisRun, serve } from './shared/serve.ts'

/** The users by address. A real application also limits how many mails an address gets. */
const USERS = new Map([['test@example.com', 'user-1']])

const auth = createAuth({
  secret: secretOfThisRun(),
  locations: ['header', 'cookie'],
  sessions: { store: memoryStore() },
})
const guard = guards(auth)
const app = new Hono()
app.onError(toErrorResponse)

const routes = authRoutes(auth, {
  delivery: 'body',
  async verifyCredentials({ token }) {
    try {
      const { subject } = await auth.oneTime.redeem('magic-link', typeof token === 'string' ? token : '')
      return { subject, amr: ['email'] }
    } catch (error) {
      // Used, too old or forged: the link is wrong. Anything else is no fault of the link.
      if (isAuthError(error) && error.status === 401) return null
      throw error
    }
  },
})

app.post('/login-link', async (c) => {
  const { email } = await readTexts(c.req.raw, 'email')
  const subject = USERS.get(email)
  if (subject !== undefined) {
    const token = await auth.oneTime.create('magic-link', subject, { expiresIn: '15m' })
    console.log(`Mail to ${email}: ${new URL('/link', c.req.url)}#${token}`)
  }
  // The same response for an unknown address, so that no one learns who has an account.
  return c.json({ message: 'If the address is known, a mail is on its way' }, 202, NO_STORE)
})

app.get('/link', (c) =>
  c.html(`<!doctype html><title>Sign in</title>
<button>Sign in</button><p role="status"></p>
<script type="module">
  document.querySelector('button').onclick = async () => {
    const body = JSON.stringify({ token: location.hash.slice(1), delivery: 'cookie' })
    const headers = { 'Content-Type': 'application/json' }
    const { ok } = await fetch('/auth/login', { method: 'POST', headers, body })
    if (ok) location.replace('/protected')
    else document.querySelector('p').textContent = 'The link was used, or is too old. Ask for another.'
  }
</script>`),
)

app.all('/auth/*', (c) => routes(c.req.raw, c.env))
app.get('/protected', guard.access(), (c) => c.json({ sub: c.var.auth.sub, amr: c.var.auth.amr }))

serve(app.fetch)
