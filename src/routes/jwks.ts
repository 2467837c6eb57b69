/** `GET /.well-known/jwks.json`: the public keys (RFC 7517 section 5). */
import type { RouteDependencies } from './context.ts'

/** `GET /.well-known/jwks.json`. */
export async function jwks<C>({ auth }: RouteDependencies<C>): Promise<Response> {
  await auth.internals.loadKeys()
  const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'public, max-age=300' }
  return new Response(JSON.stringify(auth.jwks()), { headers })
}
