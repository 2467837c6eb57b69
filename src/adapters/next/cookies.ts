/**
 * Tokens from the cookies of `next/headers`: read in server components, read and set in server
 * actions. Neither has a request.
 */
import type { Auth } from '../../auth/auth.ts'
import type { Requirement } from '../../auth/requirement.ts'
import { isAuthError } from '../../errors.ts'
import { type CookieListItem, toCookieList } from '../../http/cookie-list.ts'
import type { RequestPort } from '../../http/request-port.ts'
import { checkMethod } from '../../internal/configuration-error.ts'
import type { TokenPayload } from '../../token/token-payload.ts'
import { createPageRefresh, mergeCookies, peek } from '../page-refresh.ts'

/** Cookies that can be read: what `await cookies()` of `next/headers` returns. */
export interface CookieReader {
  /** A cookie by its name. */
  get(name: string): { readonly value: string } | undefined
}

/** Cookies that can also be set: the same, in a server action or a route handler. */
export interface CookieStore extends CookieReader {
  /** Sets a cookie. */
  set(name: string, value: string, options: CookieListItem['options']): unknown
}

/** Reads who is signed in. */
export async function readToken<C, U>(
  auth: Auth<C, U>,
  cookies: CookieReader,
  requirement: Requirement,
): Promise<TokenPayload<C> | null> {
  const cookie = toCookieHeader(auth, cookies)
  const headers = { get: (name: string) => (name === 'cookie' ? cookie : null) }
  return peek(auth, { headers }, requirement)
}

/** Any server action that is guarded. */
type Action = (payload: unknown, ...args: readonly unknown[]) => unknown

/** Creates the guard of server actions. `getAuth` is called with the first of them. */
export function createActionGuard<C, U>(
  getAuth: () => Auth<C, U>,
  getCookies: () => CookieStore | Promise<CookieStore>,
  requirement: Requirement,
): (action: Action) => (...args: readonly unknown[]) => Promise<unknown> {
  let authenticate: ((store: CookieStore) => Promise<unknown>) | undefined
  return (action) =>
    async (...args) => {
      authenticate ??= createAuthenticate(getAuth(), requirement)
      return action(await authenticate(await getCookies()), ...args)
    }
}

function createAuthenticate<C, U>(
  auth: Auth<C, U>,
  requirement: Requirement,
): (store: CookieStore) => Promise<unknown> {
  const prepared = auth.prepare(requirement)
  const canRefresh = auth.internals.hasSessions && auth.http.sources.locations.has('cookie')
  const refresh = canRefresh ? createPageRefresh(auth) : null
  return async (store) => {
    const header = toCookieHeader(auth, store)
    const list = refresh === null ? [] : toCookieList(await findCookies(refresh, toPort(header)))
    for (const { name, value, options } of list) store.set(name, value, options)
    return auth.authenticate(toPort(mergeCookies(header, list)), prepared)
  }
}

/** The cookies of a refresh. A refused one leaves the decision to the access token. */
async function findCookies(
  refresh: ReturnType<typeof createPageRefresh>,
  port: RequestPort,
): Promise<readonly string[]> {
  try {
    return await refresh(port)
  } catch (error) {
    if (!isAuthError(error) || error.status === 503) throw error
    return []
  }
}

/** The `Cookie` header with the cookies of tokens. */
function toCookieHeader<C, U>(auth: Auth<C, U>, cookies: CookieReader): string {
  checkMethod('cookies', 'what `await cookies()` returns', cookies, 'get')
  const { access, refresh } = auth.http.cookies
  return [access, refresh]
    .flatMap(({ name }) => {
      const value = cookies.get(name)?.value
      return value === undefined ? [] : `${name}=${value}`
    })
    .join('; ')
}

/** A request with these cookies; a GET, as Next.js has checked the origin of a server action. */
function toPort(cookie: string): RequestPort {
  return {
    method: 'GET',
    url: '/',
    header: (name) => (name === 'cookie' && cookie !== '' ? cookie : undefined),
  }
}
