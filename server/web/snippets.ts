/*
 * The code beside each exchange: what a server and a page need for it. A test compiles each snippet
 * after the setup of its side, so they are true.
 */

/** The code of both sides. */
export interface Snippet {
  readonly server: string
  readonly client: string
}

/** The whole setup, once per application. */
export const SETUP: Snippet = {
  server: dedent(`
      import { Hono } from 'hono'
      import { createAuth } from 'tokenwright'
      import { guards } from 'tokenwright/hono'
      import { authRoutes } from 'tokenwright/routes'
      import { memoryStore } from 'tokenwright/stores/memory'

      const auth = createAuth({ sessions: { store: memoryStore() } })
      const routes = authRoutes(auth, { verifyCredentials: findUser })
      const guard = guards(auth)

      const app = new Hono()
      app.all('/auth/*', (c) => routes(c.req.raw))
      app.get('/me', guard.access(), (c) => c.json({ name: c.var.auth.sub }))
      export default app
    `),
  client: dedent(`
      import { createAuthClient } from 'tokenwright/client'

      const auth = createAuthClient({
        // A route wants the password again: ask, and the call goes on.
        onStepUp: async () => {
          const password = prompt('Your password, please')
          if (password === null) return false
          await auth.stepUp(password)
        },
        onSignedOut: () => location.assign('/login'),
      })

      await auth.login({ username: 'test', password: 'test' })
      const me = await auth.fetch('/me')
    `),
}

/** One exchange each, by path. */
export const SNIPPETS = {
  '/auth/login': {
    server: dedent(`
      // Login, refresh, step-up, logout and the list of devices.
      // findUser is yours: it checks the password.
      const routes = authRoutes(auth, { verifyCredentials: findUser })
      app.all('/auth/*', (c) => routes(c.req.raw))
    `),
    client: dedent(`
      // The tokens arrive in cookies that no script can read.
      await auth.login({ username: 'test', password: 'test' })
    `),
  },
  '/protected': {
    server: dedent(`
      // Any valid access token will do.
      app.get('/protected', guard.access(), (c) =>
        c.json({ message: 'You have access' }),
      )
    `),
    client: dedent(`
      // Like fetch. If the token is about to end,
      // it gets a new one first.
      const response = await auth.fetch('/protected')
      console.log(await response.json())
    `),
  },
  '/sensitive_operation': {
    server: dedent(`
      // The password was typed a short time ago.
      app.get('/sensitive_operation', guard.fresh(), (c) =>
        c.json({ message: 'You have access to this sensitive operation' }),
      )
    `),
    client: dedent(`
      // Asks for the password if the server wants it,
      // then sends the request again.
      const response = await auth.fetch('/sensitive_operation')
    `),
  },
  '/admin': {
    server: dedent(`
      // The token lists what its user may do.
      app.get('/admin', guard.scopes('admin:*'), (c) =>
        c.json({ message: 'You have administrator access' }),
      )
    `),
    client: dedent(`
      const response = await auth.fetch('/admin')
      if (response.status === 403) console.log('Not for this user')
    `),
  },
  '/auth/refresh': {
    server: dedent(`
      // How long tokens live. This page uses 15 seconds.
      const auth = createAuth({
        access: { expiresIn: '15m' },
        refresh: { expiresIn: '20d' },
        sessions: { store: memoryStore() },
      })
    `),
    client: dedent(`
      // You rarely call this: fetch refreshes in time,
      // once for all requests and all tabs.
      await auth.refresh()
    `),
  },
  '/change-password': {
    server: dedent(`
      const recent = guard.token({ fresh: true, maxAge: '1m' })
      app.post('/change-password', recent, async (c) => {
        const { sub, sid = null } = c.var.auth
        await savePassword(sub, await c.req.json())
        // Signs out whoever used the old password.
        await auth.sessions.endAll(sub, { except: sid })
        return c.json({ message: 'Password changed' })
      })
    `),
    client: dedent(`
      await auth.fetch('/change-password', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ new_password: 'correct horse' }),
      })
    `),
  },
  '/auth/logout': {
    server: dedent(`
      // The tokens stop working at once, on every server.
      const auth = createAuth({
        sessions: { store: memoryStore() },
        on: { ended: ({ sub }) => console.log(sub, 'signed out') },
      })
    `),
    client: dedent(`
      // Signs out here, in all tabs, and at the server.
      await auth.logout()
    `),
  },
} as const satisfies Readonly<Record<string, Snippet>>

/** The code of the demos. */
export const DEMOS = {
  tabs: {
    server: dedent(`
      // Each use replaces the refresh token. The one before
      // works for a moment: a response may get lost.
      const auth = createAuth({
        sessions: { store: memoryStore(), overlap: '30s' },
      })
    `),
    client: dedent(`
      // Nothing to configure: tabs agree through Web Locks
      // and share what one of them got.
      const auth = createAuthClient()
      const response = await auth.fetch('/protected')
    `),
  },
  theft: {
    server: dedent(`
      const auth = createAuth({
        sessions: { store: memoryStore() },
        // An old token came back, and the session is over.
        on: { reused: ({ sub, sid }) => warnUser(sub, sid) },
      })
    `),
    client: dedent(`
      // Tells why the session is over, in every tab.
      const auth = createAuthClient({
        onSignedOut: (why) => location.assign(\`/login?why=\${why}\`),
      })
    `),
  },
} as const satisfies Readonly<Record<string, Snippet>>

/** Removes the indentation that the text has in this file. */
function dedent(text: string): string {
  return text.replaceAll(/^ {6}/gm, '').trim()
}
