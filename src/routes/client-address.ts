/**
 * The address of a client, as the application or the platform says it.
 */

import type { RequestInfo } from '../http/request-port.ts'
import { ConfigurationError, expected } from '../internal/configuration-error.ts'
import { createWarnOnce } from '../internal/warn.ts'
import { withDeadline } from '../internal/with-deadline.ts'

/**
 * Says the address of a client; undefined or null, as of a missing header, where it is unknown.
 * `info` has that of the connection, whatever the form in which the platform said it.
 */
export type ClientAddress = (
  request: Request,
  info: RequestInfo | undefined,
) => string | null | undefined | Promise<string | null | undefined>

/** Finds the address of a client; undefined where it is unknown. */
export type FindClientAddress = (
  request: Request,
  info: RequestInfo | undefined,
) => Promise<string | undefined>

/** How long the application's function may take, in seconds. */
const DEADLINE = 5

/**
 * What proxies set: where one of these comes and the address is the connection's, all clients have
 * the proxy's.
 */
const FORWARDED = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'cf-connecting-ip'] as const

/**
 * Prepares how addresses are learnt. What would make limits by address useless is warned of, once.
 *
 * @param address the application's option; undefined for what the platform says
 * @param isLimited whether anything is limited by address
 * @returns rejects with a `ConfigurationError` for an address that is not a text
 */
export function createClientAddress(
  address: ClientAddress | undefined,
  isLimited: boolean,
): FindClientAddress {
  const warn = createWarnOnce(isLimited ? [] : ['TOKENWRIGHT_NO_ADDRESS', 'TOKENWRIGHT_PROXY_ADDRESS'])

  return async (request, info) => {
    const found =
      address === undefined
        ? info?.address
        : await withDeadline('address', DEADLINE, () => address(request, info))
    if (found === undefined || found === null) {
      warn(
        'TOKENWRIGHT_NO_ADDRESS',
        '`authRoutes` does not learn the address of a client: no limit by address. Give `address`.',
      )
      return undefined
    }
    if (typeof found !== 'string')
      throw new ConfigurationError(expected('address', 'a function that returns a text', found))
    const header = address === undefined && FORWARDED.find((name) => request.headers.has(name))
    if (typeof header === 'string') {
      warn(
        'TOKENWRIGHT_PROXY_ADDRESS',
        `A request has the header \`${header}\`, and \`authRoutes\` takes the address of the connection: behind a proxy all ` +
          'clients share one limit. Give `address`, which reads what your proxy sets.',
      )
    }
    return found
  }
}
