/**
 * `GET /revocations`: what was revoked, for services that verify tokens without the session store.
 * They authenticate as clients. A request with the cursor of the last page is held until something
 * was revoked. `POST /revocations` says of one token whether it is revoked now.
 *
 * A page names sessions and tokens by their identifiers and subjects by themselves, as tokens do.
 * No token can be made of it.
 */
import { AuthError } from '../errors.ts'
import {
  AS_OF_HEADER,
  LONGEST_HOLD,
  MAX_CURSOR,
  NONCE,
  NONCE_HEADER,
  type RevocationPage,
} from '../http/revocation-page.ts'
import { sha256 } from '../internal/hash.ts'
import type { LogPage } from '../session/store.ts'
import { authenticateClient } from './clients.ts'
import { type RouteContext, type RouteDependencies, toJsonResponse } from './context.ts'

/** `GET /revocations`. */
export async function listRevocations<C>(
  deps: RouteDependencies<C>,
  context: RouteContext,
): Promise<Response> {
  const { request } = context
  const client = await authenticateClient(deps.verifyClient, request)
  const publisher = requirePublisher(deps)
  const { cursor, wait, nonce } = readQuery(request.url)
  const { page, asOf } = await publisher.read({ client, cursor, wait, signal: context.signal() })
  const tag = toTag(page.cursor)
  const isUnchanged = page.entries.length === 0 && !page.more && page.restarted !== true
  const headers = new Headers({
    'Cache-Control': 'no-store',
    ETag: tag,
    [AS_OF_HEADER]: asOf.toFixed(3),
    ...(nonce !== null && { [NONCE_HEADER]: nonce }),
  })
  if (isUnchanged && matches(request.headers.get('if-none-match'), tag))
    return new Response(null, { status: 304, headers })
  headers.set('Content-Type', 'application/json')
  return new Response(toBody(deps, page, publisher.covers), { headers })
}

/** `POST /revocations`. */
export async function checkToken<C>(deps: RouteDependencies<C>, context: RouteContext): Promise<Response> {
  await authenticateClient(deps.verifyClient, context.request)
  const { sid, jti, sub, iat } = (await context.body()) ?? {}
  const isName = (value: unknown): value is string | undefined =>
    value === undefined || (typeof value === 'string' && value !== '')
  if (!isName(sid) || !isName(jti) || typeof sub !== 'string' || sub === '')
    throw new AuthError('request_invalid', { message: 'Expected `sub` and, if any, `sid` and `jti` as text' })
  if (iat !== undefined && !Number.isFinite(iat))
    throw new AuthError('request_invalid', { message: 'Expected `iat` to be a number of epoch seconds' })
  const revoked = await requirePublisher(deps).isRevoked({ sid, jti, sub, iat: iat as number | undefined })
  return toJsonResponse(200, { revoked, ...toOwner(deps) })
}

/** The routes are there only with a session store. */
function requirePublisher<C>({ auth }: RouteDependencies<C>) {
  const { revocations } = auth.internals
  if (revocations === null) throw new AuthError('store_unavailable')
  return revocations
}

/** Reads the query. @throws {AuthError} `request_invalid` */
function readQuery(url: string): { cursor: string | null; wait: number; nonce: string | null } {
  const query = new URL(url).searchParams
  const [cursor, wait, nonce] = [query.get('cursor'), query.get('wait') ?? '0', query.get('nonce')]
  if (cursor !== null && (cursor === '' || cursor.length > MAX_CURSOR))
    throw new AuthError('request_invalid', { message: 'Expected `cursor` to be that of an earlier page' })
  if (!/^\d{1,4}(?:\.\d{1,3})?$/.test(wait))
    throw new AuthError('request_invalid', { message: 'Expected `wait` to be a number of seconds' })
  if (nonce !== null && !NONCE.test(nonce))
    throw new AuthError('request_invalid', { message: 'Expected `nonce` to be 1-64 letters and digits' })
  return { cursor, wait: cursor === null ? 0 : Math.min(Number(wait), LONGEST_HOLD), nonce }
}

/** The tag of a place in the log. A cursor may have characters that a tag may not. */
function toTag(cursor: string): string {
  return `"${sha256(cursor).slice(0, 22)}"`
}

/** Whether a header names a tag (RFC 9110 section 13.1.2, weak comparison). */
function matches(header: string | null, tag: string): boolean {
  const tags = header?.split(',').map((one) => one.trim().replace(/^W\//, ''))
  return tags?.includes(tag) === true
}

/** Bodies of pages: followers that are told the same share one. */
const bodies = new WeakMap<LogPage, string>()

function toBody<C>(deps: RouteDependencies<C>, page: LogPage, covers: number): string {
  const known = bodies.get(page)
  if (known !== undefined) return known
  const { entries, cursor, more, restarted = false, now } = page
  const content: RevocationPage = { ...toOwner(deps), entries, cursor, more, restarted, now, covers }
  const body = JSON.stringify(content)
  bodies.set(page, body)
  return body
}

function toOwner<C>({ auth }: RouteDependencies<C>) {
  return { iss: auth.internals.issuer, realm: auth.http.realm }
}
