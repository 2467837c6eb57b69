/**
 * `POST /login`: a username and a password for both tokens, the access token fresh. With a store it
 * starts a session, and ends the one that the browser had before.
 */
import { AuthError } from '../errors.ts'
import type { Delivery } from '../http/token-response.ts'
import type { IssuedPair } from '../token/issued-token.ts'
import { endSessionOfRequest, type RouteContext, type RouteDependencies } from './context.ts'
import { toMissingBody, toPassword, toUsername, type VerifiedUser } from './credentials.ts'
import { deliverTokens } from './token-delivery.ts'

/** `POST /login`. */
export async function login<C>(deps: RouteDependencies<C>, context: RouteContext): Promise<Response> {
  const body = await context.body()
  if (body === undefined) throw toMissingBody(context.request.headers.get('content-type'))
  const credentials = { username: toUsername(body['username']), password: toPassword(body['password']) }
  const by = readDelivery(body['delivery'], deps)
  const provedAt = deps.auth.now()
  context.facts.account = deps.accountOf(credentials.username)
  const user = await deps.checkPassword(credentials, context)
  deps.usernames.noteLogin(credentials.username, user.subject)
  if (by === 'cookie') {
    deps.warnings.noteCookieLogin(context.request.headers.get('origin'))
    await checkCookieSize(deps, user)
  }
  // An attacker who planted a session in this browser must not see the user in it.
  if (deps.hasSessions && deps.usesCookies)
    await endSessionOfRequest(deps, context, deps.requirements.earlier)
  return deliverTokens(deps, by, await issue(deps, context, user, provedAt))
}

function readDelivery<C>(value: unknown, { delivery, usesCookies }: RouteDependencies<C>): Delivery {
  if (value === undefined) return delivery
  if (value === 'body' || (value === 'cookie' && usesCookies)) return value
  const message = `Expected \`delivery\` in the body to be 'body'${usesCookies ? " or 'cookie'" : ''}`
  throw new AuthError('request_invalid', { message })
}

/** The most characters of scopes and data that surely fit into a cookie. */
const SURELY_FITS = 1024

/** Fails before a session is started where its cookies would be too large to be kept. */
async function checkCookieSize<C>(
  { auth }: RouteDependencies<C>,
  user: VerifiedUser<unknown>,
): Promise<void> {
  if (JSON.stringify([user.subject, user.scopes, user.data]).length <= SURELY_FITS) return
  auth.internals.toCookies(await auth.internals.issuePair(user.subject, toLoginOptions(user)))
}

function toLoginOptions({ scopes, data, amr, acr }: VerifiedUser<unknown>) {
  return {
    fresh: true,
    ...(scopes && { scopes }),
    ...(Boolean(data) && { data }),
    ...(amr && { amr }),
    ...(acr && { acr }),
  }
}

async function issue<C>(
  { auth, hasSessions }: RouteDependencies<C>,
  { request, address }: RouteContext,
  user: VerifiedUser<unknown>,
  provedAt: number,
): Promise<IssuedPair> {
  const { subject } = user
  const options = toLoginOptions(user)
  if (!hasSessions) return auth.internals.issuePair(subject, options)
  const ip = await address()
  const userAgent = request.headers.get('user-agent')
  return auth.internals.sessions.start(subject, {
    ...options,
    provedAt,
    ...(ip && { ip }),
    ...(userAgent && { userAgent }),
  })
}
