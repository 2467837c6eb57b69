/**
 * From the options of one call to the claims of one token. `issue-tokens.ts` says which calls there
 * are, and `token/sign-token.ts` signs the claims.
 */

import type { Awaitable } from '../internal/awaitable.ts'
import { randomId } from '../internal/bytes.ts'
import { asTypeError, checkKnownKeys, expected, isOptions, misuse } from '../internal/configuration-error.ts'
import { type Duration, readEpochSeconds, toSeconds } from '../internal/duration.ts'
import { keysOf } from '../internal/read-options.ts'
import type { StandardSchema } from '../internal/schema.ts'
import { type DataFor, type RequiredKeys, validateData } from '../token/custom-claims.ts'
import { isCompactJws } from '../token/jws.ts'
import type { TokenClaims } from '../token/sign-token.ts'
import {
  type PayloadOrigin,
  requireVerifiedBy,
  type TokenPayload,
  toAccessAudience,
} from '../token/token-payload.ts'
import type { TokenType } from '../token/token-type.ts'
import type { Settings } from './resolve-options.ts'

/** Options of issuing any token. */
export interface RefreshIssueOptions<I> {
  /** How long it lives, in place of the configured life. Not together with `expiresAt`. */
  readonly expiresIn?: Duration
  /** When it expires: a Date, or epoch seconds. In the future. */
  readonly expiresAt?: Date | number
  /** From when on it is accepted: a Date, or epoch seconds. Default: at once, without the claim. */
  readonly notBefore?: Date | number
  /** Granted scopes, such as `['users:read']`: at most 512, each of at most 256 characters. */
  readonly scopes?: readonly string[]
  /**
   * Custom claims, written at the top level; registered names are refused. The compiler requires
   * them with a subject if `I`, what the schema takes, has a required member.
   */
  readonly data?: I | undefined
  /** The audience, in place of the configured one. */
  readonly audience?: string | readonly string[]
  /** Further members of the JOSE header: strings, numbers or booleans. */
  readonly headers?: Readonly<Record<string, string | number | boolean>>
  /** How the user authenticated: method names (RFC 8176). */
  readonly amr?: readonly string[]
  /** The authentication context class. */
  readonly acr?: string
  /**
   * The name that the user logged in with, where it is not the subject: a step-up by password needs
   * it. Whoever reads the token reads it.
   */
  readonly loginName?: string
  /**
   * The client that the token is issued to, as `client_id`, in place of the configured one. Tokens
   * of a refresh inherit it.
   */
  readonly clientId?: string
}

/** Options of issuing an access token. */
export interface IssueOptions<I> extends RefreshIssueOptions<I> {
  /** The user has just authenticated: the token is fresh, and `auth_time` is now. Default false. */
  readonly fresh?: boolean
  /**
   * When the user authenticated, where that was earlier: a Date, or epoch seconds, not in the
   * future. For logins by an identity provider, whose `auth_time` is to be kept.
   */
  readonly authTime?: Date | number
}

/**
 * The options `O` of a call as arguments: `data` is required if `I`, what the schema takes, has a
 * required member. A payload brings its own.
 */
export type IssueArguments<S, O, I> = [S] extends [object]
  ? [options?: O]
  : [RequiredKeys<I>] extends [never]
    ? [options?: O]
    : [options: O & DataFor<I>]

/** The claims that a token is about to get; `sub` is known. */
type BaseClaims = Partial<TokenClaims> & Pick<TokenClaims, 'sub'>

/**
 * The names of the options of a refresh token; `fresh` is not among them, so it is refused there.
 */
export const REFRESH_KEYS: readonly string[] = keysOf<RefreshIssueOptions<unknown>>({
  expiresIn: true,
  expiresAt: true,
  notBefore: true,
  scopes: true,
  data: true,
  audience: true,
  headers: true,
  amr: true,
  acr: true,
  loginName: true,
  clientId: true,
})

/** The names of the options of an access token. */
export const ACCESS_KEYS: readonly string[] = [
  ...REFRESH_KEYS,
  ...keysOf<Omit<IssueOptions<unknown>, keyof RefreshIssueOptions<unknown>>>({ fresh: true, authTime: true }),
]

/**
 * Checks the names of one call's options.
 *
 * @param at `name`: the argument as the developer writes it; `nullable`: null means none
 * @throws {TypeError} for an unknown one: the mistake is the caller's; and for null, which would
 *   pass for an option that was left out
 */
export function checkCallOptions(
  options: object,
  known: readonly string[],
  { name = 'options', nullable = false }: { readonly name?: string; readonly nullable?: boolean } = {},
): void {
  if (!isOptions(options)) throw misuse(expected(name, 'an object', options))
  for (const key in options) {
    if (options[key] === null && !nullable)
      throw misuse(`${expected(key, 'a value', null)}: leave it out for none`)
    if (known.includes(key)) continue
    if (key === 'fresh') throw misuse('Expected a refresh token without `fresh`: it is never fresh')
    asTypeError(() => checkKnownKeys('', { [key]: true }, known))
  }
}

/**
 * The claims that a new token inherits from a payload: all that do not make a token that one token.
 */
export function inheritClaims(payload: TokenPayload<unknown>): BaseClaims {
  const { sub, sid, scopes, data, csrf, auth_time, amr, acr, login_name, client_id, remember } = payload
  const aud = toAccessAudience(payload)
  const inherited = { sub, sid, scopes, data: data as object, aud, csrf, auth_time, amr, acr }
  return { ...inherited, login_name, client_id, remember }
}

/** What one token of a pair may have of its own. */
type OwnOptions = Pick<RefreshIssueOptions<unknown>, 'expiresIn' | 'scopes'>

/**
 * Turns the options of one call into claims; a schema makes that a promise. Throws or rejects with
 * a `TypeError` for options of the wrong shape. A refresh token is not fresh, and `authTime` is the
 * access token's: both are passed over. `own` goes before the options.
 */
export type ToTokenClaims<C> = (
  type: TokenType,
  subject: string | TokenPayload<C>,
  options: IssueOptions<unknown>,
  own?: OwnOptions,
) => Awaitable<TokenClaims>

/** What a refresh token takes of the options that say when the user authenticated. */
const NEVER_FRESH: Pick<IssueOptions<unknown>, 'fresh' | 'authTime'> = {}

/** Prepares the claims of one application's tokens. */
export function prepareTokenClaims<C, U>(settings: Settings<C, U>): ToTokenClaims<C> {
  const { clock, schema, lifetimes, http } = settings
  const writesCsrf = http.sources.locations.has('cookie') && http.csrf.checksToken

  return (type, subject, options, own = options) => {
    const base = toBase(subject, settings)
    const iat = Math.floor(clock())
    const { notBefore } = options
    const { fresh = false, authTime } = type === 'access' ? options : NEVER_FRESH
    if (typeof fresh !== 'boolean') throw misuse(expected('fresh', 'true or false', fresh))
    const claims = {
      type,
      sub: base.sub,
      sid: base.sid,
      iat,
      exp: toExpiry(iat, lifetimes[type], own.expiresIn ?? options.expiresIn, options.expiresAt),
      nbf: notBefore === undefined ? undefined : Math.floor(readMoment('notBefore', notBefore)),
      fresh,
      csrf: base.csrf ?? (writesCsrf ? randomId() : undefined),
      aud: options.audience ?? base.aud,
      scopes: own.scopes ?? options.scopes ?? base.scopes,
      auth_time: authTime === undefined ? (fresh ? iat : base.auth_time) : readAuthTime(authTime, iat),
      amr: options.amr ?? base.amr,
      acr: options.acr ?? base.acr,
      login_name: options.loginName ?? base.login_name,
      client_id: options.clientId ?? base.client_id,
      remember: base.remember,
      data: (options.data as object | undefined) ?? base.data,
      headers: options.headers,
    }
    return schema === null ? claims : checkBySchema(claims, schema)
  }
}

async function checkBySchema<C>(
  claims: TokenClaims,
  schema: StandardSchema<unknown, C>,
): Promise<TokenClaims> {
  const checked = await validateData(schema, claims.data ?? {})
  if ('error' in checked) throw checked.error
  return { ...claims, data: checked.data as object }
}

/** Refuses a token in the place of a subject's name. @throws {TypeError} */
export function checkSubjectName(subject: unknown): void {
  if (typeof subject === 'string' && isCompactJws(subject))
    throw misuse(
      'Expected `subject` to be the name of a subject, got a token: verify it, and pass the payload',
    )
}

/** The claims from the subject: its name, or all claims of a verified payload. */
function toBase(subject: unknown, origin: PayloadOrigin): BaseClaims {
  if (typeof subject === 'string') {
    checkSubjectName(subject)
    return { sub: subject }
  }
  requireVerifiedBy(origin, subject, 'subject', 'a string, or a payload')
  return inheritClaims(subject)
}

function toExpiry(
  iat: number,
  lifetime: number,
  expiresIn: Duration | undefined,
  expiresAt: Date | number | undefined,
): number {
  if (expiresAt === undefined)
    return iat + (expiresIn === undefined ? lifetime : Math.floor(readLifetime(expiresIn)))
  if (expiresIn !== undefined) throw misuse('Expected `expiresIn` or `expiresAt`, got both')
  return Math.floor(readMoment('expiresAt', expiresAt))
}

function readLifetime(expiresIn: Duration): number {
  return asTypeError(() => toSeconds('expiresIn', expiresIn, { min: 1, max: Number.MAX_SAFE_INTEGER }))
}

/** Reads a moment of a call. @throws {TypeError} as `readEpochSeconds` */
export function readMoment(name: string, value: Date | number): number {
  return asTypeError(() => readEpochSeconds(name, value))
}

function readAuthTime(value: Date | number, now: number): number {
  const moment = Math.floor(readMoment('authTime', value))
  if (moment > now) throw misuse(expected('authTime', 'a moment that is not in the future', value))
  return moment
}
