/** `GET /.well-known/jwks.json`: the public keys (RFC 7517 section 5). */
import type { RouteDependencies } from './context.ts'

/**
 * How long a cache may keep the set, in seconds: less than a key is announced for, so that no
 * verifier misses it. A set ends with the first of its keys, too.
 */
const LONGEST = 300

/** `GET /.well-known/jwks.json`. */
export async function jwks<C>({ auth }: RouteDependencies<C>): Promise<Response> {
  await auth.internals.loadKeys()
  const seconds = Math.floor(Math.min(LONGEST, auth.internals.keysLast()))
  const headers = { 'Content-Type': 'application/json', 'Cache-Control': `public, max-age=${seconds}` }
  return new Response(JSON.stringify(auth.jwks()), { headers })
}
