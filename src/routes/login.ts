/**
 * `POST /login`: a username and a password for both tokens, the access token fresh. With a store it
 * starts a session, and ends the one that the browser had before.
 */
import { AuthError } from '../errors.ts'
import type { Delivery } from '../http/token-response.ts'
import type { IssuedPair } from '../token/issued-token.ts'
import { endSessionOfRequest, type RouteContext, type RouteDependencies } from './context.ts'
import { type Credentials, toPassword, toUsername, type VerifiedUser } from './credentials.ts'
import { deliverTokens } from './token-delivery.ts'

/** `POST /login`. */
export async function login<C>(deps: RouteDependencies<C>, context: RouteContext): Promise<Response> {
  const body = (await context.body()) ?? {}
  const credentials = { username: toUsername(body['username']), password: toPassword(body['password']) }
  const by = readDelivery(body['delivery'], deps)
  const provedAt = deps.auth.now()
  const user = await checkPassword(deps, context, credentials)
  // A session that was planted in this browser must not show the user to whoever planted it.
  if (deps.hasSessions && deps.usesCookies)
    await endSessionOfRequest(deps, context, deps.requirements.earlier)
  return deliverTokens(deps, by, await issue(deps, context, user, provedAt))
}

function readDelivery<C>(value: unknown, { delivery, usesCookies }: RouteDependencies<C>): Delivery {
  if (value === undefined) return delivery
  if (value === 'body' || (value === 'cookie' && usesCookies)) return value
  throw new AuthError('request_invalid')
}

/**
 * Checks a password within the limits.
 *
 * @throws {AuthError} `credentials_invalid`, `rate_limited`
 */
export function checkPassword<C>(
  { throttle, address, verifyCredentials }: RouteDependencies<C>,
  { request, info }: RouteContext,
  credentials: Credentials,
): Promise<VerifiedUser<C>> {
  return throttle.run(credentials.username, address(request, info), () =>
    verifyCredentials(credentials, request),
  )
}

async function issue<C>(
  { auth, hasSessions, address }: RouteDependencies<C>,
  { request, info }: RouteContext,
  { subject, scopes, data, amr, acr }: VerifiedUser<C>,
  provedAt: number,
): Promise<IssuedPair> {
  const options = {
    fresh: true,
    ...(scopes && { scopes }),
    ...(data && { data }),
    ...(amr && { amr }),
    ...(acr && { acr }),
  }
  if (!hasSessions) return auth.internals.issuePair(subject, options)
  const ip = address(request, info)
  const userAgent = request.headers.get('user-agent')
  return auth.internals.sessions.start(subject, {
    ...options,
    provedAt,
    ...(ip && { ip }),
    ...(userAgent && { userAgent }),
  })
}
