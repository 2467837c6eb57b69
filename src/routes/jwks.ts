/** `GET /.well-known/jwks.json`: the public keys (RFC 7517 section 5). */
import type { RouteDependencies } from './context.ts'

/** `GET /.well-known/jwks.json`. */
export function jwks<C>({ auth }: RouteDependencies<C>): Response {
  const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'public, max-age=300' }
  return new Response(JSON.stringify(auth.jwks()), { headers })
}
