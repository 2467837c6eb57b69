/**
 * The routes that give tokens: login, refresh, and step-up by password. Delivery follows arrival: a token that came by cookie is
 * answered by cookie, so that no script ever reads a refresh token that lives in one.
 */
import type { FoundToken } from '../auth/authenticator.ts'
import type { TokenPair } from '../auth/issue-tokens.ts'
import { AuthError } from '../errors.ts'
import { type Delivery, type IssuedTokens, toTokenResponse } from '../http/token-response.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import { authenticateRequest, type RouteContext, type RouteDependencies, toJson } from './context.ts'
import { type Credentials, toPassword, toUsername, type VerifiedUser } from './credentials.ts'
import { endPresented } from './sessions.ts'

/** Reads how a login wants its tokens. */
function toAsked(asked: unknown, delivery: Delivery, byCookie: boolean): Delivery {
  if (asked === undefined) return delivery
  if (asked === 'body' || (asked === 'cookie' && byCookie)) return asked
  throw new AuthError('request_invalid')
}

/** How an answer travels: as the token came; in the hybrid by cookie also where the refresh token lies in one. */
async function toDelivery<C>(
  { auth, byCookie }: RouteDependencies<C>,
  { port }: RouteContext,
  found: FoundToken,
): Promise<Delivery> {
  if (found.location === 'cookie') return 'cookie'
  const hybrid = byCookie && !auth.http.cookies.carry.has('access')
  return hybrid && (await auth.findToken(port, 'refresh', ['cookie'])) !== null ? 'cookie' : 'body'
}

/** Answers new tokens. A refresh token that stays what it was gets no `Set-Cookie`: it stays where it is. */
function deliver<C>(
  { auth }: RouteDependencies<C>,
  by: Delivery,
  tokens: IssuedTokens,
  unchanged = false,
): Response {
  const { access_token, refresh_token } = tokens
  const { csrf } = auth.decodeUnverified(access_token).payload
  const body = toTokenResponse(by, tokens, auth.http.cookies, typeof csrf === 'string' ? csrf : undefined)
  if (by === 'body') return toJson(200, body)
  return toJson(200, body, auth.cookies(unchanged ? { access_token } : { access_token, refresh_token }))
}

/** Issues the tokens of a login, and with a store starts its session. */
async function issue<C>(
  { auth, stateful, address }: RouteDependencies<C>,
  { request, info }: RouteContext,
  { subject, scopes, data, amr, acr }: VerifiedUser<C>,
  provedAt: number,
): Promise<TokenPair> {
  const login = {
    fresh: true,
    ...(scopes && { scopes }),
    ...(data && { data }),
    ...(amr && { amr }),
    ...(acr && { acr }),
  }
  if (!stateful) return auth.createTokenPair(subject, login)
  const ip = address(request, info)
  const userAgent = request.headers.get('user-agent')
  return auth.sessions.start(subject, {
    ...login,
    provedAt,
    ...(ip && { ip }),
    ...(userAgent && { userAgent }),
  })
}

/** Checks a password within the limits. */
function tryPassword<C>(
  { throttle, address, verifyCredentials }: RouteDependencies<C>,
  { request, info }: RouteContext,
  credentials: Credentials,
): Promise<VerifiedUser<C>> {
  return throttle.run(credentials.username, address(request, info), () =>
    verifyCredentials(credentials, request),
  )
}

/** `POST /login`: a username and a password for both tokens, the access token fresh. */
export async function login<C>(parts: RouteDependencies<C>, context: RouteContext): Promise<Response> {
  const body = (await context.body()) ?? {}
  const credentials = { username: toUsername(body['username']), password: toPassword(body['password']) }
  const by = toAsked(body['delivery'], parts.delivery, parts.byCookie)
  const provedAt = parts.auth.now()
  const user = await tryPassword(parts, context, credentials)
  // The session that this browser had before is over: nobody can have planted it to find the user in it later.
  if (parts.stateful && parts.byCookie) await endPresented(parts, context, ['cookie'])
  return deliver(parts, by, await issue(parts, context, user, provedAt))
}

/** `POST /refresh`: a refresh token for a new access token that is not fresh, and the refresh token that is good from now on. */
export async function refresh<C>(parts: RouteDependencies<C>, context: RouteContext): Promise<Response> {
  const { auth, stateful } = parts
  const { found, payload } = await authenticateRequest(parts, context, parts.needs.refresh)
  const by = await toDelivery(parts, context, found)
  if (!stateful) {
    const access_token = await auth.createAccessToken(payload)
    const expires_in = auth.lifetimes.access
    return deliver(
      parts,
      by,
      { access_token, refresh_token: found.token, token_type: 'bearer', expires_in },
      true,
    )
  }
  const pair = await auth.sessions.refresh(payload)
  // The same generation with the same end is the same token: whoever holds it keeps the copy that came.
  const next = auth.decodeUnverified(pair.refresh_token).payload
  const unchanged = next['jti'] === payload.jti && next['exp'] === payload.exp
  return deliver(parts, by, unchanged ? { ...pair, refresh_token: found.token } : pair, unchanged)
}

/** `POST /verify-password`: an access token and the password for fresh tokens of the same session. */
export async function verifyPassword<C>(
  parts: RouteDependencies<C>,
  context: RouteContext,
): Promise<Response> {
  const { found, payload } = await authenticateRequest(parts, context, parts.needs.access)
  const body = (await context.body()) ?? {}
  const username = await parts.usernameOf(payload)
  const named = body['username']
  if (named !== undefined && toUsername(named) !== username) throw new AuthError('subject_mismatch')
  const credentials = { username, password: toPassword(body['password']) }
  const pair = await prove(parts, context, payload, credentials)
  return deliver(parts, await toDelivery(parts, context, found), { ...pair, fresh: true })
}

/** What a right password proves. */
function toProof<C>(
  { subject, amr, acr }: VerifiedUser<C>,
  { sub }: TokenPayload<C>,
): { readonly amr?: readonly string[]; readonly acr?: string } {
  if (subject !== sub) throw new AuthError('subject_mismatch')
  return { ...(amr && { amr }), ...(acr && { acr }) }
}

/** Issues fresh tokens to a user who proves to be the one of a token. A session counts the attempts itself, so that no login is blocked. */
async function prove<C>(
  parts: RouteDependencies<C>,
  context: RouteContext,
  payload: TokenPayload<C>,
  credentials: Credentials,
): Promise<TokenPair> {
  const { auth, stateful, verifyCredentials } = parts
  if (stateful) {
    return auth.sessions.stepUp(payload, async () => {
      const user = await verifyCredentials(credentials, context.request)
      return user === null ? null : toProof(user, payload)
    })
  }
  const proof = toProof(await tryPassword(parts, context, credentials), payload)
  return auth.createTokenPair(payload, { fresh: true, ...proof })
}

/** `POST /ticket`: an access token for a ticket that opens one WebSocket, for pages that cannot send the token there. */
export async function giveTicket<C>(parts: RouteDependencies<C>, context: RouteContext): Promise<Response> {
  const { payload } = await authenticateRequest(parts, context, parts.needs.access)
  return toJson(200, await parts.auth.createTicket(payload))
}
