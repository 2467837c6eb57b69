/**
 * `remoteFeed`: where a service without the session store learns of revocations. Its options, and
 * the way from what it returns to the client that follows the feed.
 */
import { ConfigurationError, expected, isOptions, refuseUndefined } from '../internal/configuration-error.ts'
import { isLoopback } from '../internal/loopback.ts'
import { keysOf, readFunction, readOptionGroup, readText } from '../internal/read-options.ts'
import type { RevocationSource } from '../session/resolve-revocation-options.ts'
import { FeedClient, type FeedContext } from './feed-client.ts'

/** The options of `remoteFeed`. */
export interface RemoteFeedOptions {
  /**
   * The address of `{base}/revocations` at the service that has the session store, such as
   * `'https://auth.example/auth/revocations'`: https, or http on this machine. Required.
   */
  readonly url: string | URL
  /**
   * The identifier and the secret with which this service authenticates there, by HTTP Basic:
   * `verifyClient` of its `authRoutes` checks them. Required.
   */
  readonly credentials: {
    /** The identifier of this service. */
    readonly id: string
    /** Its secret. */
    readonly secret: string
  }
  /**
   * Whose revocations they are: `issuer`, or one of `issuers`. Tokens of another issuer have no
   * sessions there. Default: the application's own `issuer`; without own keys the only one of
   * `issuers`.
   */
  readonly issuer?: string
  /** Sends the requests. Default: `fetch` of the platform. */
  readonly fetch?: typeof globalThis.fetch
}

const OPTION_NAMES = keysOf<RemoteFeedOptions>({ url: true, credentials: true, issuer: true, fetch: true })
const CREDENTIAL_NAMES = keysOf<RemoteFeedOptions['credentials']>({ id: true, secret: true })

/** The options of each source. They hold the secret, so the source itself does not show them. */
const sources = new WeakMap<RevocationSource, Connect>()

type Connect = (context: FeedContext) => FeedClient

/**
 * Follows the revocations of another service, for a service that verifies its tokens and has no
 * session store. The service learns of a revocation within a second, looks it up in memory for each
 * request, and responds with 503 when it has learned nothing for `revocation.maxStale`.
 *
 * It sends nothing before the first token is checked, or `auth.ready()` is called.
 *
 * @throws {ConfigurationError} for an address without TLS that is not on this machine, and for
 *   missing or unknown options
 *
 * @example
 * ```ts
 * import { createAuth, createKeyRing, generateKey, remoteFeed } from 'tokenwright'
 *
 * const { d: _, ...published } = generateKey('ES256')
 * const auth = createAuth({
 *   keys: createKeyRing({ verifying: [published] }),
 *   issuer: 'https://auth.example',
 *   audience: 'api',
 *   revocation: {
 *     source: remoteFeed({
 *       url: 'https://auth.example/auth/revocations',
 *       credentials: { id: 'orders', secret: process.env['ORDERS_SECRET'] ?? 'not set' },
 *     }),
 *   },
 * })
 * ```
 */
export function remoteFeed(options: RemoteFeedOptions): RevocationSource {
  if (!isOptions(options as unknown))
    throw new ConfigurationError(expected('remoteFeed(options)', 'given { url, credentials }', options))
  refuseUndefined('remoteFeed', options, ['issuer'])
  const { url, credentials, fetch, ...given } = readOptionGroup('remoteFeed', options, OPTION_NAMES)
  const address = readUrl(url)
  const authorization = toBasic(credentials)
  const issuer = readText('issuer', given.issuer)
  const ownFetch = readFunction('fetch', fetch)
  const source = Object.freeze({ url: address, ...(issuer !== undefined && { issuer }) })
  // The platform's own is looked up late: tests and tracers replace it.
  const send: typeof globalThis.fetch = ownFetch ?? ((input, init) => globalThis.fetch(input, init))
  sources.set(source, (context) => new FeedClient({ url: address, authorization, send }, context))
  return source
}

/** Whether a value was made by `remoteFeed`. */
export function isRevocationSource(value: unknown): value is RevocationSource {
  return typeof value === 'object' && value !== null && sources.has(value as RevocationSource)
}

/** Creates the client of one application that follows a source. It sends nothing by itself. */
export function connectSource(source: RevocationSource, context: FeedContext): FeedClient {
  const connect = sources.get(source)
  if (connect !== undefined) return connect(context)
  throw new ConfigurationError(expected('revocation.source', 'what `remoteFeed` returns', source))
}

/** Reads the address. Its text is never repeated: it may hold a secret in the wrong place. */
function readUrl(value: unknown): string {
  const wanted = "an https address such as 'https://auth.example/auth/revocations'"
  const isText = typeof value === 'string' || value instanceof URL
  if (!isText || !URL.canParse(String(value))) throw new ConfigurationError(expected('url', wanted, value))
  const url = new URL(value)
  const problem = findProblem(url)
  if (problem === undefined) return url.href
  throw new ConfigurationError(`Expected \`url\` to be ${wanted}, got ${problem}`)
}

function findProblem({ protocol, hostname, username, password, search, hash }: URL): string | undefined {
  if (username !== '' || password !== '') return 'one with a user or password: give them as `credentials`'
  if (search !== '' || hash !== '') return 'one with a query or a fragment'
  if (protocol === 'https:') return undefined
  if (protocol !== 'http:') return 'another scheme'
  return isLoopback(hostname) ? undefined : 'http, which is for this machine only'
}

/** HTTP Basic, form-encoded as RFC 6749 section 2.3.1 says. */
function toBasic(value: RemoteFeedOptions['credentials'] | undefined): string {
  const { id, secret } = readOptionGroup('credentials', value, CREDENTIAL_NAMES)
  for (const [name, text] of Object.entries({ id, secret })) {
    if (typeof text !== 'string' || text === '')
      throw new ConfigurationError(expected(`credentials.${name}`, 'a non-empty string', text))
  }
  const [user, password] = [id, secret].map((text) => encodeURIComponent(text ?? ''))
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}
