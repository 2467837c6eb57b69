/**
 * The members of `Auth` by which an application is started, watched and stopped.
 */
import type { TrustedIssuers } from '../issuers/trusted-issuers.ts'
import type { StoreProbe } from '../session/store-probe.ts'
import type { Auth, AuthInternals } from './auth.ts'
import { createHealth } from './health.ts'
import type { Settings } from './resolve-options.ts'
import type { RevocationCheck } from './revocation-check.ts'
import type { TokenFollowers } from './watch.ts'

/** The parts that are started, watched and stopped. */
export interface OperationsDependencies<C> {
  /** Tries the store; null without one. */
  readonly probe: StoreProbe | null
  /** Knows what is revoked. */
  readonly revocation: RevocationCheck<C>
  /** The other issuers; null for none. */
  readonly issuers: TrustedIssuers<C> | null
  /** Watches tokens after their request. */
  readonly followers: TokenFollowers<C>
}

/** Creates the members. @param keys loads the keys */
export function createOperations<C, U>(
  settings: Settings<C, U>,
  keys: Pick<AuthInternals<C>, 'loadKeys'>,
  { probe, revocation, issuers, followers }: OperationsDependencies<C>,
): Pick<Auth, 'ready' | 'health' | 'issuers' | 'state' | 'close'> {
  const states = () => issuers?.states() ?? []
  return {
    async ready() {
      await keys.loadKeys()
      await Promise.all([revocation.ready(), issuers?.ready()])
    },
    health: createHealth(settings, { probe, revocation, issuers: states }),
    issuers: states,
    state: revocation.state,
    async close() {
      followers.close()
      revocation.close()
    },
  }
}
