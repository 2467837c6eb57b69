/**
 * How sessions end: one, all of a subject, or everything that a subject holds. An ending that could not be stored is a failure;
 * one that was is known in this process at once, and in others when they have read the log.
 */
import type { TokenPayload } from '../token/token-payload.ts'
import type { SessionDependencies } from './dependencies.ts'
import type { RevokeReason } from './store.ts'

/** The deps, whatever the custom claims. */
type EndDependencies = Pick<
  SessionDependencies<never>,
  'storeClient' | 'clock' | 'note' | 'catchUp' | 'emit'
> & {
  readonly settings: Pick<SessionDependencies<never>['settings'], 'logTtl' | 'cutOffTtl'>
}

/** Makes this process know of a revocation before any feed does. */
export function noteRevoked(
  { note, clock, settings }: EndDependencies,
  kind: 'sid' | 'jti',
  key: string,
): void {
  const at = clock()
  note({ kind, key, at, until: at + settings.logTtl })
}

/**
 * Ends one session.
 *
 * @returns whether it was live
 * @throws {AuthError} `store_unavailable`: then it is not ended
 */
export async function endSession(
  deps: EndDependencies,
  sid: string,
  reason: RevokeReason = 'ended',
): Promise<boolean> {
  const { storeClient, settings, emit } = deps
  const call = { logTtl: settings.logTtl, now: storeClient.now() }
  const { row, ended } = await storeClient.call(async (store) => {
    const found = await store.get(sid)
    return { row: found, ended: await store.end(sid, reason, call) }
  })
  noteRevoked(deps, 'sid', sid)
  if (ended && row !== null) emit({ kind: 'ended', sid, sub: row.sub })
  return ended
}

/**
 * Ends every session of a subject but `except`; with `everything` also its tokens without a session, and logins in flight.
 *
 * @returns how many sessions were live
 * @throws {AuthError} `store_unavailable`: then try again
 */
export async function endSubject(
  { storeClient, settings, emit, catchUp }: EndDependencies,
  sub: string,
  { except = null, everything = false }: { readonly except?: string | null; readonly everything?: boolean },
): Promise<number> {
  const reason = everything ? 'subject_revoked' : 'ended'
  const cutOff = everything ? settings.cutOffTtl : null
  const call = { logTtl: settings.logTtl, except, cutOff, now: storeClient.now() }
  const count = await storeClient.call((store) => store.endAll(sub, reason, call))
  await catchUp()
  emit({ kind: 'ended', sid: null, sub })
  return count
}

/**
 * Revokes one token: a refresh token of a session by its session, any other by its identifier until it expires.
 *
 * @param leeway forgiven clock skew in seconds: so much longer is the token accepted
 * @throws {TypeError} for a token without `jti`
 */
export async function revokeToken(
  deps: EndDependencies,
  payload: TokenPayload<unknown>,
  leeway: number,
): Promise<void> {
  const { type, sid, jti, exp } = payload
  if (type === 'refresh' && sid !== undefined) {
    await endSession(deps, sid)
    return
  }
  if (jti === undefined) throw new TypeError('Expected the token to have a `jti`: nothing else names it')
  const { storeClient } = deps
  await storeClient.call((store) => store.revokeToken(jti, exp + leeway, storeClient.now()))
  noteRevoked(deps, 'jti', jti)
}
