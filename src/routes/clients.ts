/**
 * Clients of the application, such as resource servers, that introspect and revoke tokens. They
 * authenticate by HTTP Basic, the one way that every server must support (RFC 6749 section 2.3.1,
 * RFC 7617).
 */
import { AuthError } from '../errors.ts'
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
 */
export async function authenticateClient(
  verifyClient: VerifyClient | null,
  request: Request,
): Promise<string> {
  const client = readBasic(request.headers.get('authorization'))
  if (client === undefined || verifyClient === null) throw new AuthError('client_invalid')
  let isKnown: unknown
  try {
    isKnown = await withDeadline('verifyClient', DEADLINE, () => verifyClient(client, request))
  } catch (error) {
    const cause = new Error('The option `verifyClient` could not check the client', { cause: error })
    throw new AuthError('store_unavailable', { cause })
  }
  if (isKnown !== true) throw new AuthError('client_invalid')
  return client.id
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
    const cause = new Error('The option `mayRevoke` could not check the client', { cause: error })
    throw new AuthError('store_unavailable', { cause })
  }
}

/** Reads HTTP Basic; undefined for anything else. */
function readBasic(header: string | null): Client | undefined {
  if (header === null || header.length > MAX_HEADER) return undefined
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(header)?.[1]
  const text = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  const id = decodeForm(text.slice(0, Math.max(0, colon)))
  const secret = decodeForm(text.slice(colon + 1))
  return colon < 1 || !id || !secret ? undefined : { id, secret }
}

/** Undoes the form encoding of an identifier or a secret; undefined for bad escapes. */
function decodeForm(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}
