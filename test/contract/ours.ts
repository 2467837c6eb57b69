/**
 * The library's own routes for the simulator, over real HTTP: tokens in cookies, as a browser has them, or in the body, where the
 * client stores whatever refresh token an answer brings.
 */

import { type RaceTokens, type RefreshEndpoint, toHttpEndpoint } from 'refresh-races'
import { toNodeHandler } from '../../src/adapters/node.ts'
import { createAuth } from '../../src/index.ts'
import { authRoutes } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { serve } from './designs.ts'

/** What is served, and how to stop. */
export interface Closable {
  readonly endpoint: RefreshEndpoint
  close(): void
}

/** Whether an access token says what only the second password gives. */
function isElevated(access: string): boolean {
  const payload = JSON.parse(Buffer.from(access.split('.')[1] ?? '', 'base64url').toString())
  return payload.amr?.includes('otp') === true
}

/** A browser's way: cookies and the CSRF header. What the jar holds is `refresh csrf`. */
function toCookieEndpoint(url: string): RefreshEndpoint {
  const post = async (
    path: string,
    cookies: Record<string, string>,
    body: object,
  ): Promise<RaceTokens | null> => {
    const cookie = Object.entries(cookies).map((pair) => pair.join('='))
    const headers = { 'Content-Type': 'application/json', Cookie: cookie.join('; ') }
    const csrf = { 'X-CSRF-Token': cookies['csrf_token'] ?? '' }
    const init = { method: 'POST', headers: { ...headers, ...csrf }, body: JSON.stringify(body) }
    const response = await fetch(url + path, init)
    const { expires_in: expiresIn } = (await response.json()) as { expires_in?: number }
    if (response.status === 401 || response.status === 403) return null
    if (!response.ok) throw new Error(`The endpoint answered ${response.status}`)
    const set = new Map(response.headers.getSetCookie().map((line) => line.split(/[=;]/) as [string, string]))
    const [access = '', refresh] = [set.get('access_token'), set.get('refresh_token')]
    return { access, refresh: refresh && `${refresh} ${set.get('csrf_token')}`, expiresIn }
  }
  const toCookies = (jar: string): Record<string, string> => {
    const [refresh_token = '', csrf_token = ''] = jar.split(' ')
    return { refresh_token, csrf_token }
  }
  return {
    async login() {
      const tokens = await post('/login', {}, { username: 'alice', password: 'once' })
      if (tokens === null) throw new Error('The login was refused')
      return tokens
    },
    refresh: (jar) => post('/refresh', toCookies(jar), {}),
    stepUp: (access, jar) =>
      post('/verify-password', { ...toCookies(jar), access_token: access }, { password: 'again' }),
    isElevated,
  }
}

/** Serves the library's routes in the simulator's time. */
export async function serveOurs(clock: () => number, by: 'cookie' | 'body', jitter = 0.1): Promise<Closable> {
  const auth = createAuth({
    secret: 'Hx7cJ1mQz4RvW9bLk2TnY6dSg8PfE3uAo5KiV0rC',
    clock,
    locations: ['cookie', 'header'],
    cookies: { secure: false },
    sessions: { store: memoryStore({ clock }), jitter },
  })
  const handler = authRoutes(auth, {
    verifyCredentials: ({ password }) => ({
      subject: 'alice',
      amr: password === 'again' ? ['otp'] : ['pwd'],
    }),
    basePath: '',
  })
  const { url, close } = await serve(toNodeHandler(handler))
  const login = { username: 'alice', password: 'once', delivery: 'body' }
  const byBody = toHttpEndpoint({ url, login, stepUp: { password: 'again' }, isElevated })
  return { endpoint: by === 'cookie' ? toCookieEndpoint(url) : byBody, close }
}
