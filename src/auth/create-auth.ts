/**
 * `createAuth(options)` -> `Auth`: the wiring. It connects the parts and decides nothing: what a
 * token must be is in `token/`, where it travels in `http/`, and how a request is authenticated in
 * `authenticate.ts`.
 */
import { isAuthError } from '../errors.ts'
import { toCookieList } from '../http/cookie-list.ts'
import { type CookieToken, clearCookies, setCookies } from '../http/cookies.ts'
import { createErrorResponse } from '../http/error-response.ts'
import { warnOfSharedCookies } from '../http/shared-cookies.ts'
import { isPromise } from '../internal/awaitable.ts'
import { expected, isOptions, misuse } from '../internal/configuration-error.ts'
import { Diagnostics, type Observer } from '../internal/diagnostics.ts'
import { followSource } from '../remote/resolve-source.ts'
import { readDetails } from '../session/session-details.ts'
import { type IssuedToken, toTokenPair } from '../token/issued-token.ts'
import { readUnverified } from '../token/jws.ts'
import { OneTimeTokens } from '../token/one-time-token.ts'
import { findNextRetirement } from '../token/ring.ts'
import { checkMethods } from '../token/sign-token.ts'
import { Tickets } from '../token/ticket.ts'
import { type Claims, requireVerifiedBy, TokenPayload, toAccessAudience } from '../token/token-payload.ts'
import { Verifier, type VerifySettings } from '../token/verify.ts'
import type { Auth, AuthInternals } from './auth.ts'
import { Pipeline } from './authenticate.ts'
import { createRequestApi } from './authenticator.ts'
import { connectBackend } from './connect-backend.ts'
import { connectIssuers, type OwnVerifySettings } from './connect-issuers.ts'
import { withVariableNames } from './environment.ts'
import { TokenIssuer } from './issue-tokens.ts'
import { checkSubject, loadSubject } from './load-subject.ts'
import { createOneTime } from './one-time.ts'
import { createOpenApi } from './openapi.ts'
import { createOperations } from './operations.ts'
import type { AuthOptions } from './options.ts'
import { RefusalReporter } from './refusal-reporter.ts'
import { createPrepareRequirement } from './requirement.ts'
import { resolveOptions, type Settings } from './resolve-options.ts'
import { createRevocationCheck, type RevocationCheck } from './revocation-check.ts'
import { createSessionApi } from './session-api.ts'
import { createWatchApi, TokenFollowers } from './watch.ts'

export type { Auth } from './auth.ts'

/**
 * Creates token authentication for one application: checks and freezes the options, imports the
 * keys, prepares everything. It draws no randomness, starts no timer and reads no clock, so it may
 * be called at module scope of any runtime.
 *
 * @throws {ConfigurationError} for the first option that is missing, unknown, of the wrong shape or
 *   unsafe
 *
 * @example
 * ```ts
 * import { createAuth } from 'tokenwright'
 *
 * const auth = createAuth({ secret: process.env['AUTH_SECRET'] ?? '' })
 * const { access_token } = await auth.createTokenPair('user-1', { fresh: true })
 * const payload = await auth.verifyToken(access_token, { fresh: true })
 * console.log(payload.sub, payload.timeUntilExpiry)
 * ```
 */
export function createAuth<I = Claims, C extends I = I, U = unknown>(
  options: AuthOptions<I, C, U> = {},
): Auth<C, U, I> {
  return connectAuth(withVariableNames(options, () => resolveOptions(options)))
}

/**
 * Makes an application of its settings.
 *
 * @param explain says more of a refusal of a token
 */
export function connectAuth<I, C extends I, U>(
  settings: Settings<C, U>,
  explain: VerifySettings<C>['explain'] = null,
): Auth<C, U, I> {
  const { clock, http, lifetimes, freshness, ring } = settings
  const parts = connect(settings, explain)
  const { hasStore, issuer, prepare, pipeline, requests, sessionApi, followers } = parts
  const toLines = toCookieLines(settings)
  const keys = createKeyInternals(settings)

  return Object.freeze({
    ...requests.api,
    async createAccessToken(subject, ...[options]) {
      const issued = issuer.issueAccess(subject, options)
      return (isPromise(issued) ? await issued : issued).text
    },
    async createRefreshToken(subject, ...[options]) {
      if (!hasStore) return (await issuer.issueRefresh(subject, options)).text
      throw misuse(
        'Expected `sessions.start` in place of `createRefreshToken`: no session would know the token',
      )
    },
    createTokenPair: async (subject, ...[options]) =>
      hasStore
        ? toTokenPair(await sessionApi.issuing.start(subject, options))
        : toTokenPair(await issuer.issuePair(subject, options)),
    sessions: sessionApi.sessions,
    oneTime: parts.oneTime,
    revoke: sessionApi.revoke,
    revokeSubject: sessionApi.revokeSubject,
    ...createOperations(settings, keys, parts),
    ...createWatchApi(pipeline, prepare, { followers, tickets: parts.tickets, origin: settings }),
    ...createCookieApi(settings),
    async loadSubject(payload) {
      requireVerifiedBy(settings, payload)
      return loadSubject(payload, settings.subject)
    },
    loadsSubject: settings.subject !== null,
    errorResponse(error) {
      if (isAuthError(error)) return createErrorResponse(error, http)
      throw misuse(`${expected('error', 'an AuthError', error)}; ask \`isAuthError(error)\` first`)
    },
    jwks: () => ring.currentJwks(clock),
    openapi: () => createOpenApi(settings, prepare, parts.revocable),
    http,
    resource: http.resource,
    lifetimes: Object.freeze({ ...lifetimes, freshness }),
    now: clock,
    internals: Object.freeze({
      ...keys,
      hasVerified: (payload) => TokenPayload.isVerifiedBy(payload, settings),
      isOurs: (token) => parts.verifier.isOurs(token),
      audienceOf: (payload) => toAccessAudience(payload) ?? settings.audience.issued,
      issuer: settings.issuer,
      requests: requests.internals,
      ...parts.kept,
      sessions: sessionApi.issuing,
      attempts: parts.attempts,
      oneTimeTokens: parts.oneTimeTokens,
      reportRefusal: (error, request, facts) => parts.refusals.report(error, request, facts),
      reportFailure: (error, request) => parts.refusals.reportFailure(error, request),
      issueAccess: async (subject, options) => issuer.issueAccess(subject, options),
      issuePair: (subject, options) => issuer.issuePair(subject, options),
      checkDetails: (details) => void readDetails(details),
      checkClaims: async (subject, options) => issuer.checkPair(await issuer.toPairClaims(subject, options)),
      checkMethods,
      toCookies: ({ access, refresh }) =>
        toLines({ access: toCookieToken(access), ...(refresh && { refresh: toCookieToken(refresh) }) }),
    } satisfies AuthInternals<C>),
  } satisfies Auth<C, U, I>)
}

/** How new the keys are, and for how long they stay. */
function createKeyInternals<C, U>({
  ring,
  clock,
}: Settings<C, U>): Pick<AuthInternals<C>, 'loadKeys' | 'keysLast' | 'keyIds'> {
  return {
    keyIds: () => ({
      signing: ring.signer?.kid ?? null,
      verifying: ring.keys.filter(({ notAfter }) => notAfter >= clock()).map(({ kid }) => kid),
    }),
    loadKeys: async () => ring.changes?.current(clock()),
    keysLast: () => findNextRetirement(ring, clock()) - clock(),
  }
}

/** Makes the parts of an application, each of those before it. */
function connect<C, U>(settings: Settings<C, U>, explain: VerifySettings<C>['explain']) {
  warnOfSharedCookies(settings.http, settings.ring.signer?.kid)
  const { clock, http, leeway, isRevoked, freshness, on, realm } = settings
  const issuer = new TokenIssuer<C>(settings)
  const diagnostics = new Diagnostics(on)
  const backend = connectBackend(settings, issuer, diagnostics)
  const hasStore = backend !== null
  const remote = followSource(settings.source, settings.clock)
  const revocation = createRevocationCheck(backend, remote, settings)
  const toLines = toCookieLines(settings)
  const checkSize = createSizeCheck(settings)
  const sessionApi = createSessionApi({ backend, issuer, leeway, origin: settings, checkSize })

  const ownSettings = toVerifySettings(settings, hasStore)
  const issuers = connectIssuers(settings, ownSettings)
  const verifier = new Verifier({ ...ownSettings, explain, others: issuers })
  const tickets = hasStore ? new Tickets(ownSettings) : null
  const can = { hasStore, revocable: hasStore || remote !== null, issues: isSigning(settings) }
  const prepare = createPrepareRequirement(http, { freshness, realm, ...can })
  const pipeline = new Pipeline<C>({
    verifier,
    header: settings.http.sources.header,
    redeemTicket: tickets && prepareRedeem(tickets, revocation),
    revocation,
    isRevoked,
    async renew(payload, until) {
      if (!hasStore) await checkSubject(payload, settings)
      const token = await issuer.renew(payload, until, await revocation.renewGrants(payload))
      return toLines({ access: toCookieToken(token) })
    },
    leeway,
    hasStore,
    clock,
    on,
  })
  const hasBlocklist = isRevoked !== null
  const refusals = new RefusalReporter(on, clock)
  const requests = createRequestApi({
    pipeline,
    verifier,
    hasBlocklist,
    prepare,
    header: http.sources.header,
    cookies: http.cookies,
    refusals,
    operation: diagnostics.operation('tokenwright:authenticate'),
  })
  const followers = new TokenFollowers<C>({
    clock,
    checkRevocation: (payload) => pipeline.checkRevocation(payload, prepare()),
    listen: revocation.listen,
    mustPoll: (payload) => hasBlocklist || revocation.isLongLived(payload),
    maxOutage: revocation.maxOutage,
  })
  const attempts = backend?.attempts ?? null
  const oneTimeTokens = new OneTimeTokens(settings)
  return {
    ...can,
    kept: {
      hasSessions: hasStore,
      revocations: backend?.publisher ?? null,
      observe: (observer: Observer) => diagnostics.observe(observer),
    },
    attempts,
    oneTimeTokens,
    oneTime: createOneTime({ tokens: oneTimeTokens, attempts, leeway, now: clock }),
    refusals,
    issuer,
    issuers,
    probe: backend?.probe ?? null,
    revocation,
    sessionApi,
    tickets,
    verifier,
    prepare,
    pipeline,
    requests,
    followers,
  }
}

/** Takes a ticket in place of a token, once. */
function prepareRedeem<C>(tickets: Tickets<C>, revocation: RevocationCheck<C>) {
  return async (ticket: string): Promise<TokenPayload<C>> => {
    const { jti, payload } = await tickets.verify(ticket)
    await revocation.spendTicket(jti)
    return payload
  }
}

/** Whether the ring signs, or may do so once its keys are loaded. */
function isSigning<C, U>({ ring }: Settings<C, U>): boolean {
  return ring.signer !== null || ring.changes !== null
}

function toVerifySettings<C, U>(settings: Settings<C, U>, hasRows: boolean): OwnVerifySettings<C> {
  const { limits, ring, cache, schema, issuer, audience, interop, untyped, leeway, clock, realm } = settings
  const rules = {
    issuer,
    audience: audience.accepted,
    interop,
    untyped,
    realm,
    maxLifetime: limits.lifetime,
    leeway,
    clock,
    origin: settings,
  }
  return { ring, rules, limits, cache, schema, hasRows }
}

/** The cookies of tokens, as lines and as data. */
function createCookieApi<C, U>(
  settings: Settings<C, U>,
): Pick<Auth, 'cookies' | 'clearCookies' | 'cookieList' | 'clearCookieList'> {
  const toLines = toCookieLines(settings)
  const cookies: Auth['cookies'] = (pair) => {
    if (!isOptions(pair)) throw misuse(expected('cookies(pair)', 'given a pair of tokens', pair))
    const { access_token, refresh_token } = pair
    if (access_token === undefined && refresh_token === undefined)
      throw misuse('Expected `cookies(pair)` to be given `access_token` or `refresh_token`, got neither')
    return toLines({
      ...(access_token !== undefined && { access: decodeCookieToken(access_token) }),
      ...(refresh_token !== undefined && { refresh: decodeCookieToken(refresh_token) }),
    })
  }
  const clear = () => clearCookies(settings.http.cookies)
  return {
    cookies,
    clearCookies: clear,
    cookieList: (pair) => toCookieList(cookies(pair)),
    clearCookieList: () => toCookieList(clear()),
  }
}

/** Writes the `Set-Cookie` lines of tokens. */
function toCookieLines<C, U>({ http, clock }: Settings<C, U>) {
  return (tokens: { readonly access?: CookieToken; readonly refresh?: CookieToken }) =>
    setCookies(tokens, http.cookies, Math.floor(clock()))
}

/** Refuses a token that its cookie could not hold, where it may have one. */
function createSizeCheck<C, U>(settings: Settings<C, U>): (token: IssuedToken) => void {
  const toLines = toCookieLines(settings)
  return (token) => {
    if (settings.http.sources.locations.has('cookie')) toLines({ access: toCookieToken(token) })
  }
}

function toCookieToken({ text, claims }: IssuedToken): CookieToken {
  return { token: text, exp: claims.exp, csrf: claims.csrf, remember: claims.remember }
}

/** Reads the values for a token's cookie from its text. */
function decodeCookieToken(token: string): CookieToken {
  const { exp, csrf, remember } = readUnverified(token)?.payload ?? {}
  if (typeof exp !== 'number')
    throw misuse('Expected `cookies(pair)` to get tokens that this application issued')
  return {
    token,
    exp,
    csrf: typeof csrf === 'string' ? csrf : undefined,
    ...(remember === false && { remember }),
  }
}
