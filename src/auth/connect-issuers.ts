/** Connects the issuers of an application with its events. */
import { emit } from '../internal/listeners.ts'
import { TrustedIssuers } from '../issuers/trusted-issuers.ts'
import type { VerifySettings } from '../token/verify.ts'
import { NO_KEYS } from './resolve-keys.ts'
import type { Settings } from './resolve-options.ts'

/** How own tokens are verified. */
export type OwnVerifySettings<C> = Omit<VerifySettings<C>, 'explain' | 'others'>

/** Creates the issuers that are trusted beside the own keys; null where there are none. */
export function connectIssuers<C, U>(
  { issuers, ring, source, on, clock }: Settings<C, U>,
  verify: OwnVerifySettings<C>,
): TrustedIssuers<C> | null {
  if (issuers.length === 0) return null
  return new TrustedIssuers(issuers, {
    verify,
    hasOwnKeys: ring !== NO_KEYS,
    followed: source?.owner.issuer,
    listener: {
      onDown: (issuer, cause) => emit(on, 'issuerDown', { issuer, cause, time: clock() }),
      onUp: (issuer) => emit(on, 'issuerUp', { issuer, time: clock() }),
    },
  })
}
