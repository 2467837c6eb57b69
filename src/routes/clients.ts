/**
 * Clients of the application, such as resource servers, that introspect and revoke tokens. They
 * authenticate by HTTP Basic, the one way that every server must support (RFC 6749 section 2.3.1,
 * RFC 7617).
 */
import { AuthError } from '../errors.ts'
import { ConfigurationError, expected } from '../internal/configuration-error.ts'
import { toOutage } from '../internal/outage.ts'
import { withDeadline } from '../internal/with-deadline.ts'
import type { TokenPayload } from '../token/token-payload.ts'

/** What a client sends to authenticate. */
export interface Client {
  /** Its identifier. */
  readonly id: string
  /** Its secret. */
  readonly secret: string
}

/** Checks a client's identifier and secret. */
export type VerifyClient = (client: Client, request: Request) => boolean | Promise<boolean>

/**
 * Whether a client may revoke a token (RFC 7009 section 2.1: one that was issued to it).
 *
 * @param id the client's identifier, authenticated
 * @param payload what the token says
 */
export type MayRevoke<C> = (id: string, payload: TokenPayload<C>) => boolean | Promise<boolean>

/** How long `verifyClient` and `mayRevoke` may take, in seconds. */
const DEADLINE = 5

/** The longest `Authorization` header that is read, in characters. */
const MAX_HEADER = 2048

/**
 * Authenticates the client of a request.
 *
 * @returns its identifier
 * @throws {AuthError} `client_invalid`, also where the request names no client; `store_unavailable`
 *   when `verifyClient` fails
 * @throws {ConfigurationError} when `verifyClient` returns anything else, such as the client
 */
export async function authenticateClient(
  verifyClient: VerifyClient | null,
  request: Request,
): Promise<string> {
  const readings = readBasic(request.headers.get('authorization'))
  for (const client of verifyClient === null ? [] : readings) {
    if (await isKnown(verifyClient as VerifyClient, client, request)) return client.id
  }
  throw new AuthError('client_invalid')
}

async function isKnown(verifyClient: VerifyClient, client: Client, request: Request): Promise<boolean> {
  let result: unknown
  try {
    result = await withDeadline('verifyClient', DEADLINE, () => verifyClient(client, request))
  } catch (error) {
    throw toOutage(error, 'The option `verifyClient` could not check the client')
  }
  // A client that was found would otherwise be refused without a word.
  if (result && result !== true)
    throw new ConfigurationError(expected('verifyClient', 'a function that returns true or false', result))
  return result === true
}

/**
 * Asks the application whether a client may revoke a token.
 *
 * @throws {AuthError} `store_unavailable` when `mayRevoke` fails
 */
export async function askMayRevoke<C>(
  mayRevoke: MayRevoke<C>,
  id: string,
  payload: TokenPayload<C>,
): Promise<boolean> {
  try {
    return (await withDeadline('mayRevoke', DEADLINE, () => mayRevoke(id, payload))) === true
  } catch (error) {
    throw toOutage(error, 'The option `mayRevoke` could not check the client')
  }
}

/**
 * Reads HTTP Basic: form-encoded, as RFC 6749 section 2.3.1 says; then as it came, since many
 * clients, such as curl, do not encode a secret with `+` or `%`. None for anything else.
 */
function readBasic(header: string | null): readonly Client[] {
  if (header === null || header.length > MAX_HEADER) return []
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(header)?.[1]
  const text = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  if (colon < 1) return []
  const asItCame = { id: text.slice(0, colon), secret: text.slice(colon + 1) }
  const decoded = { id: decodeForm(asItCame.id), secret: decodeForm(asItCame.secret) }
  const isSame = decoded.id === asItCame.id && decoded.secret === asItCame.secret
  return (isSame ? [asItCame] : [decoded, asItCame]).filter((client): client is Client =>
    Boolean(client.id && client.secret),
  )
}

/** Undoes the form encoding of an identifier or a secret; undefined for bad escapes. */
function decodeForm(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}
