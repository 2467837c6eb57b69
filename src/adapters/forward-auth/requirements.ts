/**
 * What the parts of an application require, by the path at which the proxy asks. Prepared at start:
 * the path is the proxy's own, and nothing of the client's request chooses among them.
 */
import type { Requirement } from '../../auth/requirement.ts'
import { readPath } from '../../http/request-target.ts'
import { ConfigurationError, expected, isOptions } from '../../internal/configuration-error.ts'

/**
 * Checks the requirements.
 *
 * @returns by name; the empty name is that of the base path
 * @throws {ConfigurationError} for one that needs what no proxy passes on, and for a name that is
 *   no segment of a path
 */
export function resolveForwardRequirements(
  requirement: Requirement = {},
  named: Readonly<Record<string, Requirement>> = {},
): ReadonlyMap<string, Requirement> {
  if (!isOptions(named)) throw new ConfigurationError(expected('requirements', 'an object by name', named))
  const entries = Object.entries(named)
  for (const [name] of entries) {
    if (/^[\w-]+$/.test(name)) continue
    throw new ConfigurationError(expected('requirements', 'named by letters, digits, `_` and `-`', name))
  }
  const all = new Map([['', requirement], ...entries])
  for (const [name, each] of all) checkRequirement(name === '' ? 'requirement' : `requirements.${name}`, each)
  return all
}

function checkRequirement(at: string, requirement: Requirement): void {
  if (!isOptions(requirement as unknown)) throw new ConfigurationError(expected(at, 'an object', requirement))
  const { type = 'access', renew = false, locations = [] } = requirement
  if (type !== 'access')
    throw new ConfigurationError(expected(`${at}.type`, "'access': no application takes other tokens", type))
  if (renew !== false)
    throw new ConfigurationError(
      `Expected \`${at}.renew\` to be left out: a proxy passes no cookies of the response on`,
    )
  if (locations.includes('body'))
    throw new ConfigurationError(
      `Expected \`${at}.locations\` to be without 'body', which no proxy passes on`,
    )
}

/**
 * Prepares the look-up by path.
 *
 * @param base the base path
 * @returns finds what belongs to a URL; undefined for an unknown path, and for a URL with a query,
 *   which would look as if it asked for something
 * @throws {ConfigurationError} for a base path that is not a path
 */
export function createFindRequirement<T>(
  base: string,
  byName: ReadonlyMap<string, T>,
): (url: string) => T | undefined {
  if (typeof base !== 'string' || !/^(?:\/[^/?#]+)*$/.test(base))
    throw new ConfigurationError(expected('basePath', "a path such as '/verify'", base))
  const byPath = new Map(
    [...byName].map(([name, value]) => [name === '' ? base || '/' : `${base}/${name}`, value]),
  )
  return (url) => (url.includes('?') ? undefined : byPath.get(readPath(url) ?? ''))
}
