/**
 * `createRealms(options)` -> one `Auth` for each realm: users and administrators, say, in one
 * process. Each has its own keys, cookies and guards, and a token of one is refused by all others,
 * with an error that names both.
 */
import { AuthError, type ErrorCode, isAuthError } from '../errors.ts'
import type { CookieOptions, CookieRowOptions } from '../http/cookie-options.ts'
import { toCookieKeys } from '../http/shared-cookies.ts'
import { ConfigurationError, expected, isOptions } from '../internal/configuration-error.ts'
import type { StandardSchema } from '../internal/schema.ts'
import type { Claims } from '../token/token-payload.ts'
import type { Auth } from './auth.ts'
import { connectAuth } from './create-auth.ts'
import type { AuthOptions } from './options.ts'
import { resolveOptions, type Settings } from './resolve-options.ts'

/** The options of one realm: those of `createAuth` without `realm`, which is its name. */
export type RealmOptions = Omit<AuthOptions, 'realm'>

/** The application of one realm, with the types of its schema and its user. */
export type RealmAuth<O> = O extends { readonly claims: StandardSchema<infer I, infer C> }
  ? Auth<C, UserOf<O>, I>
  : Auth<Claims, UserOf<O>, Claims>

/** What the option `subject` of a realm loads. */
type UserOf<O> = O extends { readonly subject: (...payload: never[]) => infer R }
  ? NonNullable<Awaited<R>>
  : unknown

/** One application for each realm, by its name. */
export type Realms<R> = { readonly [Name in keyof R]: RealmAuth<R[Name]> }

/** A realm's name begins its cookies' names, and stands in its tokens. */
const NAME = /^[a-z][a-z0-9_-]{0,31}$/i

/** How many realms there may be: a token that none knows is tried with each. */
const MAX_REALMS = 16

/**
 * Creates one application for each realm. The name of a realm is the `login_type` of its tokens.
 * Its cookies are named after it, such as `__Host-admin_access_token`, unless `cookies` names them.
 * A valid token of another realm is `realm_mismatch` (`LoginTypeMismatchError`), which names both
 * realms, also where each has keys of its own.
 *
 * @param options the options of each realm; at most 16, each name a letter and up to 31 letters,
 *   digits, `-` and `_`
 * @throws {ConfigurationError} as `createAuth`, with the realm's name before the option's; and for
 *   two realms that share a cookie
 *
 * @example
 * ```ts
 * import { createRealms, generateKey, createKeyRing } from 'tokenwright'
 *
 * const { user, admin } = createRealms({
 *   user: { keys: createKeyRing({ signing: generateKey('ES256') }), locations: ['cookie'] },
 *   admin: { keys: createKeyRing({ signing: generateKey('ES256') }), access: { expiresIn: '5m' } },
 * })
 * await admin.verifyToken(await admin.createAccessToken('root'))
 * console.log(user.http.cookies.access.name) // __Host-user_access_token
 * ```
 */
export function createRealms<const R extends Readonly<Record<string, RealmOptions>>>(options: R): Realms<R> {
  const names = readNames(options)
  const settings = new Map(names.map((name) => [name, resolveRealm(name, options[name] as RealmOptions)]))
  refuseSharedCookies(settings)
  const realms: Record<string, Auth> = {}
  for (const [name, own] of settings) {
    realms[name] = connectAuth(own, (error, token) => toMismatch(realms, { name, error, token }))
  }
  return Object.freeze(realms) as Realms<R>
}

function readNames(options: unknown): readonly string[] {
  if (!isOptions(options))
    throw new ConfigurationError(expected('createRealms(options)', 'an object', options))
  const names = Object.keys(options)
  if (names.length === 0 || names.length > MAX_REALMS)
    throw new ConfigurationError(`Expected 1 to ${MAX_REALMS} realms, got ${names.length}`)
  for (const name of names) {
    if (!NAME.test(name))
      throw new ConfigurationError(
        expected("a realm's name", 'a letter and up to 31 of a-z, 0-9, - and _', name),
      )
  }
  return names
}

/** Checks the options of one realm. @throws {ConfigurationError} that names the realm */
export function resolveRealm(name: string, options: RealmOptions): Settings<Claims, unknown> {
  try {
    if (!isOptions(options)) throw new ConfigurationError(expected(name, 'an object of options', options))
    if (Object.hasOwn(options, 'realm'))
      throw new ConfigurationError('Expected no `realm`: the name of the realm is its `realm`')
    const cookies = nameCookies(name, options.cookies)
    const settings = resolveOptions({ ...options, realm: name, cookies })
    return Object.freeze({ ...settings, http: Object.freeze({ ...settings.http, namesRealms: true }) })
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    throw new ConfigurationError(`In the realm \`${name}\`: ${error.message}`)
  }
}

/** Names the cookies after the realm, where the application does not. */
function nameCookies(realm: string, cookies: CookieOptions = {}): CookieOptions {
  if (!isOptions(cookies as unknown)) return cookies
  const withName = (row: CookieRowOptions = {}, name: string): CookieRowOptions =>
    isOptions(row as unknown) ? { name: `${realm}_${name}`, ...row } : row
  return {
    ...cookies,
    access: withName(cookies.access, 'access_token'),
    refresh: withName(cookies.refresh, 'refresh_token'),
    csrf: withName(cookies.csrf, 'csrf_token'),
  }
}

/** Refuses two realms that share a cookie: each would overwrite the other's. */
function refuseSharedCookies(settings: ReadonlyMap<string, Settings<Claims, unknown>>): void {
  const taken = new Map<string, string>()
  for (const [name, { http }] of settings) {
    if (!http.sources.locations.has('cookie')) continue
    for (const cookie of toCookieKeys(http.cookies)) {
      const other = taken.get(cookie)
      if (other !== undefined)
        throw new ConfigurationError(
          `Expected the realms \`${other}\` and \`${name}\` to have cookies of their own, got \`${cookie.split(' ')[0]}\` twice`,
        )
      taken.set(cookie, name)
    }
  }
}

/** Refusals of a token that may be sound in another realm. */
const ELSEWHERE: ReadonlySet<ErrorCode> = new Set(['signature_invalid', 'issuer_invalid', 'audience_invalid'])

/** Whether a token that was refused so may be sound in another realm. */
export function mayBeOfAnother(error: unknown): boolean {
  return isAuthError(error) && ELSEWHERE.has(error.code)
}

/** The error of a token that another realm issued; any other error stays as it is. */
function toMismatch(
  realms: Readonly<Record<string, Auth>>,
  { name, error, token }: { readonly name: string; readonly error: unknown; readonly token: string },
): unknown {
  if (!mayBeOfAnother(error)) return error
  for (const [other, { internals }] of Object.entries(realms)) {
    if (other !== name && internals.isOurs(token))
      return new AuthError('realm_mismatch', { detail: { expectedType: name, actualType: other } })
  }
  return error
}
