/**
 * Clients of the application, such as resource servers, that introspect and revoke tokens. They
 * authenticate by HTTP Basic, the one way that every server must support (RFC 6749 section 2.3.1,
 * RFC 7617).
 */
import { AuthError } from '../errors.ts'
import { withDeadline } from '../internal/with-deadline.ts'

/** What a client sends to authenticate. */
export interface Client {
  /** Its identifier. */
  readonly id: string
  /** Its secret. */
  readonly secret: string
}

/** Checks a client's identifier and secret. */
export type VerifyClient = (client: Client, request: Request) => boolean | Promise<boolean>

/** How long `verifyClient` may take, in seconds. */
const DEADLINE = 5

/** The longest `Authorization` header that is read, in characters. */
const MAX_HEADER = 2048

/**
 * Authenticates the client of a request.
 *
 * @throws {AuthError} `client_invalid`, also where the request names no client; `store_unavailable`
 *   when `verifyClient` fails
 */
export async function authenticateClient(verifyClient: VerifyClient | null, request: Request): Promise<void> {
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
