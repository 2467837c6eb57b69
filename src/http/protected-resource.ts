/**
 * What a client learns of this application as a protected resource (RFC 9728): which authorization
 * servers issue tokens for it, and how to send them. The document lies below `/.well-known/`, and
 * every challenge names its URL, so that a client that knows the application alone finds the rest.
 */
import { ConfigurationError, expected } from '../internal/configuration-error.ts'
import { isLoopback } from '../internal/loopback.ts'
import { keysOf, readOptionGroup, readText } from '../internal/read-options.ts'
import type { TokenSourceSettings } from './token-sources.ts'

/** The application as a protected resource. */
export interface ResourceOptions {
  /**
   * The resource identifier: the URL at which clients reach the application, such as
   * `https://api.example.com` or `https://example.com/mcp`. HTTPS, or HTTP on loopback; without a
   * query and a fragment.
   */
  readonly identifier: string
  /** The issuers of tokens for it, each a URL of the same form. Default none. */
  readonly authorizationServers?: readonly string[]
  /** The scopes that its routes require, for clients to ask for. Default none. */
  readonly scopes?: readonly string[]
  /** Its name for people. Default none. */
  readonly name?: string
  /** The URL of its documentation for developers. Default none. */
  readonly documentation?: string
}

/** The protected resource metadata (RFC 9728 section 2); members without a value are left out. */
export interface ResourceMetadata {
  /** The resource identifier. */
  readonly resource: string
  /** The issuers of tokens for it. */
  readonly authorization_servers?: readonly string[]
  /** The scopes that its routes require. */
  readonly scopes_supported?: readonly string[]
  /** How tokens may be sent, out of the ways of RFC 6750. */
  readonly bearer_methods_supported: readonly ('header' | 'body' | 'query')[]
  /** Its name for people. */
  readonly resource_name?: string
  /** The URL of its documentation. */
  readonly resource_documentation?: string
}

/** The prepared document and its place. */
export interface ProtectedResource {
  /** The resource identifier. */
  readonly identifier: string
  /** The path of the document, such as `/.well-known/oauth-protected-resource/mcp`. */
  readonly path: string
  /** The URL of the document, for the challenge's `resource_metadata`. */
  readonly url: string
  /** The document. */
  readonly metadata: ResourceMetadata
}

const RESOURCE_KEYS = keysOf<ResourceOptions>({
  identifier: true,
  authorizationServers: true,
  scopes: true,
  name: true,
  documentation: true,
})

/** The ways of RFC 6750 to send a token. A cookie is not among them. */
const BEARER_METHODS = ['header', 'body', 'query'] as const

/**
 * Checks and prepares the document.
 *
 * @param option the identifier alone, or with more
 * @throws {ConfigurationError} for an identifier that is no URL of the form, and for members of the
 *   wrong shape
 */
export function resolveResource(
  option: string | ResourceOptions | undefined,
  { locations }: TokenSourceSettings,
): ProtectedResource | null {
  if (option === undefined) return null
  const group = readOptionGroup(
    'resource',
    typeof option === 'string' ? { identifier: option } : option,
    RESOURCE_KEYS,
  )
  const name = readText('resource.name', group.name)
  const { pathname, origin } = readIdentifier('resource.identifier', group.identifier)
  const { identifier = '', documentation } = group
  if (documentation !== undefined) readIdentifier('resource.documentation', documentation)
  const servers = readList('resource.authorizationServers', group.authorizationServers)
  for (const [index, server] of servers.entries())
    readIdentifier(`resource.authorizationServers[${index}]`, server)
  const scopes = readList('resource.scopes', group.scopes)
  const path = toWellKnown('oauth-protected-resource', pathname)
  return Object.freeze({
    identifier,
    path,
    url: `${origin}${path}`,
    metadata: Object.freeze({
      resource: identifier,
      ...(servers.length > 0 && { authorization_servers: servers }),
      ...(scopes.length > 0 && { scopes_supported: scopes }),
      bearer_methods_supported: BEARER_METHODS.filter((method) => locations.has(method)),
      ...(name !== undefined && { resource_name: name }),
      ...(documentation !== undefined && { resource_documentation: documentation }),
    }),
  })
}

/**
 * The path of a document about what has a path itself: the well-known part comes first (RFC 8414
 * section 3, RFC 9728 section 3.1).
 */
export function toWellKnown(name: string, path: string): string {
  return `/.well-known/${name}${path === '/' ? '' : path}`
}

/**
 * Reads a URL that names a server: HTTPS, or HTTP on loopback, without a query and a fragment.
 *
 * @throws {ConfigurationError} for anything else
 */
export function readIdentifier(name: string, value: unknown): URL {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  const isSecure = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname))
  const isPlain = url?.username === '' && url.password === '' && !/[?#"\\\s]/.test(String(value))
  if (url !== undefined && isSecure && isPlain) return url
  throw new ConfigurationError(
    expected(name, "an https URL without a query, such as 'https://api.example.com'", value),
  )
}

function readList(name: string, value: readonly string[] = []): readonly string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === 'string' && item !== ''))
    return Object.freeze([...value])
  throw new ConfigurationError(expected(name, 'a list of texts', value))
}
