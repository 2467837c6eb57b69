/**
 * Requests as steps describe them, with the names of case files, and the application's paths,
 * cookies and bodies for them.
 */
import { USERS } from './target.ts'

/** The application's names of the cookies. */
export const COOKIE_NAMES: Readonly<Record<string, string>> = {
  access: '__Host-access_token',
  refresh: '__Host-refresh_token',
  csrf: '__Host-csrf_token',
}
const PATHS: readonly string[] = ['/login', '/refresh', '/logout', '/sessions', '/verify-password']

/** The application's path for one of a case file. */
export function toPath(path: string): string {
  return PATHS.some((known) => path === known || path.startsWith(`${known}/`) || path.startsWith(`${known}?`))
    ? `/auth${path}`
    : path
}

/** Replaces names such as `access` in a `Cookie` header by the application's. */
export function toCookieHeader(text: string): string {
  return text.replace(
    /(^|;\s*)(access|refresh|csrf)=/g,
    (_all, before, name) => `${before}${COOKIE_NAMES[name]}=`,
  )
}

/** A request as steps describe it. */
export interface Intent {
  readonly method?: string
  readonly path: string
  readonly headers?: readonly (readonly [string, string])[]
  readonly body?: string
}

const JSON_BODY = ['Content-Type', 'application/json'] as const

/** A login with the correct password. */
export function toLoginIntent(user: string, mode = 'body', headers: Intent['headers'] = []): Intent {
  const body = JSON.stringify({ username: user, password: USERS.get(user) ?? '', delivery: mode })
  return { method: 'POST', path: '/login', headers: [JSON_BODY, ...headers], body }
}

/** A refresh, with the token in the body. */
export function toRefreshIntent(token: string): Intent {
  const body = JSON.stringify({ refresh_token: token })
  return { method: 'POST', path: '/refresh', headers: [JSON_BODY], body }
}

/** A request with an access token. */
export function toBearerIntent(token: string, path = '/protected', method = 'GET'): Intent {
  return { method, path, headers: [['Authorization', `Bearer ${token}`]] }
}
