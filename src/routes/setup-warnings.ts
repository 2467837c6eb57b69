/**
 * Warnings about a setup that cannot work, as requests show it: once each, to the operator. They
 * repeat nothing of the request.
 */

import type { CookieSettings } from '../http/cookie-options.ts'
import { isLoopback } from '../internal/loopback.ts'
import { createWarnOnce } from '../internal/warn.ts'

/** What requests tell of the setup. */
export interface SetupWarnings {
  /** Is told of a request that found no route. @param path its path */
  noteUnknownPath(path: string): void
  /** Is told of a login whose tokens leave in cookies. @param origin the `Origin` header */
  noteCookieLogin(origin: string | null): void
}

/** The ends of paths that are surely meant for the routes. */
const OWN_PATH = /\/(?:login|logout|refresh|step-up|verify-password)$/

/** Prepares the warnings of one handler. */
export function createSetupWarnings(basePath: string, cookies: CookieSettings): SetupWarnings {
  const warn = createWarnOnce()
  return {
    noteUnknownPath(path) {
      if (OWN_PATH.test(path))
        warn(
          'TOKENWRIGHT_BASE_PATH',
          `A request for a route came to a path that is not below '${basePath}'. Where \`authRoutes\` is mounted elsewhere, give the whole path as \`basePath\`.`,
        )
    },
    noteCookieLogin(origin) {
      const isSecure = cookies.refresh.attributes.includes('; Secure')
      if (isSecure && origin?.startsWith('http://') && !isLocal(origin))
        warn(
          'TOKENWRIGHT_COOKIES_WITHOUT_TLS',
          'A page without TLS logged in by cookie, and browsers drop Secure cookies there: use https, or in development localhost or `cookies: { secure: false }`.',
        )
    },
  }
}

/** Whether browsers trust an origin without TLS, as it is this machine. */
function isLocal(origin: string): boolean {
  return URL.canParse(origin) && isLoopback(new URL(origin).hostname)
}
