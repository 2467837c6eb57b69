/**
 * Routes for resource servers that do not verify tokens themselves: introspection (RFC 7662) and revocation (RFC 7009). Both want a
 * client that the application knows. A token that is no good is told apart from no other one.
 */
import { AuthError, isAuthError } from '../errors.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import { authenticateClient } from './clients.ts'
import { type RouteContext, type RouteDependencies, toJson } from './context.ts'

/** The token that a client asks about. `token_type_hint` may be there and changes nothing: every token says its type. */
async function readToken(context: RouteContext): Promise<string> {
  const { token } = (await context.body()) ?? {}
  if (typeof token === 'string' && token !== '') return token
  throw new AuthError('request_invalid')
}

/** Verifies a token; null for one that is no good. A store that is down is no verdict. */
async function verify<C>(work: Promise<TokenPayload<C>>): Promise<TokenPayload<C> | null> {
  try {
    return await work
  } catch (error) {
    if (isAuthError(error) && error.code !== 'store_unavailable') return null
    throw error
  }
}

/** What a token says, in the words of RFC 7662 section 2.2 and RFC 9470 section 6.2. Custom claims stay with the application. */
function toClaims({ scopes, ...payload }: TokenPayload<unknown>): Readonly<Record<string, unknown>> {
  const { sub, exp, iat, nbf, iss, aud, jti, sid, auth_time, acr, amr } = payload
  const scope = scopes.join(' ')
  return {
    active: true,
    ...(scope !== '' && { scope }),
    token_type: 'Bearer',
    ...{ sub, exp, iat, nbf, iss, aud, jti, sid, auth_time, acr, amr },
  }
}

/**
 * `POST /introspect`: what an access token says, if it is live at this moment. A refresh token is `active: false`: to a resource server
 * it is not a token, and one that took it for one would be deceived.
 */
export async function introspect<C>(parts: RouteDependencies<C>, context: RouteContext): Promise<Response> {
  await authenticateClient(parts.verifyClient, context.request)
  const token = await readToken(context)
  const payload = await verify(parts.auth.verifyToken(token, parts.needs.live))
  return toJson(200, payload === null ? { active: false } : toClaims(payload))
}

/** `POST /revoke`: an access token by itself, a refresh token with its session. 200 for any token, known or not (RFC 7009 section 2.2). */
export async function revoke<C>(parts: RouteDependencies<C>, context: RouteContext): Promise<Response> {
  await authenticateClient(parts.verifyClient, context.request)
  const token = await readToken(context)
  const payload = await verify(parts.auth.verifyToken(token, parts.needs.any))
  // A token without a name of its own cannot be revoked by it; ours have one.
  if (payload !== null && (payload.jti !== undefined || payload.sid !== undefined))
    await parts.auth.revoke(payload)
  return toJson(200, {})
}
