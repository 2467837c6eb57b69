/**
 * Forms without a script: login, a form with a CSRF field, the password once more for what is
 * sensitive, and the way back to the page that was asked for. `authRoutes` does the work; the
 * handlers turn its responses into pages and redirects.
 *
 *     npm run example -- forms
 */
import { createServer } from 'node:http'
import { createAuth, isAuthError, type TokenPayload } from 'tokenwright'
import { guards } from 'tokenwright/fetch'
import { toNodeHandler } from 'tokenwright/node'
import { authRoutes } from 'tokenwright/routes'
import { memoryStore } from 'tokenwright/stores/memory'
import { listen, secretOfThisRun } from './shared/serve.ts'
import { verifyCredentials } from './shared/users.ts'

const auth = createAuth({
  secret: secretOfThisRun(),
  locations: ['cookie'],
  sessions: { store: memoryStore() },
})
const guard = guards(auth, { errors: 'throw' })
const routes = authRoutes(auth, { verifyCredentials })

/** A path of this site: no other site, and no form that a browser reads as one. */
function toSafePath(next: string | null): string {
  return next !== null && /^\/(?![/\\])[^\\\s]*$/.test(next) ? next : '/'
}

function render(title: string, body: string, status = 200): Response {
  return new Response(`<!doctype html><title>${title}</title><h1>${title}</h1>${body}`, {
    status,
    headers: { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'private, no-store' },
  })
}

/** Makes a text safe in HTML. */
function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** Sends a form on to a route of `authRoutes`. */
function submit(path: string, request: Request, fields: URLSearchParams): Promise<Response> {
  const headers = new Headers(request.headers)
  headers.delete('content-length')
  return routes(new Request(new URL(path, request.url), { method: 'POST', headers, body: fields }))
}

/** Goes to another page, with the cookies of a response. */
function redirect(to: string, from?: Response): Response {
  const headers = new Headers({ Location: to, 'Cache-Control': 'no-store' })
  for (const line of from?.headers.getSetCookie() ?? []) headers.append('Set-Cookie', line)
  return new Response(null, { status: 303, headers })
}

function renderLogin(next: string, problem = '', status = 200): Response {
  return render(
    'Sign in',
    `<p role="alert">${escapeHtml(problem)}</p><form method="post" action="/login">
<input type="hidden" name="next" value="${escapeHtml(next)}">
<label>Name <input name="username" autocomplete="username" required></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button>Sign in</button></form>`,
    status,
  )
}

async function logIn(request: Request): Promise<Response> {
  const fields = new URLSearchParams(await request.text())
  const next = toSafePath(fields.get('next'))
  fields.delete('next')
  const response = await submit('/auth/login', request, fields)
  if (response.ok) return redirect(next, response)
  return renderLogin(next, await readMessage(response), response.status)
}

/** What a refusal says to a person. */
async function readMessage(response: Response): Promise<string> {
  return ((await response.json()) as { readonly message: string }).message
}

/** The value that every form repeats. */
function csrfField({ csrf = '' }: TokenPayload): string {
  return `<input type="hidden" name="csrf_token" value="${escapeHtml(csrf)}">`
}

function renderConfirm(payload: TokenPayload, next: string, problem = '', status = 200): Response {
  return render(
    'Is it you?',
    `<p role="alert">${escapeHtml(problem)}</p><form method="post" action="/confirm">${csrfField(payload)}
<input type="hidden" name="next" value="${escapeHtml(next)}">
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button>Go on</button></form>`,
    status,
  )
}

/** The password once more: fresh tokens in the same session. */
async function confirm(request: Request, payload: TokenPayload): Promise<Response> {
  const fields = new URLSearchParams(await request.text())
  const next = toSafePath(fields.get('next'))
  fields.delete('next')
  const response = await submit('/auth/step-up', request, fields)
  if (response.ok) return redirect(next, response)
  return renderConfirm(payload, next, await readMessage(response), response.status)
}

const nextOf = (request: Request): string => toSafePath(new URL(request.url).searchParams.get('next'))

const handlers: Readonly<Record<string, (request: Request) => Response | Promise<Response>>> = {
  'GET /login': (request) => renderLogin(nextOf(request)),
  'POST /login': logIn,
  'GET /confirm': guard.access()((request, payload) => renderConfirm(payload, nextOf(request))),
  'POST /confirm': guard.access()(confirm),
  'GET /': guard.access()((_request, payload) =>
    render(
      'Your account',
      `<p>Hello ${escapeHtml(payload.sub)}</p>
<form method="post" action="/delete">${csrfField(payload)}<button>Delete the account</button></form>
<form method="post" action="/logout">${csrfField(payload)}<button>Sign out</button></form>`,
    ),
  ),
  'POST /delete': guard.fresh()(() => render('Deleted', '<p>It was an example: nothing is gone.</p>')),
  async 'POST /logout'(request) {
    const fields = new URLSearchParams(await request.text())
    return redirect('/login', await submit('/auth/logout', request, fields))
  },
}

/** A refusal as a page: it leads to the form that helps, and back. */
async function respond(request: Request): Promise<Response> {
  const { pathname, search } = new URL(request.url)
  const handler = handlers[`${request.method} ${pathname}`]
  if (handler === undefined) return render('Not found', '', 404)
  try {
    return await handler(request)
  } catch (error) {
    if (!isAuthError(error)) throw error
    const next = encodeURIComponent(request.method === 'GET' ? pathname + search : '/')
    if (error.code === 'fresh_token_required') return redirect(`/confirm?next=${next}`)
    if (error.status === 401) return redirect(`/login?next=${next}`)
    return render('That was refused', `<p>${escapeHtml(error.message)}</p>`, error.status)
  }
}

// An access token that has expired is refreshed on the way.
listen(createServer(toNodeHandler(guard.refreshing(respond))))
