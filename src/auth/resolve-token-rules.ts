/**
 * Who issues tokens, for whom, and in which form: the options `issuer`, `audience`, `profile`,
 * `clientId` and `interop`, checked.
 */
import { ConfigurationError, expected, isRecord } from '../internal/configuration-error.ts'
import { keysOf, readFlag, readName, readOptionGroup } from '../internal/read-options.ts'
import type { AuthOptions, InteropOptions } from './options.ts'

/** The audience, for issuing and for verifying. */
export interface AudienceSettings {
  /** What tokens are issued with; undefined for none. */
  readonly issued: string | readonly string[] | undefined
  /** The names of which a token must have one; empty accepts only tokens without an audience. */
  readonly accepted: readonly string[]
}

/** What tokens say of their issuer, audience and form. */
export interface TokenRules {
  /** The `iss` of every token; undefined for none. */
  readonly issuer: string | undefined
  /** The audience. */
  readonly audience: AudienceSettings
  /** Whether issued access tokens follow RFC 9068. */
  readonly isProfiled: boolean
  /** The `client_id` of access tokens; undefined for none. */
  readonly clientId: string | undefined
  /** Whether other libraries' tokens are accepted. */
  readonly interop: boolean
  /** Whether other libraries' tokens that say no type are accepted as access tokens. */
  readonly untyped: boolean
}

/** The options that are read here; `secret` only to find it in the place of a name. */
type RuleOptions = Pick<AuthOptions, 'issuer' | 'audience' | 'profile' | 'clientId' | 'interop' | 'secret'>

const INTEROP_KEYS = keysOf<InteropOptions>({ untyped: true })

/**
 * Checks the options.
 *
 * @param interop the default of `interop`
 * @throws {ConfigurationError} for the first that does not fit
 */
export function resolveTokenRules(options: RuleOptions, interop: boolean | InteropOptions): TokenRules {
  return {
    issuer: readName('issuer', options.issuer, options.secret),
    audience: resolveAudience(options.audience, options.secret),
    ...resolveProfile(options),
    ...resolveInterop(options.interop === undefined ? interop : options.interop),
  }
}

function resolveAudience(value: unknown, secret: unknown): AudienceSettings {
  if (value === undefined) return { issued: undefined, accepted: [] }
  const accepted: readonly unknown[] = Array.isArray(value) ? [...value] : [value]
  if (accepted.length > 0 && accepted.every((name) => typeof name === 'string' && name !== '')) {
    for (const name of accepted) readName('audience', name, secret)
    return Object.freeze({
      issued: typeof value === 'string' ? value : Object.freeze(accepted),
      accepted,
    } as AudienceSettings)
  }
  throw new ConfigurationError(expected('audience', 'a non-empty string or a non-empty list of them', value))
}

/** RFC 9068 section 2.2 requires an issuer, an audience and a client in every access token. */
function resolveProfile({
  profile,
  clientId,
  issuer,
  audience,
  secret,
}: RuleOptions): Pick<TokenRules, 'isProfiled' | 'clientId'> {
  const client = readName('clientId', clientId, secret)
  if (profile === undefined) return { isProfiled: false, clientId: client }
  if (profile !== 'rfc9068') throw new ConfigurationError(expected('profile', "'rfc9068'", profile))
  for (const [name, value] of Object.entries({ issuer, audience })) {
    if (value === undefined)
      throw new ConfigurationError(`Expected \`${name}\` with \`profile: 'rfc9068'\`: its tokens must say it`)
  }
  return { isProfiled: true, clientId: client ?? issuer }
}

function resolveInterop(value: unknown): Pick<TokenRules, 'interop' | 'untyped'> {
  if (typeof value === 'boolean') return { interop: value, untyped: false }
  if (!isRecord(value))
    throw new ConfigurationError(expected('interop', 'true or false, or { untyped: true }', value))
  const { untyped = false } = readOptionGroup<InteropOptions>('interop', value, INTEROP_KEYS)
  return { interop: true, untyped: readFlag('interop.untyped', untyped) }
}
