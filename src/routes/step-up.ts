/**
 * `POST /step-up` and `POST /verify-password`: an access token and a proof for fresh tokens of the
 * same session. The proof is what the application's `verifyStepUp` takes, or else what a login
 * takes. The limits of logins hold here too.
 */
import { AuthError } from '../errors.ts'
import type { Proof } from '../session/sessions.ts'
import type { IssuedPair } from '../token/issued-token.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import { authenticateRequest, type RouteContext, type RouteDependencies } from './context.ts'
import type { EarlierProofs } from './continuations.ts'
import {
  checkStepUp,
  checkVerifiedUser,
  readCredentials,
  toMissingBody,
  toPassword,
  toUsername,
  type VerifiedStepUp,
  type VerifiedUser,
  withoutOwnMembers,
} from './credentials.ts'
import { deliverTokens, toDelivery } from './token-delivery.ts'

/** `POST /step-up`. */
export async function stepUpByProof<C>(deps: RouteDependencies<C>, context: RouteContext): Promise<Response> {
  const { verifyStepUp } = deps
  return respond(deps, context, async (request) => {
    if (verifyStepUp === null) return prepareLoginCheck(deps, context, request)
    const credentials = withoutOwnMembers(request.body)
    const { payload } = request
    return () =>
      deps.checkProof<VerifiedStepUp & { readonly subject?: string }>(
        {
          ...toAttempt(request),
          option: 'verifyStepUp',
          verify: (details) => verifyStepUp(credentials, { ...details, payload }),
          check(result) {
            const checked = checkStepUp(result)
            return checked && { ...checked, subject: payload.sub }
          },
        },
        context,
      )
  })
}

/** `POST /verify-password`. */
export async function verifyPassword<C>(
  deps: RouteDependencies<C>,
  context: RouteContext,
): Promise<Response> {
  return respond(deps, context, async (request) => {
    if (request.earlier === null) toPassword(request.body['password'])
    return prepareLoginCheck(deps, context, request)
  })
}

/** A request to step up. */
interface StepUpRequest<C> {
  readonly payload: TokenPayload<C>
  readonly body: Readonly<Record<string, unknown>>
  /** The name that the user logs in with. */
  readonly username: string
  readonly earlier: EarlierProofs | null
}

/** Checks the proof of a step-up. Rejects with what refuses it. */
type CheckStepUp = () => Promise<Proof>

async function respond<C>(
  deps: RouteDependencies<C>,
  context: RouteContext,
  prepare: (request: StepUpRequest<C>) => Promise<CheckStepUp>,
): Promise<Response> {
  const { payload, extracted } = await authenticateRequest(deps, context, deps.requirements.access)
  const body = await context.body()
  if (body === undefined) throw toMissingBody(context.request.headers.get('content-type'))
  context.facts.sub = payload.sub
  const username = await deps.usernames.find(payload)
  const given = body['username']
  if (given !== undefined && toUsername(given) !== username) throw new AuthError('subject_mismatch')
  context.facts.account = deps.accountOf(username)
  const earlier = await deps.continuations.read('continue step-up', body['continuation'])
  if (earlier !== null && (earlier.subject !== payload.sub || earlier.sid !== payload.sid))
    throw new AuthError('continuation_invalid')
  const check = await prepare({ payload, body, username, earlier })
  const { access, refresh } = await authenticateAgain(deps, payload, check)
  return deliverTokens(deps, await toDelivery(deps, context, extracted), { access, refresh, fresh: true })
}

/** Prepares the check by what a login takes. */
async function prepareLoginCheck<C>(
  deps: RouteDependencies<C>,
  context: RouteContext,
  request: StepUpRequest<C>,
): Promise<CheckStepUp> {
  const { payload, body, username, earlier } = request
  // Whose password it is follows from the token.
  const members = body['password'] === undefined ? body : { ...body, username }
  const credentials = await readCredentials(members, deps.credentials, earlier !== null)
  return () =>
    deps.checkProof<VerifiedUser<unknown>>(
      {
        ...toAttempt(request),
        option: 'verifyCredentials',
        verify: (details) => deps.verifyCredentials(credentials, details),
        check(result) {
          const user = checkVerifiedUser(result)
          if (user !== null && user.subject !== payload.sub) throw new AuthError('subject_mismatch')
          return user
        },
      },
      context,
    )
}

function toAttempt<C>({ payload, username, earlier }: StepUpRequest<C>) {
  return { purpose: 'continue step-up' as const, account: username, earlier, sid: payload.sid }
}

async function authenticateAgain<C>(
  { auth, hasSessions }: RouteDependencies<C>,
  payload: TokenPayload<C>,
  check: CheckStepUp,
): Promise<IssuedPair> {
  const verify = async (): Promise<Proof> => {
    const { amr, acr } = await check()
    return { amr, acr }
  }
  // The proof is counted by the limits of logins: the session needs none of its own.
  if (hasSessions) return auth.internals.sessions.stepUp(payload, verify, { limit: false })
  if (auth.loadsSubject) await auth.loadSubject(payload)
  const { amr, acr } = await verify()
  return auth.internals.issuePair(payload, { fresh: true, ...(amr && { amr }), ...(acr && { acr }) })
}
