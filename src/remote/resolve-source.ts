/** The option `revocation.source`, checked and prepared, and the feed that is made of it. */
import { ConfigurationError, expected } from '../internal/configuration-error.ts'
import type { Clock } from '../internal/duration.ts'
import {
  type RevocationContext,
  type RevocationOptions,
  type RevocationSource,
  readSource,
  resolveRevocation,
} from '../session/resolve-revocation-options.ts'
import { RevocationFeed, type RevocationMode, type RevocationSettings } from '../session/revocation-feed.ts'
import { connectSource, isRevocationSource } from './remote-feed.ts'

/** The service whose revocations are followed. */
export interface SourceSettings {
  /** What `remoteFeed` has returned. */
  readonly source: RevocationSource
  /** Whose revocations they are. */
  readonly owner: TokenOwner
  /** The rules of revocation. */
  readonly revocation: RevocationSettings
}

/** Whose tokens an application accepts. */
export interface TokenOwner {
  /** The issuer; undefined for own tokens without one. */
  readonly issuer: string | undefined
  /** The realm of its tokens; undefined for none. */
  readonly realm: string | undefined
}

/** What a source depends on, beside what revocation does. */
export interface SourceContext extends Omit<RevocationContext, 'realm'> {
  /** The application itself; null where it has no keys. */
  readonly own: TokenOwner | null
  /** The other issuers. */
  readonly others: readonly TokenOwner[]
}

/**
 * Checks and prepares the service to follow; null for none, and where nothing is checked.
 *
 * @throws {ConfigurationError} for anything but what `remoteFeed` returns, and where it may be of
 *   several issuers
 */
export function resolveSource(
  option: RevocationMode | RevocationOptions | undefined,
  context: SourceContext,
): SourceSettings | null {
  const source = readSource(option)
  if (source === undefined) return null
  if (!isRevocationSource(source))
    throw new ConfigurationError(expected('revocation.source', 'what `remoteFeed` returns', source))
  const owner = resolveOwner(source, context)
  const revocation = resolveRevocation(option, { ...context, realm: owner.realm })
  return revocation.mode === 'off' ? null : Object.freeze({ source, owner, revocation })
}

/** The named issuer, else the application itself, else the only issuer that there is. */
function resolveOwner({ issuer }: RevocationSource, { own, others }: SourceContext): TokenOwner {
  const all = own === null ? others : [own, ...others]
  const usual = own ?? (others.length === 1 ? others[0] : undefined)
  const owner = issuer === undefined ? usual : all.find((each) => each.issuer === issuer)
  if (owner !== undefined) return owner
  throw new ConfigurationError(
    'Expected `issuer` of `remoteFeed` to be `issuer` or one of `issuers`: whose revocations they are',
  )
}

/** Creates what follows another service; null without a source. It sends nothing by itself. */
export function followSource(settings: SourceSettings | null, clock: Clock): RevocationFeed | null {
  if (settings === null) return null
  const { source, owner, revocation } = settings
  const { maxStale } = revocation
  return new RevocationFeed(connectSource(source, { ...owner, maxStale, clock }), revocation)
}
