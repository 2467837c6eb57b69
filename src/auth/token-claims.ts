/**
 * From the arguments of one call to the claims of one token: the options of issuing, read, and the draft that `token/issue.ts` signs. For
 * whom and in what pairs tokens are asked for is in `issuer.ts`.
 */
import type { Awaitable } from '../internal/awaitable.ts'
import { randomId } from '../internal/bytes.ts'
import { ConfigurationError, checkKnownKeys, expected } from '../internal/configuration-error.ts'
import { type Duration, toSeconds } from '../internal/duration.ts'
import type { StandardSchema } from '../internal/schema.ts'
import { validateData } from '../token/custom-claims.ts'
import type { TokenClaims } from '../token/sign-token.ts'
import { TokenPayload } from '../token/token-payload.ts'
import type { TokenType } from '../token/token-type.ts'
import type { Settings } from './resolve-options.ts'

/** What may be said of any token that is issued. */
export interface RefreshIssueOptions<C> {
  /** How long it lives, in place of the configured life. Not together with `expiresAt`. */
  readonly expiresIn?: Duration
  /** When it expires: a Date, or epoch seconds. In the future. */
  readonly expiresAt?: Date | number
  /** From when on it is accepted: a Date, or epoch seconds. Default: at once, without the claim. */
  readonly notBefore?: Date | number
  /** Granted scopes, such as `['users:read']`. */
  readonly scopes?: readonly string[]
  /** Custom claims, written at the top level; registered names are refused. */
  readonly data?: C
  /** For whom it is, in place of the configured audience. */
  readonly audience?: string | readonly string[]
  /** Further members of the JOSE header: strings, numbers or booleans. */
  readonly headers?: Readonly<Record<string, string | number | boolean>>
  /** How the user authenticated: method names (RFC 8176). */
  readonly amr?: readonly string[]
  /** The authentication context class. */
  readonly acr?: string
}

/** What may be said of an access token. */
export interface IssueOptions<C> extends RefreshIssueOptions<C> {
  /** The user has just authenticated: the token is fresh, and `auth_time` is now. Default false. */
  readonly fresh?: boolean
  /**
   * When the user authenticated, where that was not just now: a Date, or epoch seconds, not in the future. For logins by way of somebody
   * else, whose `auth_time` is to be kept.
   */
  readonly authTime?: Date | number
}

/** What may be said of one token, and of both of a pair at once. */
export const SHARED_KEYS: readonly string[] = ['scopes', 'data', 'audience', 'headers', 'amr', 'acr']

/** The options of a refresh token; `fresh` is not among them, so it is refused there. */
export const REFRESH_KEYS: readonly string[] = ['expiresIn', 'expiresAt', 'notBefore', ...SHARED_KEYS]

/** The options of an access token. */
export const ACCESS_KEYS: readonly string[] = [...REFRESH_KEYS, 'fresh', 'authTime']

/** Checks the names of one call's options. A slip there is a mistake of the caller: a `TypeError`. */
export function checkCallOptions(options: object, known: readonly string[]): void {
  for (const key in options) {
    if (known.includes(key)) continue
    if (key === 'fresh') throw new TypeError('Expected a refresh token without `fresh`: it is never fresh')
    try {
      checkKnownKeys('', { [key]: true }, known)
    } catch (error) {
      throw new TypeError((error as ConfigurationError).message)
    }
  }
}

/** Reads a moment in epoch seconds. */
function toMoment(name: string, value: Date | number): number {
  const seconds = value instanceof Date ? value.getTime() / 1000 : value
  if (typeof seconds === 'number' && Number.isFinite(seconds)) return Math.floor(seconds)
  throw new TypeError(expected(name, 'a Date or a number of epoch seconds', value))
}

/** Reads when a user authenticated. */
function toPast(value: Date | number, now: number): number {
  const moment = toMoment('authTime', value)
  if (moment > now) throw new TypeError(expected('authTime', 'a moment that is not in the future', value))
  return moment
}

/** What is carried over from a payload: everything but what makes a token that one token. */
export function inheritClaims(
  payload: TokenPayload<unknown>,
): Partial<TokenClaims> & Pick<TokenClaims, 'sub'> {
  const { sub, sid, scopes, data, aud, csrf, auth_time, amr, acr } = payload
  return { sub, sid, scopes, data: data as object, aud, csrf, auth_time, amr, acr }
}

/** Reads the life of one token; a slip is the caller's, so a `TypeError`. */
function toLife(expiresIn: Duration): number {
  try {
    return toSeconds('expiresIn', expiresIn, { min: 1, max: Number.MAX_SAFE_INTEGER })
  } catch (error) {
    if (error instanceof ConfigurationError) throw new TypeError(error.message)
    throw error
  }
}

/** Drafts the claims of one token out of a call's arguments. A promise only where the user's schema must be asked. */
export type ToTokenClaims<C> = (
  type: TokenType,
  subject: string | TokenPayload<C>,
  options: IssueOptions<C>,
) => Awaitable<TokenClaims>

/** When a token issued at `iat` expires. */
function toExpiry(
  iat: number,
  lifetime: number,
  { expiresIn, expiresAt }: RefreshIssueOptions<unknown>,
): number {
  if (expiresAt === undefined)
    return iat + (expiresIn === undefined ? lifetime : Math.floor(toLife(expiresIn)))
  if (expiresIn !== undefined) throw new TypeError('Expected `expiresIn` or `expiresAt`, got both')
  return toMoment('expiresAt', expiresAt)
}

/** Whom a token is about: a name, or all that a verified payload says. */
function toBase(subject: unknown): Partial<TokenClaims> & Pick<TokenClaims, 'sub'> {
  if (TokenPayload.isVerified(subject)) return inheritClaims(subject)
  if (typeof subject === 'string') return { sub: subject }
  throw new TypeError(
    expected('subject', 'a string, or a payload that `verifyToken` or a guard gave', subject),
  )
}

/** Prepares the drafting of claims for one application. */
export function prepareTokenClaims<C, U>({
  clock,
  schema,
  lifetimes,
  http,
}: Settings<C, U>): ToTokenClaims<C> {
  const writesCsrf = http.sources.locations.has('cookie') && http.csrf.checksToken

  /** Checks the custom claims of a draft by the user's schema. */
  async function check(draft: TokenClaims, schema: StandardSchema<unknown, C>): Promise<TokenClaims> {
    const checked = await validateData(schema, draft.data ?? {})
    if (checked === undefined) throw new TypeError('Expected `data` to satisfy the schema given as `claims`')
    return { ...draft, data: checked as object }
  }

  return (type, subject, options) => {
    const base = toBase(subject)
    const iat = Math.floor(clock())
    const { fresh = false, notBefore } = options
    if (typeof fresh !== 'boolean') throw new TypeError(expected('fresh', 'true or false', fresh))
    // Member by member: a spread with this many behind it costs 10 us, three times the signature.
    const draft = {
      type,
      sub: base.sub,
      sid: base.sid,
      iat,
      exp: toExpiry(iat, lifetimes[type], options),
      nbf: notBefore === undefined ? undefined : toMoment('notBefore', notBefore),
      fresh,
      csrf: base.csrf ?? (writesCsrf ? randomId() : undefined),
      aud: options.audience ?? base.aud,
      scopes: options.scopes ?? base.scopes,
      auth_time:
        options.authTime === undefined ? (fresh ? iat : base.auth_time) : toPast(options.authTime, iat),
      amr: options.amr ?? base.amr,
      acr: options.acr ?? base.acr,
      data: (options.data as object | undefined) ?? base.data,
      headers: options.headers,
    }
    return schema === null ? draft : check(draft, schema)
  }
}
