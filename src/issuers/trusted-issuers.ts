/**
 * The issuers that an application trusts beside its own keys. The `iss` of a token, read before
 * anything is verified, picks one of the configured issuers and nothing else: not an address, not a
 * key, not an algorithm. `jku`, `x5u` and `jwk` are never followed.
 */
import { AuthError, toReason } from '../errors.ts'
import type { Clock } from '../internal/duration.ts'
import { isCompactJws } from '../token/jws.ts'
import type { OtherToken, OtherTokens, VerifySettings } from '../token/verify.ts'
import { Introspection } from './introspection.ts'
import { IssuerKeySet } from './issuer-key-set.ts'
import { createAddressSource, createDiscoverySource, Metadata } from './key-source.ts'
import type { IssuerState } from './options.ts'
import { createFixedKeys, type IssuerKeys, type KeySetListener, RemoteKeySet } from './remote-key-set.ts'
import type { IssuerSettings } from './resolve-issuers.ts'
import { type IssuerSources, TrustedIssuer } from './trusted-issuer.ts'
import { readJws } from './unverified-jws.ts'

/** What is told of issuers. */
export interface IssuerListener {
  /** An issuer is out of reach, or its keys were refused. */
  onDown(issuer: string, cause: Error): void
  /** It is back. */
  onUp(issuer: string): void
}

/** What trusted issuers depend on. */
export interface TrustedIssuersDependencies<C> {
  /** As for the verifier of own tokens. */
  readonly verify: Omit<VerifySettings<C>, 'cache' | 'explain' | 'others'>
  /** Whether there are own keys: then a token of an unknown issuer is theirs to refuse. */
  readonly hasOwnKeys: boolean
  /** The issuer whose revocations are followed; undefined for none. */
  readonly followed: string | undefined
  /** Is told when issuers go and come. */
  readonly listener: IssuerListener
}

/** The issuers of one application. */
export class TrustedIssuers<C> implements OtherTokens<C> {
  readonly #byName: ReadonlyMap<unknown, TrustedIssuer<C>>
  /** The issuer of opaque tokens; null for none. */
  readonly #introspecting: TrustedIssuer<C> | null
  readonly #hasOwnKeys: boolean
  readonly #maxLength: number

  /** @param settings the checked option `issuers` */
  constructor(settings: readonly IssuerSettings[], deps: TrustedIssuersDependencies<C>) {
    const { verify, listener } = deps
    this.#hasOwnKeys = deps.hasOwnKeys
    this.#maxLength = verify.limits.tokenLength
    const all = settings.map((issuer) => {
      const sources = createSources(issuer, verify.rules.clock, listener)
      const isFollowed = issuer.rules.issuer === deps.followed
      return new TrustedIssuer(issuer, { ...sources, isFollowed }, verify)
    })
    this.#byName = new Map(all.map((issuer) => [issuer.issuer, issuer]))
    this.#introspecting = all.find(({ introspection }) => introspection !== null) ?? null
  }

  /**
   * Finds out whose a token is.
   *
   * @returns undefined for one that is not of these issuers
   * @throws {AuthError} `issuer_invalid` for one of no known issuer, without own keys
   */
  find(token: string): OtherToken<C> | undefined {
    if (token.length > this.#maxLength) return undefined
    const opaque = this.#introspecting
    if (opaque !== null && BEARER_TOKEN.test(token) && !isCompactJws(token))
      return { verify: () => opaque.introspect(token) }
    const jws = readJws(token)
    if (jws === undefined) return undefined
    const issuer = this.#byName.get(jws.claims['iss'])
    if (issuer !== undefined) return { verify: () => issuer.verify(token, jws) }
    if (this.#hasOwnKeys) return undefined
    throw new AuthError('issuer_invalid', {
      cause: toReason('The `iss` of the token is not among `issuers`; a slash at the end counts'),
    })
  }

  /**
   * Waits until the keys of all issuers are known.
   *
   * @throws {AuthError} `issuer_unavailable`, whose cause names the first issuer that is down
   */
  async ready(): Promise<void> {
    const results = await Promise.allSettled([...this.#byName.values()].map(({ keys }) => keys?.ready()))
    const failure = results.find((result) => result.status === 'rejected')
    if (failure !== undefined) throw failure.reason
  }

  /** How much is known of each issuer. */
  states(): readonly IssuerState[] {
    return [...this.#byName.values()].map(({ issuer, keys, introspection }) => ({
      issuer,
      ...(keys?.state() ?? WITHOUT_KEYS),
      introspection: introspection?.status ?? null,
    }))
  }
}

/** What a bearer token is made of (RFC 6750 section 2.1). */
const BEARER_TOKEN = /^[\w.~+/-]+=*$/

/** The state of the keys of an issuer without any. */
const WITHOUT_KEYS = { status: 'current', age: null, keys: 0 } as const

function createSources(
  settings: IssuerSettings,
  clock: Clock,
  listener: IssuerListener,
): Omit<IssuerSources, 'isFollowed'> {
  const { keys, fetchRules, introspection, rules } = settings
  const { issuer } = rules
  const metadata = new Metadata(issuer, fetchRules, clock)
  const told = {
    onDown: (cause: Error) => listener.onDown(issuer, cause),
    onUp: () => listener.onUp(issuer),
  }
  return {
    keys: keys === 'unused' ? null : createKeys(settings, keys, { metadata, clock, listener: told }),
    introspection:
      introspection &&
      new Introspection({
        ...introspection,
        issuer,
        endpoint: async () => introspection.url ?? metadata.endpoint('introspection_endpoint'),
        fetchRules,
        clock,
        listener: told,
      }),
  }
}

/** What the keys of an issuer are made with. */
interface KeyDependencies {
  readonly metadata: Metadata
  readonly clock: Clock
  readonly listener: KeySetListener
}

function createKeys(
  { fetchRules, algorithms, maxStale, rules }: IssuerSettings,
  keys: URL | 'metadata' | IssuerKeySet,
  { metadata, clock, listener }: KeyDependencies,
): IssuerKeys {
  if (keys instanceof IssuerKeySet) return createFixedKeys(keys)
  return new RemoteKeySet({
    issuer: rules.issuer,
    source:
      keys === 'metadata'
        ? createDiscoverySource(metadata, fetchRules)
        : createAddressSource(keys, fetchRules),
    algorithms,
    maxStale,
    clock,
    listener,
  })
}
