/**
 * The description of guarded routes for OpenAPI 3.1: the security schemes of the locations in use,
 * and for each requirement what a request must bring and every response of the guard. Made from the
 * one table of errors.
 */
import { ERRORS, type ErrorCode, type ErrorRow } from '../errors.ts'
import { isUnsafe } from '../http/csrf.ts'
import { CHALLENGE } from '../http/error-response.ts'
import { JSON_TYPE, PROBLEM_TYPE, type ProblemSettings, toErrorBody } from '../http/problem-details.ts'
import type { HttpSettings } from '../http/resolve-http-options.ts'
import type { TokenType } from '../token/token-type.ts'
import type { PreparedRequirement, PrepareRequirement, Requirement } from './requirement.ts'

/** A part of an OpenAPI document. */
export type OpenApiObject = { readonly [name: string]: unknown }

/** One way to authenticate: the schemes that go together, each with the scopes. */
export type OpenApiSecurity = { [scheme: string]: string[] }

/** A body as an example. */
export interface OpenApiExample {
  /** The body. */
  value: unknown
}

/** A header of a response. */
export interface OpenApiHeader {
  /** What it says. */
  description: string
  /** Its shape (JSON Schema). */
  schema: OpenApiObject
}

/** A response of a route. */
export interface OpenApiResponse {
  /** The codes that it stands for. */
  description: string
  /** The headers that come with it. */
  headers: Record<string, OpenApiHeader>
  /** The body by its media type: `application/json`, or with problem details their own. */
  content: Record<string, OpenApiContent>
}

/** A body: one shape, the possible codes, and an example for each. */
export interface OpenApiContent {
  /** Its shape (JSON Schema). */
  schema: OpenApiObject
  /** One for each code, by the code. */
  examples: Record<string, OpenApiExample>
}

/** The description of a guarded route. It refers to nothing else in a document. */
export interface OpenApiRoute {
  /** The ways to authenticate, each enough; an empty one where a token is optional. */
  security: OpenApiSecurity[]
  /** The refusals, by status. */
  responses: Record<string, OpenApiResponse>
}

/** The description of an application's guards. */
export interface OpenApi {
  /** For `components` of the document. */
  readonly components: {
    /** How tokens come: a scheme for each location in use and each type. */
    readonly securitySchemes: Readonly<Record<string, OpenApiObject>>
    /**
     * Every refusal there is, by status: for routes with errors of their own, such as 429 of
     * a login.
     */
    readonly responses: Readonly<Record<string, OpenApiResponse>>
  }
  /**
   * Describes a route.
   *
   * @param requirement what its guard requires; default: any valid access token
   * @param method the route's method: unsafe ones take the CSRF header beside a cookie. Default
   *   `'GET'`
   * @throws {ConfigurationError} for a requirement that `guard.token` refuses
   */
  route(requirement?: Requirement, method?: string): OpenApiRoute
}

/** The table of errors as rows of one type. */
const ROWS: Readonly<Record<ErrorCode, ErrorRow>> = ERRORS

/** The codes that any token can be refused with. */
const ANY_TOKEN: readonly ErrorCode[] = [
  'request_invalid',
  'token_malformed',
  'signature_invalid',
  'token_expired',
  'token_not_active',
  'issuer_invalid',
  'audience_invalid',
]

/** The members of the body of every refusal. */
const BODY = {
  message: { type: 'string', description: 'For people' },
  error_type: { type: 'string', description: 'The name of the error' },
  error: { type: 'string', description: 'The OAuth 2.0 error word, where there is one' },
} as const

/** The headers of a refusal, by the rules of RFC 6750 section 3 and RFC 9110 section 10.2.3. */
function toHeaders({ status, oauth }: ErrorRow): OpenApiResponse['headers'] {
  const challenge = {
    description: 'RFC 6750 section 3, RFC 9470 section 3',
    schema: { type: 'string' },
  } as const
  const pause = { description: 'Seconds until the next try', schema: { type: 'integer' } } as const
  return {
    ...((status === 401 || oauth !== null) && { [CHALLENGE]: challenge }),
    ...((status === 429 || status === 503) && { 'Retry-After': pause }),
  }
}

/** The members of problem details (RFC 9457 section 3.1). */
const PROBLEM = {
  type: { type: 'string', format: 'uri-reference', description: 'The kind of error' },
  title: { type: 'string', description: 'The kind of error, for people' },
  status: { type: 'integer', description: 'The status of the response' },
  detail: { type: 'string', description: 'As `message`' },
} as const

/** The body of one refusal, as an example. */
function toExample(code: ErrorCode, problems: ProblemSettings | null): OpenApiExample {
  const { type, message, oauth, status } = ROWS[code]
  const value = { message, error_type: type, ...(oauth !== null && { error: oauth }), code }
  const members = status === 429 ? { ...value, retry_after: 1 } : value
  return { value: JSON.parse(toErrorBody(problems, status, members).text) }
}

/** One response for all codes of a status. */
function toResponse(codes: readonly ErrorCode[], problems: ProblemSettings | null): OpenApiResponse {
  const isLimit = codes.some((code) => ROWS[code].status === 429)
  const schema = {
    type: 'object',
    required: [...(problems ? Object.keys(PROBLEM) : []), 'message', 'error_type', 'code'],
    properties: {
      ...(problems && PROBLEM),
      ...BODY,
      code: { type: 'string', enum: codes },
      ...(isLimit && { retry_after: { type: 'integer', description: 'Seconds until the next try' } }),
    },
  }
  const examples = Object.fromEntries(codes.map((code) => [code, toExample(code, problems)]))
  return {
    description: codes.join(', '),
    headers: Object.assign({}, ...codes.map((code) => toHeaders(ROWS[code]))),
    content: { [problems ? PROBLEM_TYPE : JSON_TYPE]: { schema, examples } },
  }
}

/**
 * Describes the responses of some errors for OpenAPI 3.1, one for each status: for routes that
 * return errors of their own beside those of a guard.
 *
 * @param codes the errors that a route can return; each once
 * @param problems the form of problem details, `auth.http.problems`. Default none
 * @returns the responses by status, such as `{ '401': ... }`
 */
export function describeErrors(
  codes: readonly ErrorCode[],
  problems: ProblemSettings | null = null,
): Record<string, OpenApiResponse> {
  const statuses = new Set(codes.map((code) => ROWS[code].status))
  return Object.fromEntries(
    [...statuses].map((status) => [
      String(status),
      toResponse(
        codes.filter((code) => ROWS[code].status === status),
        problems,
      ),
    ]),
  )
}

/** The types that will do. */
function toTypes(type: PreparedRequirement['type']): readonly TokenType[] {
  return type === 'any' ? ['access', 'refresh'] : [type]
}

/** The security schemes of the configured locations. A token in the body has none in OpenAPI. */
function toSchemes({ sources, cookies, csrf }: HttpSettings): Record<string, OpenApiObject> {
  const schemes: Record<string, OpenApiObject> = {}
  for (const type of toTypes('any')) {
    const description = `An ${type} token`.replace('An r', 'A r')
    const { name, scheme } = sources.header
    if (sources.locations.has('header')) {
      schemes[`${type}Token`] =
        name === 'authorization' && scheme !== ''
          ? { type: 'http', scheme, bearerFormat: 'JWT', description }
          : { type: 'apiKey', in: 'header', name, description }
    }
    if (sources.locations.has('query'))
      schemes[`${type}Query`] = { type: 'apiKey', in: 'query', name: sources.query[type], description }
    if (sources.locations.has('cookie') && cookies.carry.has(type))
      schemes[`${type}Cookie`] = { type: 'apiKey', in: 'cookie', name: cookies[type].name, description }
  }
  if (sources.locations.has('cookie') && csrf.checksToken) {
    const description = `The value of the cookie \`${cookies.csrf.name}\`; with cookies only`
    schemes['csrfHeader'] = { type: 'apiKey', in: 'header', name: csrf.header, description }
  }
  return schemes
}

/** The ways to authenticate for one route. */
function toSecurity(
  requirement: PreparedRequirement,
  schemes: Readonly<Record<string, OpenApiObject>>,
  unsafe: boolean,
): OpenApiSecurity[] {
  const ways: OpenApiSecurity[] = []
  for (const type of toTypes(requirement.type)) {
    for (const [location, suffix] of [
      ['header', 'Token'],
      ['query', 'Query'],
      ['cookie', 'Cookie'],
    ] as const) {
      const name = `${type}${suffix}`
      if (!requirement.locations.has(location) || schemes[name] === undefined) continue
      const way: OpenApiSecurity = { [name]: [...(requirement.scopes ?? [])] }
      if (location === 'cookie' && unsafe && requirement.csrf.checksToken) way['csrfHeader'] = []
      ways.push(way)
    }
  }
  return requirement.optional ? [...ways, {}] : ways
}

/** What of an application decides about tokens beside their requirement. */
interface TokenChecks {
  /** Whether a store or a blocklist knows what is revoked. */
  readonly revocable: boolean
  /** Whether keys are loaded, which may fail. */
  readonly loadsKeys: boolean
  /** The other issuers whose tokens are accepted. */
  readonly issuers: OpenApiSettings['issuers']
}

/** The codes that a request to a route can be refused with. */
function toCodes(
  requirement: PreparedRequirement,
  unsafe: boolean,
  { revocable, loadsKeys, issuers }: TokenChecks,
): ErrorCode[] {
  const isStepUp =
    requirement.freshWithin !== null ||
    requirement.maxAge !== null ||
    requirement.acr !== null ||
    requirement.amr !== null
  const byCookie = requirement.locations.has('cookie') && unsafe
  const isChecked = revocable && requirement.revocation !== 'off'
  const refreshes = isChecked && requirement.type !== 'access'
  const hasIssuers = issuers.length > 0
  const isAsked = issuers.some(({ introspection }) => introspection !== null)
  const mayFail = isChecked || loadsKeys || hasIssuers || requirement.check !== null
  return [
    ...(requirement.optional ? [] : (['token_missing'] as const)),
    ...ANY_TOKEN,
    ...(requirement.type === 'any' ? [] : ([`${requirement.type}_token_required`] as const)),
    ...(requirement.realm === undefined ? [] : (['realm_mismatch'] as const)),
    ...(byCookie && requirement.csrf.checksToken ? (['csrf_missing'] as const) : []),
    ...(byCookie && (requirement.csrf.checksToken || requirement.csrf.checksOrigin)
      ? (['csrf_mismatch'] as const)
      : []),
    ...(isChecked || isAsked ? (['token_revoked'] as const) : []),
    ...(mayFail ? (['store_unavailable'] as const) : []),
    ...(hasIssuers ? (['subject_unknown', 'issuer_unavailable'] as const) : []),
    ...(refreshes ? (['session_expired', 'session_revoked', 'refresh_reused'] as const) : []),
    ...(isStepUp ? (['fresh_token_required'] as const) : []),
    ...(requirement.scopes === null && requirement.anyScope === null ? [] : (['scope_missing'] as const)),
    ...(requirement.check === null ? [] : (['access_denied'] as const)),
  ]
}

/** The settings of an application that its description depends on. */
interface OpenApiSettings {
  readonly http: HttpSettings
  readonly ring: { readonly changes: unknown }
  readonly isRevoked: unknown
  readonly issuers: readonly { readonly introspection: unknown }[]
}

/**
 * Describes the guards of one application.
 *
 * @param settings where tokens are looked for, the keys, the application's own blocklist, other
 *   issuers
 * @param prepare prepares a requirement
 * @param hasFeed whether a store, or a service that has one, knows what is revoked
 */
export function createOpenApi(
  { http, ring, isRevoked, issuers }: OpenApiSettings,
  prepare: PrepareRequirement,
  hasFeed: boolean,
): OpenApi {
  const revocable = hasFeed || isRevoked !== null
  const checks = { revocable, loadsKeys: ring.changes !== null, issuers }
  const securitySchemes = toSchemes(http)
  return {
    components: {
      securitySchemes,
      responses: describeErrors(Object.keys(ERRORS) as ErrorCode[], http.problems),
    },
    route(requirement, method = 'GET') {
      const prepared = prepare(requirement)
      const unsafe = isUnsafe(method.toUpperCase())
      return {
        security: toSecurity(prepared, securitySchemes, unsafe),
        responses: describeErrors(toCodes(prepared, unsafe, checks), http.problems),
      }
    },
  }
}
