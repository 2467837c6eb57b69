/**
 * `createTenants({ load })`: one `Auth` for each tenant, made when it is first asked for. Tenants
 * come and go while the process runs; only so many are kept at once, and what is not kept is
 * closed. The application says by the request which tenant it is, never by a token.
 */
import { AuthError } from '../errors.ts'
import type { Awaitable } from '../internal/awaitable.ts'
import { ConfigurationError, checkKnownKeys, expected, isOptions } from '../internal/configuration-error.ts'
import { toOutage } from '../internal/outage.ts'
import { keysOf, readCount, readFunction } from '../internal/read-options.ts'
import { OUTLIVES_REQUESTS } from '../internal/request-scope.ts'
import { withDeadline } from '../internal/with-deadline.ts'
import { readUnverified } from '../token/jws.ts'
import type { Auth } from './auth.ts'
import { connectAuth } from './create-auth.ts'
import { mayBeOfAnother, type RealmOptions, resolveRealm } from './create-realms.ts'

/** What `createTenants` takes. */
export interface TenantsOptions<T = Auth> {
  /**
   * Loads the options of a tenant: its keys, issuer, audience and the rest; null for a name that is
   * no tenant's. Called when a tenant is asked for that is not kept. A throw, or no result within
   * 5 s, is `store_unavailable` (503), and the next request asks again.
   */
  readonly load: (name: string) => Awaitable<RealmOptions | null>
  /**
   * Makes what the application uses of a tenant, once: guards, routes. Default: the `Auth` itself.
   */
  readonly prepare?: (auth: Auth, name: string) => T
  /**
   * How many tenants are kept, from 1 to 10,000. Beyond that the one that was asked for longest ago
   * is closed, and loaded again when it is asked for. Default 100.
   */
  readonly max?: number
}

/** The tenants of one process. */
export interface Tenants<T = Auth> {
  /**
   * Finds a tenant, and loads it where it is not kept; one load for all who ask meanwhile.
   *
   * @param name what the request says, such as a part of its host. A name that is no letter or
   *   digit and up to 62 of letters, digits, `-` and `_` is no tenant's
   * @returns null for no tenant
   * @throws {AuthError} `store_unavailable`
   * @throws {ConfigurationError} for options that are wrong, with the tenant's name
   */
  get(name: string): Promise<T | null>
  /**
   * Closes a tenant that has ended, or whose options have changed: it is loaded again when it is
   * asked for.
   */
  end(name: string): Promise<void>
  /** Closes all. */
  close(): Promise<void>
  /** The names of those that are kept; the one that was asked for last comes last. */
  readonly names: readonly string[]
}

/** A tenant that is kept. */
interface Tenant<T> {
  readonly auth: Auth
  readonly value: T
}

/** A tenant that is kept, or is being loaded. */
interface Entry<T> {
  readonly loading: Promise<Tenant<T> | null>
  /** Null while it is being loaded. */
  tenant: Tenant<T> | null
}

const OPTION_NAMES = keysOf<TenantsOptions>({ load: true, prepare: true, max: true })

/** How many tenants are kept by default. */
const DEFAULT_MAX = 100

/** How long `load` may take, in seconds. */
const DEADLINE = 5

/** A tenant's name stands in its tokens and begins its cookies' names; so a label of a host may. */
const NAME = /^[a-z\d][\w-]{0,62}$/i

/**
 * Creates the tenants of one process. The name of a tenant is the `login_type` of its tokens, and
 * begins the names of its cookies, as with `createRealms`. A token of another tenant is refused by
 * its keys; where that tenant is kept here and the token is sound there, the error is
 * `realm_mismatch` (`LoginTypeMismatchError`), which names both.
 *
 * An application with a session store follows it by itself: with thousands of tenants in one store
 * take one `createAuth`, and the tenant as a custom claim that each route compares with its host.
 *
 * @throws {ConfigurationError} for unknown options, and for those of the wrong shape
 *
 * @example
 * ```ts
 * import { createTenants } from 'tokenwright'
 * import { guards } from 'tokenwright/fetch'
 *
 * const secrets = new Map([['south', 'qH7wBn1cYs8dHf3gJp6aEukX2vQ9mZr4']])
 * const tenants = createTenants({
 *   load(name) {
 *     const secret = secrets.get(name)
 *     return secret === undefined ? null : { secret, issuer: `https://${name}.example` }
 *   },
 *   prepare: (auth) => guards(auth).access()((_request, { sub }) => Response.json({ sub })),
 * })
 * export async function handle(request: Request): Promise<Response> {
 *   const handler = await tenants.get(new URL(request.url).hostname.split('.')[0] ?? '')
 *   return handler === null ? new Response(null, { status: 404 }) : handler(request)
 * }
 * ```
 */
export function createTenants<T = Auth>(options: TenantsOptions<T>): Tenants<T> {
  if (!isOptions(options as unknown))
    throw new ConfigurationError(expected('createTenants(options)', 'given { load }', options))
  checkKnownKeys('createTenants', options, OPTION_NAMES)
  const load = readFunction('load', options.load)
  if (load === null) throw new ConfigurationError(expected('load', 'a function', options.load))
  const prepare = readFunction('prepare', options.prepare)
  const max = readCount('max', options.max ?? DEFAULT_MAX, { min: 1, max: 10_000 })
  const entries = new Map<string, Entry<T>>()

  /** The error of a token that another tenant issued; any other error stays as it is. */
  function explain(name: string, error: unknown, token: string): unknown {
    if (!mayBeOfAnother(error)) return error
    // What the token says picks the words of a refusal, and only where that tenant's keys agree.
    const other = readUnverified(token)?.payload['login_type']
    const auth = typeof other === 'string' ? entries.get(other)?.tenant?.auth : undefined
    if (other === name || !auth?.internals.isOurs(token)) return error
    return new AuthError('realm_mismatch', {
      detail: { expectedType: name, actualType: other as string },
    })
  }

  async function loadTenant(name: string): Promise<Tenant<T> | null> {
    const own = await loadOptions(name, load as TenantsOptions['load'])
    if (own === null) return null
    const settings = resolveRealm(name, own)
    const auth: Auth = connectAuth(settings, (error, token) => explain(name, error, token))
    return { auth, value: prepare === null ? (auth as T) : prepare(auth, name) }
  }

  function open(name: string): Entry<T> {
    const entry: Entry<T> = { loading: loadTenant(name), tenant: null }
    entries.set(name, entry)
    void entry.loading
      .catch(() => null)
      .then((tenant) => {
        entry.tenant = tenant
        if (tenant === null && entries.get(name) === entry) entries.delete(name)
      })
    for (const oldest of entries.keys()) {
      if (entries.size <= max) break
      void end(oldest)
    }
    return entry
  }

  async function end(name: string): Promise<void> {
    const entry = entries.get(name)
    entries.delete(name)
    const tenant = await entry?.loading.catch(() => null)
    await tenant?.auth.close()
  }

  return Object.freeze({
    async get(name: string) {
      if (!NAME.test(name)) return null
      const known = entries.get(name)
      if (known !== undefined) {
        entries.delete(name)
        entries.set(name, known)
      }
      const isShared = known !== undefined && (OUTLIVES_REQUESTS || known.tenant !== null)
      const { loading } = isShared ? known : open(name)
      return (await loading)?.value ?? null
    },
    end,
    async close() {
      await Promise.all([...entries.keys()].map(end))
    },
    get names() {
      return [...entries.keys()]
    },
  } satisfies Tenants<T>)
}

async function loadOptions(name: string, load: TenantsOptions['load']): Promise<RealmOptions | null> {
  try {
    return (await withDeadline('load', DEADLINE, () => load(name))) ?? null
  } catch (error) {
    throw toOutage(error, `The options of the tenant \`${name}\` could not be loaded`)
  }
}
