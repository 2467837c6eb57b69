/**
 * `POST /verify-password`: an access token and the password for fresh tokens of the same session.
 * The limits of logins hold here too.
 */
import { AuthError } from '../errors.ts'
import type { Proof } from '../session/sessions.ts'
import type { IssuedPair } from '../token/issued-token.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import { authenticateRequest, type RouteContext, type RouteDependencies } from './context.ts'
import { type Credentials, toMissingBody, toPassword, toUsername, type VerifiedUser } from './credentials.ts'
import { deliverTokens, toDelivery } from './token-delivery.ts'

/** `POST /verify-password`. */
export async function verifyPassword<C>(
  deps: RouteDependencies<C>,
  context: RouteContext,
): Promise<Response> {
  const { payload, extracted } = await authenticateRequest(deps, context, deps.requirements.access)
  const body = await context.body()
  if (body === undefined) throw toMissingBody(context.request.headers.get('content-type'))
  context.facts.sub = payload.sub
  const username = await deps.usernames.find(payload)
  const given = body['username']
  if (given !== undefined && toUsername(given) !== username) throw new AuthError('subject_mismatch')
  context.facts.account = deps.accountOf(username)
  const credentials = { username, password: toPassword(body['password']) }
  const { access, refresh } = await authenticateAgain(deps, context, payload, credentials)
  return deliverTokens(deps, await toDelivery(deps, context, extracted), { access, refresh, fresh: true })
}

async function authenticateAgain<C>(
  deps: RouteDependencies<C>,
  context: RouteContext,
  payload: TokenPayload<C>,
  credentials: Credentials,
): Promise<IssuedPair> {
  const { auth, hasSessions, checkPassword } = deps
  const verify = async (): Promise<Proof> => toProof(await checkPassword(credentials, context), payload)
  // The password is counted by the limits of logins: the session needs none of its own.
  if (hasSessions) return auth.internals.sessions.stepUp(payload, verify, { limit: false })
  if (auth.loadsSubject) await auth.loadSubject(payload)
  const { amr, acr } = await verify()
  return auth.internals.issuePair(payload, { fresh: true, ...(amr && { amr }), ...(acr && { acr }) })
}

/** What the right password proves, if it is the password of the token's user. */
function toProof<C>({ subject, amr, acr }: VerifiedUser<unknown>, { sub }: TokenPayload<C>): Proof {
  if (subject !== sub) throw new AuthError('subject_mismatch')
  return { amr, acr }
}
