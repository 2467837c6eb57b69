/**
 * `POST /login`: credentials for both tokens, the access token fresh. With a store it starts a
 * session, and ends the one that the browser had before. Where the application wants one more
 * proof, the response is a continuation, and the next request brings both.
 */
import { AuthError } from '../errors.ts'
import type { Delivery } from '../http/token-response.ts'
import type { IssuedPair } from '../token/issued-token.ts'
import { endSessionOfRequest, type RouteContext, type RouteDependencies } from './context.ts'
import {
  checkVerifiedUser,
  readCredentials,
  readUsername,
  requireClaims,
  toMissingBody,
  type VerifiedUser,
} from './credentials.ts'
import { deliverTokens } from './token-delivery.ts'

/** `POST /login`. */
export async function login<C>(deps: RouteDependencies<C>, context: RouteContext): Promise<Response> {
  const body = await context.body()
  if (body === undefined) throw toMissingBody(context.request.headers.get('content-type'))
  const earlier = await deps.continuations.read('continue login', body['continuation'])
  const credentials = await readCredentials(body, deps.credentials, earlier !== null)
  const by = readDelivery(body['delivery'], deps)
  const account = earlier?.account ?? readUsername(body)
  const provedAt = deps.auth.now()
  if (account !== undefined) context.facts.account = deps.accountOf(account)
  const user = await deps.checkProof<VerifiedUser<unknown>>(
    {
      purpose: 'continue login',
      account,
      earlier,
      option: 'verifyCredentials',
      verify: (details) => deps.verifyCredentials(credentials, details),
      check: (result) => checkUser(deps, result, account),
    },
    context,
  )
  if (by === 'cookie') {
    deps.warnings.noteCookieLogin(context.request.headers.get('origin'))
    await checkCookieSize(deps, user, account)
  }
  // An attacker who planted a session in this browser must not see the user in it.
  if (deps.hasSessions && deps.usesCookies)
    await endSessionOfRequest(deps, context, deps.requirements.earlier)
  return deliverTokens(deps, by, await issue(deps, context, { user, account, provedAt }))
}

/** Checks what `verifyCredentials` returned, down to the claims that the tokens would have. */
async function checkUser<C>(deps: RouteDependencies<C>, result: unknown, account: string | undefined) {
  const user = checkVerifiedUser(result)
  if (user === null || ('next' in user && user.next !== undefined)) return user
  const { checkClaims } = deps.auth.internals
  const found = user as VerifiedUser<unknown>
  await requireClaims('verifyCredentials', () => {
    deps.auth.internals.checkDetails(found)
    return checkClaims(found.subject, toLoginOptions(deps, found, account))
  })
  return user
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
  deps: RouteDependencies<C>,
  user: VerifiedUser<unknown>,
  account: string | undefined,
): Promise<void> {
  if (JSON.stringify([user.subject, user.scopes, user.data]).length <= SURELY_FITS) return
  const { toCookies, issuePair } = deps.auth.internals
  toCookies(await issuePair(user.subject, toLoginOptions(deps, user, account)))
}

function toLoginOptions<C>(
  { usernames }: RouteDependencies<C>,
  { subject, scopes, data, amr, acr, remember }: VerifiedUser<unknown>,
  account: string | undefined,
) {
  const loginName = usernames.toLoginName(account, subject)
  return {
    fresh: true,
    ...(loginName !== undefined && { loginName }),
    ...(scopes && { scopes }),
    ...(Boolean(data) && { data }),
    ...(amr && { amr }),
    ...(acr && { acr }),
    ...(remember !== undefined && { remember }),
  }
}

/** A login whose credentials were correct. */
interface CheckedLogin {
  readonly user: VerifiedUser<unknown>
  /** The username; undefined where the credentials have none. */
  readonly account: string | undefined
  /** The moment before the credentials were checked. */
  readonly provedAt: number
}

async function issue<C>(
  deps: RouteDependencies<C>,
  { request, address }: RouteContext,
  { user, account, provedAt }: CheckedLogin,
): Promise<IssuedPair> {
  const { auth, hasSessions } = deps
  const { subject } = user
  const options = toLoginOptions(deps, user, account)
  if (!hasSessions) return auth.internals.issuePair(subject, options)
  const ip = await address()
  const userAgent = request.headers.get('user-agent')
  const { metadata, label } = user
  return auth.internals.sessions.start(subject, {
    ...options,
    ...(metadata !== undefined && { metadata }),
    ...(label !== undefined && { label }),
    provedAt,
    ...(ip && { ip }),
    ...(userAgent && { userAgent }),
  })
}
