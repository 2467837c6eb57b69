/**
 * What a login and a step-up take: a password, a passkey, and a code where the user has switched
 * that on. A passkey needs no code, because the device verifies its user. The routes of the library
 * call these functions and count how often they fail.
 */
import { AuthError } from 'tokenwright'
import type {
  Credentials,
  LoginContext,
  ProofWanted,
  StepUpContext,
  VerifiedStepUp,
  VerifiedUser,
} from 'tokenwright/routes'
import { PASSKEY_METHODS, type Passkeys, type Site } from './passkeys.ts'
import type { SecondFactors } from './second-factor.ts'
import type { Users } from './users.ts'

/** What the proofs build on. */
export interface ProofDependencies {
  readonly users: Pick<Users, 'verifyCredentials' | 'rightsOf'>
  readonly passkeys: Pick<Passkeys, 'verify' | 'list'>
  readonly secondFactors: Pick<SecondFactors, 'use' | 'stateOf'>
  /** The site that a request is for. */
  readonly siteOf: (request: Request) => Site
}

/** A way to prove who one is, for the page. */
export type Method = 'passkey' | 'code' | 'password'

/** The functions for `authRoutes`. */
export interface Proofs {
  /** Checks a login: null where something is wrong, `next` where a code is wanted, too. */
  verifyCredentials(
    credentials: Credentials,
    context: Pick<LoginContext, 'request' | 'proved'>,
  ): Promise<VerifiedUser<object> | ProofWanted | null>
  /** Checks a step-up: a passkey, a code, or the password if no code is switched on. */
  verifyStepUp(
    credentials: Readonly<Record<string, unknown>>,
    context: Pick<StepUpContext<unknown>, 'request' | 'proved'> & {
      readonly payload: { readonly sub: string }
    },
  ): Promise<VerifiedStepUp | Omit<ProofWanted, 'subject'> | null>
  /** The ways in which a user can step up, the best first. */
  methodsOf(username: string): Promise<readonly Method[]>
}

/** What the client is told of the second proof. */
const CODE_WANTED = { methods: ['totp', 'recovery-code'] }

/** Creates the checks. */
export function createProofs({ users, passkeys, secondFactors, siteOf }: ProofDependencies): Proofs {
  /** A user who was found by another way than the name. Null for one who is gone. */
  const toUser = async (subject: string, amr: readonly string[], remember: unknown) => {
    const rights = await users.rightsOf(subject)
    return rights && { subject, ...rights, amr, remember: remember !== false }
  }
  return {
    async verifyCredentials({ username, password, passkey, challenge, code, remember }, { request, proved }) {
      if (proved !== null) {
        const amr = await secondFactors.use(proved.subject, code)
        return amr && toUser(proved.subject, amr, proved.state['remember'])
      }
      if (passkey !== undefined) {
        const owner = await passkeys.verify({ passkey, challenge }, siteOf(request))
        return owner === null ? null : toUser(owner, PASSKEY_METHODS, remember)
      }
      const user = await users.verifyCredentials({ username, password, remember })
      if (user === null) return null
      const found = { ...user, amr: ['pwd'] }
      if (!(await secondFactors.stateOf(user.subject)).on) return found
      return { ...found, next: CODE_WANTED, state: { remember: remember !== false } }
    },
    async verifyStepUp({ password, passkey, challenge, code }, { request, proved, payload: { sub } }) {
      if (passkey !== undefined) {
        const owner = await passkeys.verify({ passkey, challenge }, siteOf(request))
        return owner === sub ? { amr: PASSKEY_METHODS } : null
      }
      if (code !== undefined || proved !== null) {
        const amr = await secondFactors.use(sub, code)
        return amr && { amr }
      }
      if (typeof password !== 'string') throw new AuthError('request_invalid')
      if ((await users.verifyCredentials({ username: sub, password })) === null) return null
      const amr = ['pwd']
      return (await secondFactors.stateOf(sub)).on ? { amr, next: CODE_WANTED } : { amr }
    },
    async methodsOf(username) {
      const [known, { on }] = await Promise.all([passkeys.list(username), secondFactors.stateOf(username)])
      return [...(known.length > 0 ? (['passkey'] as const) : []), on ? 'code' : 'password']
    },
  }
}
