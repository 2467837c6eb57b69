/**
 * The documents below `/.well-known/` that say what there is: of the application as a protected
 * resource (RFC 9728), and of these routes as the issuer of its tokens (RFC 8414). Both are public,
 * also for pages of any origin, and hold nothing of a user.
 */
import type { Auth } from '../auth/auth.ts'
import { readIdentifier, toWellKnown } from '../http/protected-resource.ts'
import { ConfigurationError } from '../internal/configuration-error.ts'
import type { Methods } from './context.ts'

/** What the document of the issuer depends on. */
interface IssuerFacts {
  /** The path of the routes. */
  readonly basePath: string
  /** Whether clients may introspect tokens. */
  readonly hasClients: boolean
  /** Whether there are sessions, which clients may then revoke. */
  readonly hasSessions: boolean
}

/** How long a document may be kept, in seconds. */
const MAX_AGE = 300

/**
 * The routes of the documents, by their paths.
 *
 * @param describesIssuer whether there is a document of the issuer
 * @throws {ConfigurationError} for a document of an issuer that is no URL
 */
export function createMetadataRoutes<C>(
  auth: Auth<C, unknown, unknown>,
  describesIssuer: boolean,
  facts: IssuerFacts,
): ReadonlyMap<string, Methods> {
  const routes = new Map<string, Methods>()
  const { resource } = auth
  if (resource !== null)
    routes.set(
      resource.path,
      toMethods(() => resource.metadata),
    )
  if (!describesIssuer) return routes
  const { issuer } = auth.internals
  if (issuer === undefined)
    throw new ConfigurationError('Expected `issuer` of `createAuth` beside `metadata`: the document names it')
  const { origin, pathname } = readIdentifier('issuer', issuer)
  const path = toWellKnown('oauth-authorization-server', pathname)
  return routes.set(
    path,
    toMethods(() => describeIssuer(issuer, origin, auth.jwks().keys.length > 0, facts)),
  )
}

/**
 * The metadata of the issuer (RFC 8414 section 2), with what is true alone: a refresh is the one
 * grant, as a login takes credentials.
 */
function describeIssuer(
  issuer: string,
  origin: string,
  hasKeys: boolean,
  { basePath, hasClients, hasSessions }: IssuerFacts,
): Readonly<Record<string, unknown>> {
  const basic = ['client_secret_basic']
  return {
    issuer,
    token_endpoint: `${origin}${basePath}/refresh`,
    token_endpoint_auth_methods_supported: ['none'],
    grant_types_supported: ['refresh_token'],
    response_types_supported: [],
    ...(hasKeys && { jwks_uri: `${origin}/.well-known/jwks.json` }),
    ...(hasClients && {
      introspection_endpoint: `${origin}${basePath}/introspect`,
      introspection_endpoint_auth_methods_supported: basic,
    }),
    ...(hasClients &&
      hasSessions && {
        revocation_endpoint: `${origin}${basePath}/revoke`,
        revocation_endpoint_auth_methods_supported: basic,
      }),
  }
}

/** A document for everyone. A client in a page may send headers of its own, and so asks first. */
function toMethods(describe: () => object): Methods {
  const anyone = { 'Access-Control-Allow-Origin': '*' }
  const get = (): Response =>
    new Response(JSON.stringify(describe()), {
      headers: {
        'Content-Type': 'application/json',
        'Cache-Control': `public, max-age=${MAX_AGE}`,
        ...anyone,
      },
    })
  const options = (): Response =>
    new Response(null, {
      status: 204,
      headers: { ...anyone, 'Access-Control-Allow-Methods': 'GET', 'Access-Control-Allow-Headers': '*' },
    })
  return { GET: get, HEAD: get, OPTIONS: options }
}
