/**
 * "Log in with ...": an OpenID Connect provider says who the user is (`openid-client`). The time of
 * that authentication is kept, so a login of an hour ago at the provider is not fresh here. A
 * step-up sends the user to the provider again, and continues the same session. A page does that in
 * a second window, so that the call that was refused waits and goes on.
 *
 *     OIDC_ISSUER=https://idp.example.com OIDC_CLIENT_ID=app OIDC_CLIENT_SECRET=... \
 *       npm run example -- oidc
 *
 * The provider must know the redirect URI `http://localhost:8000/callback`.
 */
import { Hono } from 'hono'
import { getCookie } from 'hono/cookie'
import * as oidc from 'openid-client'
import { AuthError, createAuth, isAuthError } from 'tokenwright'
import { guards } from 'tokenwright/hono'
import { authRoutes } from 'tokenwright/routes'
import { memoryStore } from 'tokenwright/stores/memory'
import { serveClientModule } from './shared/client-module.ts'
import { toErrorResponse } from './shared/responses.ts'
import { secretOfThisRun, serve } from './shared/serve.ts'

const {
  OIDC_ISSUER = 'http://localhost:9000',
  OIDC_CLIENT_ID = 'app',
  OIDC_CLIENT_SECRET = 'app-secret',
} = process.env

const auth = createAuth({
  secret: secretOfThisRun(),
  locations: ['cookie'],
  sessions: { store: memoryStore() },
})
const guard = guards(auth, { errors: 'throw' })
const app = new Hono()

let provider: Promise<oidc.Configuration> | undefined

/** What the provider says of itself, asked for once. A failure is not kept. */
function findProvider(): Promise<oidc.Configuration> {
  // Plain HTTP is for the example only.
  const execute = OIDC_ISSUER.startsWith('http:') ? [oidc.allowInsecureRequests] : []
  const options = { execute, [oidc.customFetch]: askProvider }
  provider ??= oidc
    .discovery(new URL(OIDC_ISSUER), OIDC_CLIENT_ID, OIDC_CLIENT_SECRET, undefined, options)
    .catch((error) => {
      provider = undefined
      throw findOutage(error) ?? error
    })
  return provider
}

/** Sends a request to the provider. One that is down is an outage, not a wrong proof. */
async function askProvider(url: string, init: oidc.CustomFetchOptions): Promise<Response> {
  const response = await fetch(url, { ...init, body: init.body ?? null }).catch((cause) => {
    throw new AuthError('store_unavailable', { cause })
  })
  if (response.status >= 500) throw new AuthError('store_unavailable')
  return response
}

/** The outage behind an error of `openid-client`, which wraps it. */
function findOutage(error: Error): AuthError | undefined {
  return [error, error.cause].find(isAuthError)
}

/** Sends the browser to the provider. What the callback needs is in a one-time token of its own. */
async function redirectToProvider(
  request: Request,
  parameters: Record<string, string>,
  to = '/',
): Promise<Response> {
  const data = {
    verifier: oidc.randomPKCECodeVerifier(),
    state: oidc.randomState(),
    nonce: oidc.randomNonce(),
    purpose: parameters['prompt'] === undefined ? 'login' : 'step-up',
    startedAt: Math.floor(auth.now()),
    to,
  }
  const url = oidc.buildAuthorizationUrl(await findProvider(), {
    redirect_uri: new URL('/callback', request.url).href,
    scope: 'openid',
    code_challenge: await oidc.calculatePKCECodeChallenge(data.verifier),
    code_challenge_method: 'S256',
    state: data.state,
    nonce: data.nonce,
    ...parameters,
  })
  const token = await auth.oneTime.create('oidc', 'anyone', { expiresIn: '10m', data })
  const cookie = `oidc=${token}; Path=/callback; Max-Age=600; HttpOnly; Secure; SameSite=Lax`
  return redirect(url.href, [cookie])
}

function redirect(to: string, cookies: readonly string[] = []): Response {
  const headers = new Headers({ Location: to, 'Cache-Control': 'no-store' })
  for (const line of cookies) headers.append('Set-Cookie', line)
  return new Response(null, { status: 303, headers })
}

// With `max_age` the provider says when the user authenticated.
app.get('/login', (c) => redirectToProvider(c.req.raw, { max_age: '86400' }))
app.get('/step-up', guard.access(), (c) => {
  const acr = c.req.query('acr')
  const parameters = { prompt: 'login', max_age: '0', ...(acr && { acr_values: acr }) }
  return redirectToProvider(c.req.raw, parameters, c.req.query('window') ? '/done' : '/')
})

app.get('/callback', async (c) => {
  const { data = {} } = await auth.oneTime.redeem('oidc', getCookie(c, 'oidc') ?? '')
  const checks = {
    pkceCodeVerifier: String(data['verifier']),
    expectedState: String(data['state']),
    expectedNonce: String(data['nonce']),
    idTokenExpected: true,
  }
  const tokens = await oidc
    .authorizationCodeGrant(await findProvider(), new URL(c.req.url), checks)
    .catch((cause) => {
      throw findOutage(cause) ?? new AuthError('credentials_invalid', { cause })
    })
  const claims = tokens.claims()
  if (claims === undefined || typeof claims.auth_time !== 'number') throw new AuthError('credentials_invalid')
  const amr = Array.isArray(claims['amr']) ? claims['amr'].map(String) : ['fed']
  const proof = { amr, ...(typeof claims['acr'] === 'string' && { acr: claims['acr'] }) }
  if (data['purpose'] === 'login') {
    const login = { ...proof, fresh: true, authTime: Math.min(claims.auth_time, auth.now()) }
    return redirect(String(data['to']), auth.cookies(await auth.createTokenPair(claims.sub, login)))
  }
  const payload = await auth.authenticate(c.req.raw)
  const isSame = claims.sub === payload.sub && claims.auth_time >= Number(data['startedAt'])
  const pair = await auth.sessions.stepUp(payload, async () => (isSame ? proof : null))
  return redirect(String(data['to']), auth.cookies(pair))
})

app.get('/', guard.access(), (c) => {
  const { sub, sid, amr, acr, auth_time, csrf } = c.var.auth
  return c.json({ sub, sid, amr, acr, auth_time, csrf })
})
app.post('/delete-account', guard.fresh(), (c) => c.json({ message: 'It was an example: nothing is gone' }))

// Refresh, logout and the session. No one logs in here with credentials.
const routes = authRoutes(auth, { verifyCredentials: () => null })
app.all('/auth/*', (c) => routes(c.req.raw, c.env))
serveClientModule(app)

app.get('/page', (c) =>
  c.html(`<!doctype html><title>Log in with ...</title><link rel="icon" href="data:,">
<a href="/login">Log in</a>
<button id="delete">Delete the account</button>
<button id="refresh">Refresh the tokens</button>
<p role="status"></p>
<script type="module">
  import { createAuthClient } from '/modules/client.js'

  // A sensitive call waits until the provider has sent the second window back.
  const auth = createAuthClient({
    onStepUp: ({ signal }) =>
      new Promise((resolve) => {
        const channel = new BroadcastChannel('step-up')
        channel.onmessage = resolve
        signal.addEventListener('abort', () => channel.close())
        open('/step-up?window=1', 'step-up', 'popup')
      }),
  })
  const remove = async () => (await (await auth.fetch('/delete-account', { method: 'POST' })).json()).message
  const actions = { delete: remove, refresh: () => auth.refresh() }
  const status = document.querySelector('p')
  for (const [id, run] of Object.entries(actions)) {
    document.getElementById(id).onclick = async () => {
      status.textContent = '...'
      status.textContent = (await run().catch((error) => 'Failed: ' + error.message)) ?? auth.state.status
    }
  }
</script>`),
)
app.get('/done', (c) =>
  c.html(`<!doctype html><title>Done</title><script>
  new BroadcastChannel('step-up').postMessage('done')
  close()
</script>`),
)

/** A page leads to what helps; a call of a script gets the refusal. */
app.onError((error, c) => {
  if (!isAuthError(error)) return toErrorResponse(error)
  if (c.req.method === 'GET' && error.status === 401 && c.req.path !== '/callback')
    return redirect(error.code === 'fresh_token_required' ? '/step-up' : '/login')
  const { status, headers, body } = auth.errorResponse(error)
  return new Response(body, { status, headers })
})

serve(app.fetch)
