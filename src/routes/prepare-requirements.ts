/**
 * What the routes require of a token, prepared once for each application.
 */
import type { Auth } from '../auth/auth.ts'
import type { Location } from '../http/token-sources.ts'
import type { RouteRequirements } from './context.ts'

/** The routes look for tokens in the configured locations, the header and the body. */
export function prepareRequirements<C, U>(
  auth: Auth<C, U, unknown>,
  hasSessions: boolean,
): RouteRequirements {
  const locations = [...new Set<Location>([...auth.http.sources.locations, 'header', 'body'])]
  const cookie: readonly Location[] = ['cookie']
  const strict = hasSessions ? ({ revocation: 'strict' } as const) : {}
  const unchecked = { revocation: 'off' } as const
  const refreshCookie = auth.prepare({ type: 'refresh', locations: cookie, ...unchecked })
  return {
    access: auth.prepare({ locations }),
    fresh: auth.prepare({ locations, fresh: true }),
    refresh: auth.prepare({ type: 'refresh', locations, ...unchecked }),
    refreshElsewhere: auth.prepare({
      type: 'refresh',
      locations: locations.filter((location) => location !== 'header'),
      ...unchecked,
    }),
    refreshCookie,
    live: auth.prepare(strict),
    any: auth.prepare({ type: 'any', ...unchecked }),
    current: [
      auth.prepare({ locations, optional: true, ...strict }),
      auth.prepare({ type: 'refresh', locations: cookie, optional: true, ...strict }),
    ],
    logout: [
      auth.prepare({ type: 'access', locations, ...unchecked }),
      auth.prepare({ type: 'refresh', locations, ...unchecked }),
    ],
    earlier: [auth.prepare({ type: 'any', locations: cookie, ...unchecked }), refreshCookie],
  }
}
