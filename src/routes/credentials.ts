/**
 * The credentials of requests, and what the application returns for them: a user, the wish for one
 * more proof, or null.
 */
import { AuthError } from '../errors.ts'
import type { Awaitable } from '../internal/awaitable.ts'
import { ConfigurationError, isRecord } from '../internal/configuration-error.ts'
import { findJsonMisfit } from '../internal/json.ts'
import type { StandardSchema } from '../internal/schema.ts'
import type { DataFor } from '../token/custom-claims.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import type { CountAgainst } from './throttle/throttle.ts'

/**
 * The body of a login, without the members that the route reads itself. Where the application has
 * no schema for it, username and password are checked: a body has both, or neither.
 */
export interface Credentials {
  /** The username, 1-320 characters, not normalized; empty in a body that has neither. */
  readonly username: string
  /** The password, 1-1024 bytes of UTF-8; empty in the same case. */
  readonly password: string
  /** Any other member, as the client sent it. */
  readonly [member: string]: unknown
}

/** What was proved so far, when a login or a step-up takes several requests. */
export interface ProvedSoFar {
  /** Whom the proofs are about. */
  readonly subject: string
  /** How the user authenticated so far: method names (RFC 8176). */
  readonly amr: readonly string[]
  /** The `state` of the result before. */
  readonly state: Readonly<Record<string, unknown>>
}

/**
 * A user whose credentials were correct. `data` is required if `I`, what the schema takes, has a
 * required member.
 */
export type VerifiedUser<I> = DataFor<I> & {
  /** The `sub` of the tokens. */
  readonly subject: string
  /** The user's scopes. Default none. */
  readonly scopes?: readonly string[] | undefined
  /** How the user authenticated: method names (RFC 8176). Those of earlier proofs are added. */
  readonly amr?: readonly string[] | undefined
  /** The authentication context class. */
  readonly acr?: string | undefined
  /**
   * Whether the user wants to stay signed in. With `false` the cookies end with the browser, and
   * the session lasts as long as `sessions.brief` says. Default true.
   */
  readonly remember?: boolean | undefined
  /**
   * What the session keeps of this login, and no token has: plain JSON of at most 4096 bytes, with
   * a session store.
   */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
  /** What the user calls the session, of 1 to 100 characters, with a session store. */
  readonly label?: string | null | undefined
}

/**
 * One more proof is wanted. The response is 401 `proof_required` with `next` and a continuation,
 * which the client sends beside the next proof.
 */
export interface ProofWanted {
  /** What the client needs to know of the next proof, as JSON, such as `{ methods: ['totp'] }`. */
  readonly next: Readonly<Record<string, unknown>>
  /** Whose credentials were correct so far. The last proof must be about the same user. */
  readonly subject: string
  /** How the user authenticated with this proof: method names (RFC 8176). */
  readonly amr?: readonly string[] | undefined
  /** What the next request needs, as JSON. It is signed but not secret: the client can read it. */
  readonly state?: Readonly<Record<string, unknown>> | undefined
}

/** What `verifyCredentials` gets besides the credentials. */
export interface LoginContext {
  /** The request. Its body has been read. */
  readonly request: Request
  /** The client's address, as the option `address` returns it. */
  readonly address: string | undefined
  /** The client's user agent. */
  readonly userAgent: string | undefined
  /** What earlier requests of this login proved; null in the first one. */
  readonly proved: ProvedSoFar | null
  /**
   * Counts this attempt against a subject as well. Where several names lead to one user (a name and
   * a mail address), call it with the user's identifier before you compare the password. Rejects
   * with `rate_limited`, which is then the response of the route.
   */
  readonly countAgainst: CountAgainst
}

/** What `verifyStepUp` gets besides the credentials. */
export interface StepUpContext<C> extends LoginContext {
  /** The access token of the user who is to authenticate again. */
  readonly payload: TokenPayload<C>
}

/** Checks the credentials of a login; null when they are wrong. */
export type VerifyCredentials<I, B = Credentials> = (
  credentials: B,
  context: LoginContext,
) => Awaitable<VerifiedUser<I> | ProofWanted | null>

/** What a step-up proved. */
export interface VerifiedStepUp {
  /** How the user authenticated: method names (RFC 8176). Those of earlier proofs are added. */
  readonly amr?: readonly string[] | undefined
  /** The authentication context class. */
  readonly acr?: string | undefined
}

/** Checks the credentials of a step-up; null when they are wrong. */
export type VerifyStepUp<C> = (
  credentials: Readonly<Record<string, unknown>>,
  context: StepUpContext<C>,
) => Awaitable<VerifiedStepUp | Omit<ProofWanted, 'subject'> | null>

/** The deepest `next` and `state`. */
const DEPTH = 8

/**
 * Checks what `verifyCredentials` returned: a user, the wish for one more proof, or null.
 *
 * @throws {ConfigurationError} for anything else: a forgotten `return` must let no one in, and must
 *   be seen
 */
export function checkVerifiedUser(result: unknown): VerifiedUser<unknown> | ProofWanted | null {
  if (result === null) return null
  const subject = isRecord(result) ? result['subject'] : undefined
  if (typeof subject !== 'string' || subject === '') {
    const got = isRecord(result) ? 'an object without it' : describe(result)
    throw new ConfigurationError(
      'Expected `verifyCredentials` to return a user with a non-empty string as `subject`, or null where the credentials are wrong; ' +
        `got ${got}. The attempt counts as a failure.`,
    )
  }
  const found = result as unknown as VerifiedUser<unknown> | ProofWanted
  if ('next' in found && found.next !== undefined) checkNext('verifyCredentials', found)
  return found
}

/**
 * Checks what `verifyStepUp` returned.
 *
 * @throws {ConfigurationError} for anything but an object or null
 */
export function checkStepUp(result: unknown): VerifiedStepUp | Omit<ProofWanted, 'subject'> | null {
  if (result === null) return null
  if (!isRecord(result))
    throw new ConfigurationError(
      `Expected \`verifyStepUp\` to return { amr, acr }, or null where the credentials are wrong; got ${describe(result)}. The attempt counts as a failure.`,
    )
  if (result['next'] !== undefined) checkNext('verifyStepUp', result as unknown as ProofWanted)
  return result as VerifiedStepUp
}

/**
 * Turns the `TypeError` of claims into the error of the function that returned them.
 *
 * @throws {ConfigurationError} which says what was wrong
 */
export async function requireClaims(option: string, check: () => Awaitable<void>): Promise<void> {
  try {
    await check()
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw new ConfigurationError(
      `${error.message}, in what \`${option}\` returned. The attempt counts as a failure.`,
    )
  }
}

function checkNext(option: string, { next, state = {} }: Omit<ProofWanted, 'subject'>): void {
  const isSound = [next, state].every(
    (value) => isRecord(value) && findJsonMisfit(value, DEPTH) === undefined,
  )
  if (!isSound)
    throw new ConfigurationError(
      `Expected \`next\` and \`state\` of \`${option}\` to be objects of plain JSON. The attempt counts as a failure.`,
    )
}

/** Describes a value without its text, which may be a password. */
function describe(value: unknown): string {
  return value === undefined || typeof value === 'boolean' ? String(value) : `a value of type ${typeof value}`
}

/** The members of a body that the routes read themselves. */
const OWN_MEMBERS: ReadonlySet<string> = new Set(['delivery', 'continuation'])

/** The members of a body that are credentials. */
export function withoutOwnMembers(body: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(body).filter(([name]) => !OWN_MEMBERS.has(name)))
}

/**
 * Reads the credentials of a body.
 *
 * @param schema the application's schema; without one username and password are checked
 * @param hasProofs whether earlier requests proved something: then neither is demanded
 * @throws {AuthError} `request_invalid`, which names the members that are wrong
 */
export async function readCredentials(
  body: Readonly<Record<string, unknown>>,
  schema: StandardSchema<unknown, unknown> | undefined,
  hasProofs = false,
): Promise<unknown> {
  const members = withoutOwnMembers(body)
  if (schema !== undefined) return checkBySchema(members, schema)
  const isOther = hasProofs || Object.keys(members).length > 0
  if (isOther && members['username'] === undefined && members['password'] === undefined)
    return { ...members, username: '', password: '' }
  return { ...members, username: toUsername(members['username']), password: toPassword(members['password']) }
}

/** The most problems of a schema that a message lists. */
const MAX_PROBLEMS = 5

/** Names come from the application's schema, but keys of a record come from the request. */
const NOT_NAME = /[^\w.$-]/g

async function checkBySchema(value: unknown, schema: StandardSchema<unknown, unknown>): Promise<unknown> {
  const result = await schema['~standard'].validate(value)
  if (result.issues === undefined) return result.value
  const names = result.issues.slice(0, MAX_PROBLEMS).map(({ path = [] }) => {
    const parts = path.map((part) => (typeof part === 'object' && part !== null ? part.key : part))
    return parts.length === 0
      ? 'the body'
      : `\`${parts.map(String).join('.').replace(NOT_NAME, '').slice(0, 64)}\``
  })
  throw toInvalid(`The body does not have the expected form: ${[...new Set(names)].join(', ')}`)
}

/** The name of an account in a body; undefined for a body without one. */
export function readUsername({ username }: Readonly<Record<string, unknown>>): string | undefined {
  return username === undefined ? undefined : toUsername(username)
}

/** The longest username in characters; the longest password in bytes, as hashing costs per byte. */
const MAX_USERNAME = 320
const MAX_PASSWORD_BYTES = 1024

/**
 * What no database or token can keep: U+0000, and half of a surrogate pair. A look-up would fail as
 * if the database was down.
 */
const BROKEN_TEXT = /[\0\p{Surrogate}]/u

/** Reads a username. Throws `request_invalid` for anything else. */
export function toUsername(value: unknown): string {
  const isText = typeof value === 'string' && value !== '' && value.length <= MAX_USERNAME
  if (isText && !BROKEN_TEXT.test(value)) return value
  throw toInvalid(`Expected \`username\` in the body to be a string of 1 to ${MAX_USERNAME} characters`)
}

/** Reads a password. Throws `request_invalid` for anything else. */
export function toPassword(value: unknown): string {
  const isText = typeof value === 'string' && value !== ''
  if (isText && Buffer.byteLength(value, 'utf8') <= MAX_PASSWORD_BYTES) return value
  throw toInvalid(`Expected \`password\` in the body to be a string of 1 to ${MAX_PASSWORD_BYTES} bytes`)
}

/**
 * The refusal of a request without a body, or with one of an unknown type.
 *
 * @param contentType the `Content-Type` header
 */
export function toMissingBody(contentType: string | null): AuthError {
  const wanted = 'Expected a body of application/json or application/x-www-form-urlencoded'
  return toInvalid(contentType === null ? wanted : `${wanted}, got none, or one of another type`)
}

function toInvalid(message: string): AuthError {
  return new AuthError('request_invalid', { message })
}
