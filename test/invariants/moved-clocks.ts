/** Clocks that move: this process's by mocks, a store's by what it is told and what it returns. */
import { vi } from 'vitest'
import type { SessionRow } from '../../src/session/session-row.ts'
import type { LogPage, Rotation, StepUp, Store } from '../../src/session/store.ts'

/** Shifts the system's clock or the monotonic one, until mocks are restored. */
export function shiftClock(which: 'system' | 'monotonic', seconds: number): void {
  const clock: { now(): number } = which === 'system' ? Date : performance
  const { now } = clock
  vi.spyOn(clock, 'now').mockImplementation(() => now.call(clock) + seconds * 1000)
}

/** The machine sleeps: on Linux the monotonic clock stands still meanwhile. */
export const sleepMachine = (seconds: number): void => shiftClock('monotonic', -seconds)

/** A store on a host whose clock differs. */
export interface MovedStore {
  readonly store: Store
  /** By how many seconds the host's clock is ahead from now on: another host has taken over. */
  failOver(ahead: number): void
  /** How often each method was called. */
  readonly calls: Record<string, number>
}

const ROW_TIMES = [
  'rotatedAt',
  'createdAt',
  'lastUsedAt',
  'idleExpiresAt',
  'absoluteExpiresAt',
  'revokedAt',
] as const

/** Wraps a store, which is not changed. Only for calls that leave the time to the store. */
export function moveStore(real: Store): MovedStore {
  let ahead = 0
  const calls: Record<string, number> = {}
  const toRow = <R extends SessionRow | null>(row: R): R => {
    if (row === null) return row
    const times = ROW_TIMES.map((name) => [name, row[name] === null ? null : Number(row[name]) + ahead])
    return { ...row, ...Object.fromEntries(times) }
  }
  const toStep = <S extends Rotation | StepUp>(step: S): S => ({
    ...step,
    row: toRow(step.row),
    now: step.now + ahead,
  })
  const notAfter = (at: number | null): number | null => (at === null ? null : at - ahead)
  const toPage = (page: LogPage): LogPage => ({
    ...page,
    now: page.now + ahead,
    entries: page.entries.map((entry) => ({ ...entry, at: entry.at + ahead, until: entry.until + ahead })),
  })
  const moved: Partial<Store> = {
    now: async () => (await real.now()) + ahead,
    start: async (session, now) =>
      toRow(await real.start({ ...session, provedAt: session.provedAt - ahead }, now)),
    rotate: async (call) => toStep(await real.rotate({ ...call, notAfter: notAfter(call.notAfter) })),
    stepUp: async (call) => toStep(await real.stepUp({ ...call, notAfter: notAfter(call.notAfter) })),
    get: async (sid) => toRow(await real.get(sid)),
    list: async (owner, now) => (await real.list(owner, now)).map(toRow),
    isRevoked: (query) => real.isRevoked({ ...query, iat: query.iat === null ? null : query.iat - ahead }),
    readLog: async (cursor, limit) => toPage(await real.readLog(cursor, limit)),
  }
  const store = new Proxy({} as Store, {
    get: (_, name) => {
      const method: unknown = Reflect.get(moved, name) ?? Reflect.get(real, name)
      if (typeof method !== 'function') return method
      return (...args: unknown[]) => {
        calls[String(name)] = (calls[String(name)] ?? 0) + 1
        return method.apply(real, args)
      }
    },
  })
  return {
    store,
    calls,
    failOver(seconds) {
      ahead = seconds
    },
  }
}
