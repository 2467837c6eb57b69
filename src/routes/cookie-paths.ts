/**
 * Whether the cookies of tokens reach the routes (RFC 6265 section 5.1.4). A proxy may have removed
 * a prefix that the paths of cookies have, so only what is wrong behind every prefix is refused.
 */
import type { CookieSettings } from '../http/cookie-options.ts'
import { ConfigurationError } from '../internal/configuration-error.ts'

/**
 * Checks the paths of cookies against the path of the routes.
 *
 * @param hasSessions whether a logout needs the refresh cookie, to know which session it ends
 * @throws {ConfigurationError} for a path that no route below `basePath` has; for a refresh cookie
 *   that reaches the refresh alone while there are sessions
 */
export function checkCookiePaths(basePath: string, cookies: CookieSettings, hasSessions: boolean): void {
  for (const type of cookies.carry) {
    const path = cookies[type].path.replace(/(?<!\/)\/+$/, '')
    const isForRefresh = path.endsWith(`${basePath}/refresh`)
    const isAbove = path === '' || basePath === path || basePath.startsWith(`${path}/`)
    if (!isAbove && basePath.endsWith(path)) throw toError(type, basePath, 'no route gets the cookie')
    if (type === 'refresh' && hasSessions && isForRefresh)
      throw toError(type, basePath, 'a logout without the cookie ends no session')
  }
}

function toError(type: string, basePath: string, reason: string): ConfigurationError {
  return new ConfigurationError(
    `Expected \`cookies.${type}.path\` to be '/', or '${basePath}', the \`basePath\` of the routes: ${reason} otherwise`,
  )
}
