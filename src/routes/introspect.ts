/**
 * `POST /introspect` (RFC 7662), for resource servers that do not verify tokens themselves: what an
 * access token says, if it is good now. Every other token gets the same response. So does a refresh
 * token, as a resource server must not accept it as an access token.
 */
import type { TokenPayload } from '../token/token-payload.ts'
import { readClientToken } from './client-token.ts'
import { type RouteContext, type RouteDependencies, toJsonResponse } from './context.ts'

/** `POST /introspect`. */
export async function introspect<C>(deps: RouteDependencies<C>, context: RouteContext): Promise<Response> {
  const { payload } = await readClientToken(deps, context, deps.requirements.live)
  return toJsonResponse(200, payload === null ? { active: false } : toClaims(payload))
}

/**
 * The members of RFC 7662 section 2.2 and RFC 9470 section 6.2. Custom claims stay with the
 * application.
 */
function toClaims({ scopes, ...payload }: TokenPayload<unknown>): Readonly<Record<string, unknown>> {
  const { sub, exp, iat, nbf, iss, aud, jti, sid, auth_time, acr, amr, client_id } = payload
  const scope = scopes.join(' ')
  return {
    active: true,
    ...(scope !== '' && { scope }),
    token_type: 'Bearer',
    ...{ sub, exp, iat, nbf, iss, aud, jti, sid, auth_time, acr, amr, client_id },
  }
}
