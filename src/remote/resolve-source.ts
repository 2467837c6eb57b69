/** The option `revocation.source`, checked and prepared, and the feed that is made of it. */
import { ConfigurationError, expected } from '../internal/configuration-error.ts'
import {
  type RevocationContext,
  type RevocationOptions,
  type RevocationSource,
  readSource,
  resolveRevocation,
} from '../session/resolve-revocation-options.ts'
import { RevocationFeed, type RevocationMode, type RevocationSettings } from '../session/revocation-feed.ts'
import type { FeedContext } from './feed-client.ts'
import { connectSource, isRevocationSource } from './remote-feed.ts'

/** The service whose revocations are followed. */
export interface SourceSettings {
  /** What `remoteFeed` has returned. */
  readonly source: RevocationSource
  /** The rules of revocation. */
  readonly revocation: RevocationSettings
}

/**
 * Checks and prepares the service to follow; null for none, and where nothing is checked.
 *
 * @throws {ConfigurationError} for anything but what `remoteFeed` returns
 */
export function resolveSource(
  option: RevocationMode | RevocationOptions | undefined,
  context: RevocationContext,
): SourceSettings | null {
  const source = readSource(option)
  if (source === undefined) return null
  if (!isRevocationSource(source))
    throw new ConfigurationError(expected('revocation.source', 'what `remoteFeed` returns', source))
  const revocation = resolveRevocation(option, context)
  return revocation.mode === 'off' ? null : Object.freeze({ source, revocation })
}

/** Creates what follows another service; null without a source. It sends nothing by itself. */
export function followSource(
  settings: SourceSettings | null,
  { issuer, realm, clock }: Omit<FeedContext, 'maxStale'>,
): RevocationFeed | null {
  if (settings === null) return null
  const { source, revocation } = settings
  const { maxStale } = revocation
  return new RevocationFeed(connectSource(source, { issuer, realm, maxStale, clock }), revocation)
}
