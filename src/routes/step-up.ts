/**
 * `POST /verify-password`: an access token and the password for fresh tokens of the same session. A
 * session counts the attempts itself, so that no login is blocked by them.
 */
import { AuthError } from '../errors.ts'
import type { IssuedPair } from '../token/issued-token.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import { authenticateRequest, type RouteContext, type RouteDependencies } from './context.ts'
import { type Credentials, toPassword, toUsername, type VerifiedUser } from './credentials.ts'
import { checkPassword } from './login.ts'
import { deliverTokens, toDelivery } from './token-delivery.ts'

/** `POST /verify-password`. */
export async function verifyPassword<C>(
  deps: RouteDependencies<C>,
  context: RouteContext,
): Promise<Response> {
  const { payload, extracted } = await authenticateRequest(deps, context, deps.requirements.access)
  const body = (await context.body()) ?? {}
  const username = await deps.usernameOf(payload)
  const given = body['username']
  if (given !== undefined && toUsername(given) !== username) throw new AuthError('subject_mismatch')
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
  const { auth, hasSessions, verifyCredentials } = deps
  if (hasSessions) {
    return auth.internals.sessions.stepUp(payload, async () => {
      const user = await verifyCredentials(credentials, context.request)
      return user === null ? null : toProof(user, payload)
    })
  }
  const proof = toProof(await checkPassword(deps, context, credentials), payload)
  return auth.internals.issuePair(payload, { fresh: true, ...proof })
}

/** What the right password proves, if it is the password of the token's user. */
function toProof<C>(
  { subject, amr, acr }: VerifiedUser<C>,
  { sub }: TokenPayload<C>,
): { readonly amr?: readonly string[]; readonly acr?: string } {
  if (subject !== sub) throw new AuthError('subject_mismatch')
  return { ...(amr && { amr }), ...(acr && { acr }) }
}
