/**
 * Notices a login on a device that no live session of the subject looks like: one whose user agent
 * differs from all of theirs in more than numbers, such as those of versions. It only tells, after
 * the login, and refuses nothing. Where there is no other session, or none with a user agent, there
 * is nothing to compare with, and nothing is told.
 */
import type { SessionOwner, SessionRow } from './session-row.ts'
import type { StoreClient } from './store-client.ts'

/** A login on a device that was not seen before. */
export interface NewDevice {
  /** The session that it has started. */
  readonly sid: string
  /** Its subject. */
  readonly sub: string
  /** Its address; null where it is unknown. */
  readonly ip: string | null
  /** Its user agent. */
  readonly userAgent: string | null
}

/** Who wants to know of new devices. */
export interface NewDeviceListener {
  /** Whether anyone listens: without, no list is read. */
  hasListener(): boolean
  /** Tells of one. */
  emit(event: NewDevice): void
}

/** What follows once a session has started: `ended` made place for it. */
export type AfterStart = (row: SessionRow, ended: readonly SessionRow[]) => void

/**
 * Reads the other sessions while a login is carried out. Their list delays no login and refuses
 * none.
 */
export function watchForNewDevice(
  listener: NewDeviceListener,
  storeClient: Pick<StoreClient, 'call' | 'now'>,
  { realm, sub, userAgent }: SessionOwner & Pick<SessionRow, 'userAgent'>,
): AfterStart {
  if (userAgent === null || !listener.hasListener()) return () => undefined
  const listed = storeClient
    .call('list', (store) => store.list({ realm, sub }, storeClient.now()))
    .catch((): null => null)
  return (row, ended) => {
    void listed.then((others) => {
      if (others === null || !isNewDevice(row, [...others, ...ended])) return
      listener.emit({ sid: row.sid, sub: row.sub, ip: row.ip, userAgent: row.userAgent })
    })
  }
}

/** Whether nothing like a session is among those that started before it. */
export function isNewDevice(row: SessionRow, others: readonly SessionRow[]): boolean {
  if (row.userAgent === null) return false
  const seen = others
    .filter((other) => isBefore(other, row))
    .flatMap(({ userAgent, lastUserAgent }) => [userAgent, lastUserAgent])
    .filter((agent) => agent !== null)
  const family = toFamily(row.userAgent)
  return seen.length > 0 && seen.every((agent) => toFamily(agent) !== family)
}

/** One order of all sessions: of two logins at once only the later one has the other before it. */
function isBefore(other: SessionRow, row: SessionRow): boolean {
  if (other.createdAt !== row.createdAt) return other.createdAt < row.createdAt
  return other.sid < row.sid
}

/** A user agent without its numbers, which change with each version. */
function toFamily(userAgent: string): string {
  return userAgent.replace(/\d+(?:[._]\d+)*/g, '')
}
