/**
 * The option `issuers` -> frozen settings: every default filled in, every value checked, given keys
 * imported. It fetches nothing.
 */
import {
  ConfigurationError,
  checkKnownKeys,
  expected,
  isOptions,
  isRecord,
  refuseUndefined,
} from '../internal/configuration-error.ts'
import { toSeconds } from '../internal/duration.ts'
import { keysOf, readFlag, readFunction, readText } from '../internal/read-options.ts'
import { ALGORITHMS, type Algorithm } from '../token/algorithms.ts'
import { readUrl, resolveBySystem } from './address.ts'
import type { FetchRules } from './fetch-json.ts'
import type { IssuerClaimRules } from './issuer-claims.ts'
import { IssuerKeySet } from './issuer-key-set.ts'
import { ISSUER_SYNONYMS } from './issuer-synonyms.ts'
import { isLocal } from './key-source.ts'
import type { IssuerOptions } from './options.ts'
import {
  INTROSPECTION_DEFAULTS,
  type ResolvedIntrospection,
  resolveIntrospection,
} from './resolve-introspection.ts'

/** The default of every member that has one. */
export const ISSUER_DEFAULTS: {
  readonly algorithms: NonNullable<IssuerOptions['algorithms']>
  readonly sharesSubjects: boolean
  readonly idTokens: boolean
  readonly maxStale: NonNullable<IssuerOptions['maxStale']>
  readonly allowPrivate: boolean
  readonly introspection: typeof INTROSPECTION_DEFAULTS
} = {
  algorithms: ['RS256', 'ES256', 'EdDSA', 'Ed25519'],
  sharesSubjects: false,
  idTokens: false,
  maxStale: '24h',
  allowPrivate: false,
  introspection: INTROSPECTION_DEFAULTS,
}

/**
 * Where the keys of an issuer come from: an address, its metadata, or the set itself; `unused`
 * where all of its tokens are introspected.
 */
export type KeyOrigin = URL | 'metadata' | 'unused' | IssuerKeySet

/** One issuer, checked and with its defaults. */
export interface IssuerSettings {
  /** Where its options are, as the developer writes it. */
  readonly at: string
  /** What its claims must be. */
  readonly rules: Omit<IssuerClaimRules, 'maxLifetime'>
  /** The algorithms of its keys. */
  readonly algorithms: readonly Algorithm[]
  /** Its keys. */
  readonly keys: KeyOrigin
  /** How it is asked about opaque tokens; null for not at all. */
  readonly introspection: ResolvedIntrospection | null
  /** Maps claims to a user; null for the claims as they are. */
  readonly toUser: ((claims: Readonly<Record<string, unknown>>) => unknown) | null
  /** Whether the mapping must give a `sub`. */
  readonly needsSub: boolean
  /** The realm of its tokens; undefined for the application's. */
  readonly realm: string | undefined
  /** How long an old key set is used, in seconds. */
  readonly maxStale: number
  /** How it is fetched. */
  readonly fetchRules: FetchRules
}

/** What the checks of issuers depend on. */
export interface IssuerContext {
  /** The application's own `iss`; undefined for none. */
  readonly ownIssuer: string | undefined
  /** Whether the application has keys of its own. */
  readonly hasOwnKeys: boolean
}

const ISSUER_KEYS = keysOf<IssuerOptions>({
  issuer: true,
  audience: true,
  clients: true,
  jwks: true,
  introspection: true,
  algorithms: true,
  toUser: true,
  sharesSubjects: true,
  realm: true,
  profile: true,
  idTokens: true,
  maxStale: true,
  allowPrivate: true,
  fetch: true,
})

/** Options that only add checks. */
const CHECKING_KEYS: readonly (keyof IssuerOptions)[] = [
  'audience',
  'clients',
  'jwks',
  'realm',
  'profile',
  'toUser',
]

/** A week: for longer nothing is believed of an issuer that is not there. */
const MAX_STALE = { min: 0, max: 7 * 86_400 } as const

/** Checks the option. @throws {ConfigurationError} for the first member that is wrong */
export function resolveIssuers(value: unknown, context: IssuerContext): readonly IssuerSettings[] {
  if (value === undefined) return []
  if (!Array.isArray(value) || value.length === 0)
    throw new ConfigurationError(expected('issuers', 'a list of { issuer, audience }', value))
  const isAlone = value.length === 1 && !context.hasOwnKeys
  const all = value.map((options: unknown, i) => resolveIssuer(`issuers[${i}]`, options, isAlone))
  if (all.filter(({ introspection }) => introspection !== null).length > 1)
    throw new ConfigurationError(
      'Expected one of `issuers` at most to have `introspection`: an opaque token does not say whose it is, and must not be shown to another issuer',
    )
  const names = [context.ownIssuer, ...all.map(({ rules }) => rules.issuer)].filter(
    (name) => name !== undefined,
  )
  if (new Set(names).size === names.length) return Object.freeze(all)
  throw new ConfigurationError(
    'Expected every issuer to have a name of its own: two of `issuers`, or one of them and `issuer`, are the same',
  )
}

function resolveIssuer(at: string, value: unknown, isAlone: boolean): IssuerSettings {
  if (!isOptions(value))
    throw new ConfigurationError(expected(at, 'an object such as { issuer, audience }', value))
  checkKnownKeys(at, value, ISSUER_KEYS, ISSUER_SYNONYMS)
  refuseUndefined(at, value, CHECKING_KEYS)
  const { introspection: _, ...usual } = ISSUER_DEFAULTS
  const options = { ...usual, ...value } as IssuerOptions & typeof usual
  const issuer = readText(`${at}.issuer`, options.issuer)
  if (issuer === undefined)
    throw new ConfigurationError(expected(`${at}.issuer`, 'the `iss` of its tokens', issuer))
  const algorithms = readAlgorithms(`${at}.algorithms`, options.algorithms)
  return Object.freeze({
    at,
    rules: {
      issuer,
      ...resolveReaders(at, options),
      isStrict: readProfile(`${at}.profile`, options.profile),
      idTokens: readFlag(`${at}.idTokens`, options.idTokens),
    },
    algorithms,
    keys: readKeyOrigin(at, options, algorithms),
    introspection: resolveIntrospection(`${at}.introspection`, options.introspection),
    ...resolveUser(at, options, isAlone),
    realm: readText(`${at}.realm`, options.realm),
    maxStale: toSeconds(`${at}.maxStale`, options.maxStale, MAX_STALE),
    fetchRules: resolveFetch(at, options),
  })
}

/** For whom and from which client a token must be. */
function resolveReaders(
  at: string,
  { audience, clients }: IssuerOptions,
): Pick<IssuerClaimRules, 'audience' | 'clients'> {
  if (audience === undefined && clients === undefined)
    throw new ConfigurationError(
      `Expected \`${at}.audience\` to name this service as the issuer does: else its tokens for every other service are accepted`,
    )
  return {
    audience: audience === undefined ? [] : readNames(`${at}.audience`, audience),
    clients: clients === undefined ? null : readNames(`${at}.clients`, clients),
  }
}

function readNames(name: string, value: unknown): readonly string[] {
  const names: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (names.length > 0 && names.every((item) => typeof item === 'string' && item !== ''))
    return Object.freeze([...(names as string[])])
  throw new ConfigurationError(expected(name, 'a non-empty string or a non-empty list of them', value))
}

function readProfile(name: string, value: unknown): boolean {
  if (value === undefined || value === 'rfc9068') return value !== undefined
  throw new ConfigurationError(expected(name, "'rfc9068'", value))
}

/** A secret of an issuer would let this service issue its tokens, so HMAC is no choice. */
function readAlgorithms(name: string, value: unknown): readonly Algorithm[] {
  const known = [...ALGORITHMS.values()].filter(({ kty }) => kty !== 'oct')
  const rows = Array.isArray(value) ? value.map((item) => known.find((row) => row.name === item)) : []
  if (rows.length > 0 && rows.every((row) => row !== undefined) && new Set(rows).size === rows.length)
    return Object.freeze(rows)
  const wanted = `a list out of ${known.map((row) => row.name).join(', ')}, each once`
  throw new ConfigurationError(expected(name, wanted, value))
}

function readKeyOrigin(
  at: string,
  { issuer, jwks, introspection }: IssuerOptions,
  algorithms: readonly Algorithm[],
): KeyOrigin {
  const name = `${at}.jwks`
  const needsMetadata =
    jwks === undefined || (introspection !== undefined && introspection.endpoint === undefined)
  if (needsMetadata) readUrl(`${at}.issuer`, issuer)
  if (jwks === undefined) return 'metadata'
  if (jwks === false) {
    if (introspection !== undefined) return 'unused'
    throw new ConfigurationError(`Expected \`${at}.introspection\` beside \`jwks: false\``)
  }
  if (!isRecord(jwks)) return readUrl(name, jwks)
  try {
    return IssuerKeySet.read(jwks, algorithms)
  } catch (error) {
    throw new ConfigurationError(`Expected \`${name}\` to be a key set: ${(error as Error).message}`)
  }
}

/** Who the subjects are. */
function resolveUser(
  at: string,
  { toUser, sharesSubjects }: IssuerOptions,
  isAlone: boolean,
): Pick<IssuerSettings, 'toUser' | 'needsSub'> {
  const needsSub = !(readFlag(`${at}.sharesSubjects`, sharesSubjects) || isAlone)
  const map = readFunction(`${at}.toUser`, toUser)
  if (map !== null || !needsSub) return { toUser: map, needsSub }
  throw new ConfigurationError(
    `Expected \`${at}.toUser\` to give a \`sub\`, such as \`(claims) => ({ sub: \`idp|\${claims.sub}\` })\`: two issuers may give one \`sub\` to different people; if they do not, say \`sharesSubjects: true\``,
  )
}

function resolveFetch(at: string, options: IssuerOptions): FetchRules {
  const given = readFunction(`${at}.fetch`, options.fetch)
  return {
    allowPrivate: readFlag(`${at}.allowPrivate`, options.allowPrivate),
    allowLoopback:
      isLocal(options.issuer) ||
      (typeof options.jwks === 'string' && isLocal(options.jwks)) ||
      (typeof options.introspection?.endpoint === 'string' && isLocal(options.introspection.endpoint)),
    // Through a proxy, names are resolved there.
    resolve: given === null ? resolveBySystem : null,
    // Looked up at each call: tests and monitoring replace it.
    fetch: given ?? ((input, init) => globalThis.fetch(input, init)),
  }
}
