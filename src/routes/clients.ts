/**
 * Clients of the application, such as resource servers, by HTTP Basic: the one way that every server must support (RFC 6749
 * section 2.3.1, RFC 7617). What a client may do is for the routes; who it is, for the application.
 */
import { AuthError } from '../errors.ts'

/** What a client says of itself. */
export interface Client {
  /** Its identifier. */
  readonly id: string
  /** Its secret. */
  readonly secret: string
}

/** The longest `Authorization` header that is looked at, in characters. */
const MAX_HEADER = 2048

/** Undoes the form encoding of an identifier or a secret; undefined for bad escapes. */
function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}

/** Reads HTTP Basic; undefined for anything else. */
function readBasic(header: string | null): Client | undefined {
  if (header === null || header.length > MAX_HEADER) return undefined
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(header)?.[1]
  const text = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  const id = decode(text.slice(0, Math.max(0, colon)))
  const secret = decode(text.slice(colon + 1))
  return colon < 1 || !id || !secret ? undefined : { id, secret }
}

/** Knows clients. */
export type VerifyClient = (client: Client, request: Request) => boolean | Promise<boolean>

/**
 * Makes sure that a client is who it says.
 *
 * @throws {AuthError} `client_invalid`, also for a client that says nothing; `store_unavailable` when nobody can tell
 */
export async function authenticateClient(verifyClient: VerifyClient | null, request: Request): Promise<void> {
  const client = readBasic(request.headers.get('authorization'))
  if (client === undefined || verifyClient === null) throw new AuthError('client_invalid')
  let known: unknown
  try {
    known = await verifyClient(client, request)
  } catch (cause) {
    throw new AuthError('store_unavailable', { cause })
  }
  if (known !== true) throw new AuthError('client_invalid')
}
