/**
 * From claims to a token: the claims are checked, built and signed. Knows nothing of HTTP, sessions
 * or passwords. A mistake in a call is a `TypeError` that says what was expected: the caller is
 * wrong, not the request.
 */
import { randomUUID } from 'node:crypto'
import { type Awaitable, isPromise } from '../internal/awaitable.ts'
import { expected, isOptions, isRecord, misuse } from '../internal/configuration-error.ts'
import type { Clock } from '../internal/duration.ts'
import { findJsonMisfit, writeJson } from '../internal/json.ts'
import { isReservedClaim, isWithinPayloadBounds, PAYLOAD_BOUNDS, SHAPES } from './claim-shapes.ts'
import { prepareSignJws } from './jws.ts'
import type { KeyRing } from './ring.ts'
import { isSameList, MAX_SCOPES } from './scopes.ts'
import { TOKEN_TYPES, type TokenType, toRefreshAudience } from './token-type.ts'

/** The claims of one token to be issued, as plain values; undefined leaves a claim out. */
export interface TokenClaims {
  /** Which type of token it will be. */
  readonly type: TokenType
  /** Subject; never empty. */
  readonly sub: string
  /** Token identifier. Default: a random UUID. */
  readonly jti?: string | undefined
  /** Issued at, epoch seconds, an integer. */
  readonly iat: number
  /** Expires at, epoch seconds, an integer. */
  readonly exp: number
  /** Not active before, epoch seconds. */
  readonly nbf?: number | undefined
  /** Written into access tokens only. */
  readonly fresh?: boolean | undefined
  /** The value that a request with cookies must repeat. */
  readonly csrf?: string | undefined
  /**
   * Audience of the access token, or of those that a refresh token gets; undefined takes the
   * configured one.
   */
  readonly aud?: string | readonly string[] | undefined
  /** Granted scopes. */
  readonly scopes?: readonly string[] | undefined
  /** Session identifier. */
  readonly sid?: string | undefined
  /** Generation of a session's refresh token. */
  readonly gen?: number | undefined
  /** Last active authentication, epoch seconds. */
  readonly auth_time?: number | undefined
  /** Methods of that authentication. */
  readonly amr?: readonly string[] | undefined
  /** Its context class. */
  readonly acr?: string | undefined
  /** The name of the login, where it is not the subject. */
  readonly login_name?: string | undefined
  /** The client that the token is issued to. */
  readonly client_id?: string | undefined
  /** False where the user did not want to be remembered. */
  readonly remember?: false | undefined
  /** Custom claims, written at the top level. */
  readonly data?: object | undefined
  /** Further members of the JOSE header. */
  readonly headers?: Readonly<Record<string, string | number | boolean>> | undefined
}

/** The settings of the signer. */
export interface SignTokenSettings {
  /** The ring whose signer signs. */
  readonly ring: KeyRing
  /** The `iss` of every token; undefined for none. */
  readonly issuer: string | undefined
  /** The `aud` of tokens that name no other; undefined for none. */
  readonly audience: string | readonly string[] | undefined
  /** The `login_type` of every token; undefined for none. */
  readonly realm: string | undefined
  /** Whether access tokens follow RFC 9068. Default false. */
  readonly isProfiled?: boolean
  /** The `client_id` of access tokens that name no other; undefined for none. */
  readonly clientId?: string | undefined
  /** The longest life of a token, in seconds. */
  readonly maxLifetime: number
  /** The longest token, in characters. */
  readonly tokenLength: number
  /** The time in epoch seconds. */
  readonly clock: Clock
}

/**
 * Signs one token, at once where the key is in this process.
 *
 * @throws {TypeError} for claims that no verifier would accept
 * @throws {ConfigurationError} when the ring only verifies
 * @throws {AuthError} `store_unavailable` where the key cannot be reached
 */
export type SignToken = (claims: TokenClaims) => Awaitable<string>

/** A payload of at most so many characters cannot have too many members: each takes two or more. */
const SHORT_PAYLOAD = 2 * PAYLOAD_BOUNDS.members

/**
 * Prepares the signer of tokens for a ring.
 *
 * @see RFC 7519 section 7.1, RFC 9068 section 2
 */
export function prepareSignToken(settings: SignTokenSettings): SignToken {
  const { ring, isProfiled = false, clock } = settings
  const writePayload = prepareWritePayload(settings)
  const toTyp = (type: TokenType) => TOKEN_TYPES[type][isProfiled ? 'profiled' : 'typ']
  const signers = {
    access: prepareSignJws(ring, { typ: toTyp('access') }, clock),
    refresh: prepareSignJws(ring, { typ: toTyp('refresh') }, clock),
  }

  return (claims) => {
    checkTokenClaims(claims, settings.maxLifetime)
    const { type, headers } = claims
    const sign =
      headers === undefined ? signers[type] : prepareSignJws(ring, { ...headers, typ: toTyp(type) }, clock)
    const payload = writePayload(claims)
    if (payload.length > SHORT_PAYLOAD && !isWithinPayloadBounds(JSON.parse(payload))) {
      throw misuse(
        `Expected \`data\` to have at most ${PAYLOAD_BOUNDS.members} members together with all other claims but \`scopes\``,
      )
    }
    const token = sign(payload)
    return isPromise(token) ? token.then(checkLength) : checkLength(token)
  }

  function checkLength(token: string): string {
    if (token.length <= settings.tokenLength) return token
    throw misuse(
      `Expected the token to have at most ${settings.tokenLength} characters (\`limits.tokenLength\`): \`data\` is too large`,
    )
  }
}

/**
 * Prepares the writing of payloads, in AuthX's order. They are written member by member:
 * `JSON.stringify` of an object of them would be the dearest step but the signature. For the same
 * reason neighbors that are alike in most tokens are one text, written once. `checkTokenClaims` has
 * seen every value, and scopes have no character that JSON escapes.
 */
function prepareWritePayload(settings: SignTokenSettings): (claims: TokenClaims) => string {
  const { issuer, audience, realm, isProfiled = false, clientId } = settings
  const writtenAudience = audience === undefined ? '' : `,"aud":${writeJson(audience)}`
  const writtenIssuer = issuer === undefined ? '' : `,"iss":${writeJson(issuer)}`
  const writtenRealm = realm === undefined ? '' : `,"login_type":${writeJson(realm)}`
  const writtenBoth = writtenAudience + writtenIssuer
  const writeScopes = prepareWriteScopes(isProfiled)

  /** The audience of a token that is not the configured one, or not alone, and the issuer. */
  function writeOther({ type, aud = audience }: TokenClaims): string {
    const names = aud === undefined ? [] : typeof aud === 'string' ? [aud] : aud
    const own = type === 'access' ? undefined : toRefreshAudience(issuer, names)
    const written = own ?? aud
    let text = written === undefined ? '' : `,"aud":${writeJson(written)}`
    // A refresh token has an audience of its own. Here it keeps that of its access tokens.
    if (own !== undefined && aud !== undefined && !isSameAudience(aud, audience))
      text += `,"access_aud":${writeJson(aud)}`
    return text + writtenIssuer
  }

  return (claims) => {
    const { type, aud, csrf, nbf, sid, gen, auth_time, amr, acr, login_name, remember, data } = claims
    const { client_id = type === 'access' ? clientId : undefined } = claims
    const jti = claims.jti === undefined ? `"${randomUUID()}"` : writeJson(claims.jti)
    const kind =
      type === 'refresh' ? ',"type":"refresh"' : claims.fresh === true ? FRESH_ACCESS : STALE_ACCESS
    let text = `{"sub":${writeJson(claims.sub)},"jti":${jti}${kind}`
    if (csrf !== undefined) text += `,"csrf":${writeJson(csrf)}`
    text += `,"iat":${writeJson(claims.iat)},"exp":${writeJson(claims.exp)}`
    if (nbf !== undefined) text += `,"nbf":${writeJson(nbf)}`
    text += type === 'access' && (aud === undefined || aud === audience) ? writtenBoth : writeOther(claims)
    if (sid !== undefined) text += `,"sid":${writeJson(sid)}`
    if (gen !== undefined) text += `,"gen":${writeJson(gen)}`
    if (auth_time !== undefined) text += `,"auth_time":${writeJson(auth_time)}`
    if (amr !== undefined) text += `,"amr":${writeJson(amr)}`
    if (acr !== undefined) text += `,"acr":${writeJson(acr)}`
    text += writtenRealm
    if (login_name !== undefined) text += `,"login_name":${writeJson(login_name)}`
    if (client_id !== undefined) text += `,"client_id":${writeJson(client_id)}`
    if (remember !== undefined) text += `,"remember":${writeJson(remember)}`
    text += writeScopes(claims)
    const custom = data === undefined ? '{}' : JSON.stringify(data)
    return custom === '{}' ? `${text}}` : `${text},${custom.slice(1)}`
  }
}

const FRESH_ACCESS = ',"type":"access","fresh":true'
const STALE_ACCESS = ',"type":"access","fresh":false'

function isSameAudience(a: TokenClaims['aud'], b: TokenClaims['aud']): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b)
}

/** Prepares the writing of scopes. The latest text is kept, as most tokens have the same scopes. */
function prepareWriteScopes(isProfiled: boolean): (claims: TokenClaims) => string {
  let latest: { readonly name: string; readonly scopes: readonly string[]; readonly text: string } = {
    name: '',
    scopes: [],
    text: '',
  }
  return (claims) => {
    const { type, scopes } = claims
    if (scopes === undefined || scopes.length === 0) return ''
    const name = isProfiled && type === 'access' ? 'scope' : toScopesName(claims)
    if (latest.name === name && isSameList(latest.scopes, scopes)) return latest.text
    const text = name === 'scope' ? `,"scope":"${scopes.join(' ')}"` : `,"${name}":["${scopes.join('","')}"]`
    latest = { name, scopes: [...scopes], text }
    return text
  }
}

/**
 * A session's refresh token has its scopes as `access_scopes`, so that it grants nothing to a
 * verifier that takes it for an access token.
 */
function toScopesName({ type, gen }: TokenClaims): 'scopes' | 'access_scopes' {
  return type === 'refresh' && gen !== undefined ? 'access_scopes' : 'scopes'
}

/**
 * Refuses what a verifier would refuse, or what JSON would silently change.
 *
 * @param maxLifetime the longest life of a token, in seconds
 * @throws {TypeError} for the first claim that is wrong
 */
export function checkTokenClaims(claims: TokenClaims, maxLifetime: number): void {
  const { sub, iat, exp, nbf, scopes, data, aud, amr, acr, headers } = claims
  if (!SHAPES.sub(sub))
    throw misuse(expected('subject', 'a non-empty string without U+0000', typeof sub === 'string' ? '' : sub))
  if (exp <= iat)
    throw misuse('Expected the token to expire in the future: `expiresIn` or `expiresAt` lies in the past')
  if (exp - iat > maxLifetime) {
    throw misuse(
      `Expected the token to live at most ${maxLifetime} seconds (\`limits.lifetime\`), got ${exp - iat}`,
    )
  }
  if (nbf !== undefined && !(nbf < exp))
    throw misuse('Expected `notBefore` to lie before the end of the token')
  if (Array.isArray(scopes) && scopes.length > MAX_SCOPES)
    throw misuse(`Expected \`scopes\` to be at most ${MAX_SCOPES} names, got ${scopes.length}`)
  if (scopes !== undefined && !SHAPES.scopes(scopes)) {
    throw misuse(
      "Expected `scopes` to be a list of names such as 'users:read', without blanks (RFC 6749 section 3.3)",
    )
  }
  checkMethods({ amr, acr })
  if (claims.login_name !== undefined && !SHAPES.login_name(claims.login_name))
    throw misuse('Expected `loginName` to be a non-empty string without U+0000')
  if (claims.client_id !== undefined && !SHAPES.client_id(claims.client_id))
    throw misuse('Expected `clientId` to be a non-empty string without U+0000')
  const names: readonly unknown[] = aud === undefined ? [] : Array.isArray(aud) ? aud : [aud]
  if (aud !== undefined && (names.length === 0 || !names.every((name) => SHAPES.sub(name)))) {
    throw misuse('Expected `audience` to be a non-empty string or a list of them')
  }
  if (data !== undefined) checkData(data)
  if (headers !== undefined) checkHeaders(headers)
}

/** Checks how the user authenticated. @throws {TypeError} for what no claim can be */
export function checkMethods({ amr, acr }: { readonly amr?: unknown; readonly acr?: unknown }): void {
  if (amr !== undefined && !SHAPES.amr(amr))
    throw misuse("Expected `amr` to be a list of method names such as 'pwd'")
  if (acr !== undefined && !SHAPES.acr(acr)) throw misuse('Expected `acr` to be a non-empty string')
}

/** The deepest custom data: one level less than the payload that contains it. */
const DATA_DEPTH = PAYLOAD_BOUNDS.depth - 1

/** How much of a member's name is told, in characters. */
const MAX_TOLD_NAME = 40

/**
 * Refuses custom claims that would replace registered ones, or that JSON would silently lose or
 * change.
 */
function checkData(data: object): void {
  if (!isRecord(data)) throw misuse(expected('data', 'an object', data))
  const misfit = findJsonMisfit(data, DATA_DEPTH)
  if (misfit !== undefined) {
    const name = ['data', ...misfit.path.map((part) => part.slice(0, MAX_TOLD_NAME))].join('.')
    throw misuse(
      `Expected \`${name}\` to be plain JSON of at most ${DATA_DEPTH} levels: text, finite numbers, booleans, null, lists, objects; got ${misfit.got}`,
    )
  }
  for (const name of Object.keys(data)) {
    if (isReservedClaim(name))
      throw misuse(
        `Expected \`data\` to hold custom claims only: \`${name}\` is reserved${OPTION_OF[name] ?? ''}`,
      )
  }
}

/** Where a reserved claim is given that people write as custom data elsewhere. */
const OPTION_OF: Readonly<Record<string, string>> = {
  scope: '; give `scopes`',
  client_id: '; give `clientId`',
}

/** Refuses header members that the library sets itself; `prepareSignJws` checks the others. */
function checkHeaders(headers: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (!isOptions(headers)) throw misuse(expected('headers', 'an object', headers))
  const reserved = ['alg', 'typ', 'kid'].find((name) => Object.hasOwn(headers, name))
  if (reserved !== undefined)
    throw misuse(`Expected \`headers\` to leave \`${reserved}\` alone: it is reserved`)
  return headers
}
