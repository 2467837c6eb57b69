/**
 * Passkeys: login and step-up without a password, with `@simplewebauthn`. The challenge is a
 * one-time token, so that no session has to exist before the login, and each is good for one use.
 *
 *     npm run example -- passkey
 *
 * Open http://localhost:8000, sign in as `test` with the password `test`, and add a passkey.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import {
  type AuthenticationResponseJSON,
  generateAuthenticationOptions,
  generateRegistrationOptions,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
  type WebAuthnCredential,
} from '@simplewebauthn/server'
import { Hono } from 'hono'
import { AuthError, createAuth, isAuthError } from 'tokenwright'
import { guards } from 'tokenwright/hono'
import { authRoutes } from 'tokenwright/routes'
import { memoryStore } from 'tokenwright/stores/memory'
import { serveClientModule } from './shared/client-module.ts'
import { NO_STORE, readObject, toErrorResponse } from './shared/responses.ts'
import { secretOfThisRun, serve } from './shared/serve.ts'

/** The domain of the passkeys. A real application writes its origin down, too. */
const RP_ID = 'localhost'
const originOf = (request: Request): string => new URL(request.url).origin

/** The passkeys by their identifier. A real application keeps them in its database. */
const passkeys = new Map<string, { readonly subject: string; credential: WebAuthnCredential }>()

const auth = createAuth({
  secret: secretOfThisRun(),
  locations: ['cookie'],
  sessions: { store: memoryStore() },
})
const guard = guards(auth)
const app = new Hono()
app.onError(toErrorResponse)

/** The challenge that a token holds. Rejects for one that was used, is too old, or holds none. */
async function redeemChallenge(purpose: string, token: unknown) {
  const { subject, data } = await auth.oneTime.redeem(purpose, typeof token === 'string' ? token : '')
  return { subject, expectedChallenge: String(data?.['challenge']) }
}

/** Whose passkey a response is from; null where it proves nothing. */
async function findOwner(request: Request, passkey: unknown, challenge: unknown): Promise<string | null> {
  const response = passkey as AuthenticationResponseJSON
  const known = passkeys.get(response?.id)
  if (known === undefined) return null
  try {
    const { expectedChallenge } = await redeemChallenge('passkey', challenge)
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response,
      expectedChallenge,
      expectedOrigin: originOf(request),
      expectedRPID: RP_ID,
      credential: known.credential,
    })
    known.credential = { ...known.credential, counter: authenticationInfo.newCounter }
    return verified ? known.subject : null
  } catch (error) {
    // The library throws for what it does not accept. An outage of the store is no wrong passkey.
    if (isAuthError(error) && error.status === 503) throw error
    return null
  }
}

/** User verification by the device: two factors (RFC 8176). */
const AMR = ['hwk', 'user', 'mfa']

const routes = authRoutes(auth, {
  async verifyCredentials({ username, password, passkey, challenge }, { request }) {
    if (passkey === undefined)
      return username === 'test' && password === 'test' ? { subject: 'user-1', amr: ['pwd'] } : null
    const subject = await findOwner(request, passkey, challenge)
    return subject === null ? null : { subject, amr: AMR }
  },
  async verifyStepUp({ passkey, challenge }, { request, payload }) {
    return (await findOwner(request, passkey, challenge)) === payload.sub ? { amr: AMR } : null
  },
})

app.post('/passkeys/challenge', async (c) => {
  const options = await generateAuthenticationOptions({ rpID: RP_ID, userVerification: 'required' })
  const data = { challenge: options.challenge }
  const challenge = await auth.oneTime.create('passkey', 'anyone', { expiresIn: '5m', data })
  return c.json({ options, challenge }, 200, NO_STORE)
})

// A new passkey is a new way in: only who has just signed in may add one.
app.post('/passkeys/options', guard.fresh(), async (c) => {
  const { sub } = c.var.auth
  const options = await generateRegistrationOptions({
    rpName: 'Tokenwright example',
    rpID: RP_ID,
    userName: sub,
    userID: new TextEncoder().encode(sub),
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
  })
  const data = { challenge: options.challenge }
  const challenge = await auth.oneTime.create('add-passkey', sub, { expiresIn: '5m', data })
  return c.json({ options, challenge }, 200, NO_STORE)
})

app.post('/passkeys', guard.fresh(), async (c) => {
  const { sub } = c.var.auth
  const { passkey, challenge } = await readObject(c.req.raw)
  const { subject, expectedChallenge } = await redeemChallenge('add-passkey', challenge)
  if (subject !== sub) throw new AuthError('subject_mismatch')
  const { verified, registrationInfo } = await verifyRegistrationResponse({
    response: passkey as RegistrationResponseJSON,
    expectedChallenge,
    expectedOrigin: originOf(c.req.raw),
    expectedRPID: RP_ID,
  }).catch(() => ({ verified: false, registrationInfo: undefined }))
  if (!verified || registrationInfo === undefined) throw new AuthError('request_invalid')
  const { credential } = registrationInfo
  passkeys.set(credential.id, { subject: sub, credential })
  return c.json({ message: 'Passkey added' }, 200, NO_STORE)
})

app.all('/auth/*', (c) => routes(c.req.raw, c.env))
app.post('/delete-account', guard.fresh(), (c) => c.json({ message: 'It was an example: nothing is gone' }))

serveClientModule(app)
/** The browser's half of the passkeys. */
const passkeyClient = createRequire(import.meta.url).resolve('@simplewebauthn/browser')
app.get('/webauthn.js', (c) =>
  c.body(
    readFileSync(passkeyClient.replace(/script.index\.js$/, 'dist/bundle/index.umd.min.js'), 'utf8'),
    200,
    { 'Content-Type': 'text/javascript' },
  ),
)
app.get('/', (c) =>
  c.html(`<!doctype html><title>Passkeys</title><link rel="icon" href="data:,">
<button id="password">Sign in with the password</button>
<button id="add">Add a passkey</button>
<button id="passkey">Sign in with a passkey</button>
<button id="delete">Delete the account</button>
<button id="refresh">Refresh the tokens</button>
<button id="out">Sign out</button>
<p role="status"></p>
<script src="/webauthn.js"></script>
<script type="module">
  import { createAuthClient } from '/modules/client.js'
  const { startAuthentication, startRegistration } = SimpleWebAuthnBrowser

  const send = async (path, body) => {
    const init = { method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }
    const response = await auth.fetch(path, init)
    const result = await response.json()
    if (!response.ok) throw new Error(result.message)
    return result
  }
  const askForPasskey = async () => {
    const { options, challenge } = await (await fetch('/passkeys/challenge', { method: 'POST' })).json()
    return { passkey: await startAuthentication({ optionsJSON: options }), challenge }
  }
  // A sensitive call waits for this, and then goes on.
  const auth = createAuthClient({ onStepUp: async () => auth.stepUp(await askForPasskey()) })

  const actions = {
    password: async () => void (await auth.login({ username: 'test', password: 'test' })),
    passkey: async () => void (await auth.login(await askForPasskey())),
    add: async () => {
      const { options, challenge } = await send('/passkeys/options', {})
      const passkey = await startRegistration({ optionsJSON: options })
      return (await send('/passkeys', { passkey, challenge })).message
    },
    delete: async () => (await send('/delete-account', {})).message,
    refresh: () => auth.refresh(),
    out: () => auth.logout(),
  }
  const status = document.querySelector('p')
  for (const [id, run] of Object.entries(actions)) {
    document.getElementById(id).onclick = async () => {
      status.textContent = '...'
      const text = await run().catch((error) => 'Failed: ' + error.message)
      status.textContent = typeof text === 'string' ? text : auth.state.status
    }
  }
</script>`),
)

serve(app.fetch)
