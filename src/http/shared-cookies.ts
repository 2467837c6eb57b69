/**
 * Two applications in one process whose cookies have the same names: each overwrites the other's,
 * and a login at one signs the browser out of the other. Browsers and tests show it late, so it is
 * told when the second one is made.
 */
import { createWarnOnce } from '../internal/warn.ts'
import type { CookieSettings } from './cookie-options.ts'
import type { HttpSettings } from './resolve-http-options.ts'

/** Who has cookies of certain names. */
interface Owner {
  readonly realm: string | undefined
  readonly kid: string | undefined
  readonly origin: string | null
}

const owners = new Map<string, Owner>()
const warnOnce = createWarnOnce()

/** How many sets of names are remembered. */
const MAX_OWNERS = 64

/**
 * Warns of an application that shares its cookies with one that was made before and takes other
 * tokens. One that is made twice, and those of different `origin`s, share nothing.
 *
 * @param kid the key that signs the application's tokens
 */
export function warnOfSharedCookies({ sources, cookies, csrf, realm }: HttpSettings, kid?: string): void {
  if (!sources.locations.has('cookie')) return
  const key = toCookieKeys(cookies).join('\n')
  const owner: Owner = { realm, kid, origin: csrf.ownOrigin }
  const first = owners.get(key)
  if (first === undefined) {
    if (owners.size < MAX_OWNERS) owners.set(key, owner)
    return
  }
  const takesSame = first.realm === realm && first.kid === kid
  const isElsewhere = first.origin !== null && owner.origin !== null && first.origin !== owner.origin
  if (takesSame || isElsewhere) return
  warnOnce(
    'TOKENWRIGHT_SHARED_COOKIES',
    `Two \`createAuth\` have cookies of the same names (\`${cookies.access.name}\`): a login at one signs the browser out of the other. Name them by \`cookies\`, use \`createRealms\`, or give each its \`origin\``,
  )
}

/** The cookies by what makes a browser keep them apart: name, path and domain. */
export function toCookieKeys({ access, refresh, csrf }: CookieSettings): readonly string[] {
  return [access, refresh, csrf].map(({ name, attributes }) => {
    const domain = /; Domain=([^;]*)/.exec(attributes)?.[1] ?? ''
    return `${name} ${domain}`
  })
}
