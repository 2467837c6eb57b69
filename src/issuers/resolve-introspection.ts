/** The option `introspection` of an issuer -> frozen settings. */
import type { Awaitable } from '../internal/awaitable.ts'
import { ConfigurationError, checkKnownKeys, expected, isOptions } from '../internal/configuration-error.ts'
import { toSeconds } from '../internal/duration.ts'
import { keysOf, readCount, readFunction, readText } from '../internal/read-options.ts'
import { readUrl } from './address.ts'
import { INTROSPECTION_SYNONYMS } from './issuer-synonyms.ts'
import type { IntrospectionOptions } from './options.ts'

/** The default of every member that has one. */
export const INTROSPECTION_DEFAULTS: {
  readonly cacheFor: NonNullable<IntrospectionOptions['cacheFor']>
  readonly concurrency: number
} = { cacheFor: '60s', concurrency: 64 }

/** How an issuer is asked. */
export interface IntrospectionSettings {
  /** The headers that authenticate the application. */
  readonly headers: () => Awaitable<Readonly<Record<string, string>>>
  /** How long an active token is remembered, in seconds. */
  readonly cacheFor: number
  /** How many questions may run at once. */
  readonly concurrency: number
}

/** The settings, and where the issuer is asked. */
export interface ResolvedIntrospection extends IntrospectionSettings {
  /** The address; null for that of the metadata. */
  readonly url: URL | null
}

const KEYS = keysOf<IntrospectionOptions>({
  endpoint: true,
  clientId: true,
  clientSecret: true,
  headers: true,
  cacheFor: true,
  concurrency: true,
})

/** Checks the option. @throws {ConfigurationError} for the first member that is wrong */
export function resolveIntrospection(at: string, value: unknown): ResolvedIntrospection | null {
  if (value === undefined) return null
  if (!isOptions(value))
    throw new ConfigurationError(expected(at, 'an object such as { clientId, clientSecret }', value))
  checkKnownKeys(at, value, KEYS, INTROSPECTION_SYNONYMS)
  const options = { ...INTROSPECTION_DEFAULTS, ...value } as IntrospectionOptions &
    typeof INTROSPECTION_DEFAULTS
  return Object.freeze({
    url: options.endpoint === undefined ? null : readUrl(`${at}.endpoint`, options.endpoint),
    headers: readCredentials(at, options),
    cacheFor: toSeconds(`${at}.cacheFor`, options.cacheFor, { min: 0, max: 600 }),
    concurrency: readCount(`${at}.concurrency`, options.concurrency, { min: 1, max: 10_000 }),
  })
}

/** The headers by a function, or those of HTTP Basic (RFC 6749 section 2.3.1). */
function readCredentials(
  at: string,
  { clientId, clientSecret, headers }: IntrospectionOptions,
): IntrospectionSettings['headers'] {
  const given = readFunction(`${at}.headers`, headers)
  const id = readText(`${at}.clientId`, clientId)
  const secret = readText(`${at}.clientSecret`, clientSecret)
  if (given !== null && id === undefined && secret === undefined) return given
  if (given !== null || id === undefined || secret === undefined)
    throw new ConfigurationError(
      `Expected \`${at}\` to hold \`clientId\` and \`clientSecret\`, or \`headers\` in place of both`,
    )
  const encoded = [id, secret].map((text) => new URLSearchParams({ '': text }).toString().slice(1)).join(':')
  const authorization = `Basic ${Buffer.from(encoded).toString('base64')}`
  return () => ({ authorization })
}
