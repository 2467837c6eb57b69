/**
 * How sessions end: one, all of a subject, or everything that a subject holds. An ending that could not be stored is a failure;
 * one that was is known in this process at once, and in others when they have read the log.
 */
import type { TokenPayload } from '../token/token-payload.ts'
import type { SessionParts } from './dependencies.ts'
import type { RevokeReason } from './store.ts'

/** The parts, whatever the custom claims. */
type Parts = Pick<SessionParts<never>, 'caller' | 'clock' | 'note' | 'catchUp' | 'tell'> & {
  readonly settings: Pick<SessionParts<never>['settings'], 'logTtl' | 'cutOffTtl'>
}

/** Makes this process know of a revocation before any feed does. */
export function noteRevoked({ note, clock, settings }: Parts, kind: 'sid' | 'jti', key: string): void {
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
  parts: Parts,
  sid: string,
  reason: RevokeReason = 'ended',
): Promise<boolean> {
  const { caller, settings, tell } = parts
  const call = { logTtl: settings.logTtl, now: caller.now() }
  const { row, ended } = await caller.call(async (store) => {
    const found = await store.get(sid)
    return { row: found, ended: await store.end(sid, reason, call) }
  })
  noteRevoked(parts, 'sid', sid)
  if (ended && row !== null) tell({ kind: 'ended', sid, sub: row.sub })
  return ended
}

/**
 * Ends every session of a subject but `except`; with `everything` also its tokens without a session, and logins in flight.
 *
 * @returns how many sessions were live
 * @throws {AuthError} `store_unavailable`: then try again
 */
export async function endSubject(
  { caller, settings, tell, catchUp }: Parts,
  sub: string,
  { except = null, everything = false }: { readonly except?: string | null; readonly everything?: boolean },
): Promise<number> {
  const reason = everything ? 'subject_revoked' : 'ended'
  const cutOff = everything ? settings.cutOffTtl : null
  const call = { logTtl: settings.logTtl, except, cutOff, now: caller.now() }
  const count = await caller.call((store) => store.endAll(sub, reason, call))
  await catchUp()
  tell({ kind: 'ended', sid: null, sub })
  return count
}

/**
 * Revokes one token: a refresh token of a session by its session, any other by its identifier until it expires.
 *
 * @param leeway forgiven clock skew in seconds: so much longer is the token accepted
 * @throws {TypeError} for a token without `jti`
 */
export async function revokeToken(
  parts: Parts,
  payload: TokenPayload<unknown>,
  leeway: number,
): Promise<void> {
  const { type, sid, jti, exp } = payload
  if (type === 'refresh' && sid !== undefined) {
    await endSession(parts, sid)
    return
  }
  if (jti === undefined) throw new TypeError('Expected the token to have a `jti`: nothing else names it')
  const { caller } = parts
  await caller.call((store) => store.revokeToken(jti, exp + leeway, caller.now()))
  noteRevoked(parts, 'jti', jti)
}
