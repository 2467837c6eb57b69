/**
 * The issuers that an application trusts beside its own keys. The `iss` of a token, read before
 * anything is verified, picks one of the configured issuers and nothing else: not an address, not a
 * key, not an algorithm. `jku`, `x5u` and `jwk` are never followed.
 */
import { AuthError, toReason } from '../errors.ts'
import type { Clock } from '../internal/duration.ts'
import type { OtherToken, OtherTokens, VerifySettings } from '../token/verify.ts'
import { IssuerKeySet } from './issuer-key-set.ts'
import { createAddressSource, createDiscoverySource, Metadata } from './key-source.ts'
import type { IssuerState } from './options.ts'
import { createFixedKeys, type IssuerKeys, RemoteKeySet } from './remote-key-set.ts'
import type { IssuerSettings } from './resolve-issuers.ts'
import { TrustedIssuer } from './trusted-issuer.ts'
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
  /** Is told when issuers go and come. */
  readonly listener: IssuerListener
}

/** The issuers of one application. */
export class TrustedIssuers<C> implements OtherTokens<C> {
  readonly #byName: ReadonlyMap<unknown, TrustedIssuer<C>>
  readonly #hasOwnKeys: boolean
  readonly #maxLength: number

  /** @param settings the checked option `issuers` */
  constructor(settings: readonly IssuerSettings[], deps: TrustedIssuersDependencies<C>) {
    const { verify, listener } = deps
    this.#hasOwnKeys = deps.hasOwnKeys
    this.#maxLength = verify.limits.tokenLength
    this.#byName = new Map(
      settings.map((issuer) => {
        const keys = createKeys(issuer, verify.rules.clock, listener)
        return [issuer.rules.issuer, new TrustedIssuer(issuer, keys, verify)]
      }),
    )
  }

  /**
   * Finds out whose a token is.
   *
   * @returns undefined for one that is not of these issuers
   * @throws {AuthError} `issuer_invalid` for one of no known issuer, without own keys
   */
  find(token: string): OtherToken<C> | undefined {
    const jws = token.length > this.#maxLength ? undefined : readJws(token)
    if (jws === undefined) return undefined
    const issuer = this.#byName.get(jws.claims['iss'])
    if (issuer !== undefined) return { verify: () => issuer.verify(jws) }
    if (this.#hasOwnKeys) return undefined
    throw new AuthError('issuer_invalid', {
      cause: toReason('The `iss` of the token is not among `issuers`'),
    })
  }

  /**
   * Waits until the keys of all issuers are known.
   *
   * @throws {AuthError} `issuer_unavailable`, whose cause names the first issuer that is down
   */
  async ready(): Promise<void> {
    const results = await Promise.allSettled([...this.#byName.values()].map((issuer) => issuer.keys.ready()))
    const failure = results.find((result) => result.status === 'rejected')
    if (failure !== undefined) throw failure.reason
  }

  /** How much is known of each issuer. */
  states(): readonly IssuerState[] {
    return [...this.#byName.values()].map(({ issuer, keys }) => ({ issuer, ...keys.state() }))
  }
}

function createKeys(settings: IssuerSettings, clock: Clock, listener: IssuerListener): IssuerKeys {
  const { keys, fetchRules, algorithms, maxStale, rules } = settings
  if (keys instanceof IssuerKeySet) return createFixedKeys(keys)
  const { issuer } = rules
  return new RemoteKeySet({
    issuer,
    source:
      keys === 'metadata'
        ? createDiscoverySource(new Metadata(issuer, fetchRules), fetchRules)
        : createAddressSource(keys, fetchRules),
    algorithms,
    maxStale,
    clock,
    listener: {
      onDown: (cause) => listener.onDown(issuer, cause),
      onUp: () => listener.onUp(issuer),
    },
  })
}
