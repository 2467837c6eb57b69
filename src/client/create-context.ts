/**
 * Creates the record of a client: where the server is, as seen from the page, and how tokens reach
 * the client.
 */
import { attempt } from './attempt.ts'
import type { ClientContext, TabMessage } from './context.ts'
import type { AuthClientOptions } from './options.ts'
import { readPlatform } from './platform.ts'
import { load } from './session.ts'
import { takeMessage } from './session-state.ts'
import { openTabs } from './tabs.ts'

/**
 * The address outside a page where none is given, so that a client can be created while a server
 * renders. It never resolves (RFC 6761 section 6.4), and says in the cause what is missing.
 */
const MISSING = 'https://missing.invalid'

/**
 * Creates it, and starts to read the storage.
 *
 * @throws {TypeError} for a `baseUrl` that is neither a URL nor a path, and a timeout that is no
 *   plausible one
 */
export function createContext(options: AuthClientOptions): ClientContext {
  const { baseUrl = '', basePath = '/auth', timeout = 10, storage } = options
  if (!(timeout > 0 && timeout <= 600)) throw new TypeError('`timeout` is in seconds, at most 600')
  const platform = { ...readPlatform(), ...options.platform }
  const page = platform.location
  // A path alone has a meaning in a page only.
  const base = new URL(baseUrl, page ?? (/^\w/.test(baseUrl) ? undefined : MISSING))
  const prefix = base.origin + (baseUrl && base.pathname.replace(/\/$/, ''))
  const byCookie = (options.delivery ?? (page && 'cookie')) === 'cookie'
  const key = `tokenwright ${prefix}${basePath}`
  const client: ClientContext = {
    ...options,
    ...platform,
    // Without cookies and storage no other tab has these tokens: no lock and no messages.
    ...openTabs<TabMessage>(key, byCookie || storage ? platform : { after: platform.after }, (message) =>
      takeMessage(client, message),
    ),
    base,
    prefix: `${prefix}/`,
    root: baseUrl ? `${prefix}/` : base,
    routes: prefix + basePath,
    key,
    byCookie,
    owns: (url = '') => url.startsWith(`${base.origin}/`),
    store: byCookie && storage === undefined ? attempt(platform.storage) : storage,
    timeout,
    deadline: timeout,
    listeners: new Set(),
    state: { status: 'unknown', expiresAt: null, fresh: false, login: null },
    closed: 0,
    waiting: 0,
  }
  client.loaded = load(client)
  return client
}
