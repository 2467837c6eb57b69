/**
 * A store over two stores, while the sessions of the one move to the other. Each session belongs to
 * one of them at a time, and that one decides about it. A session is found where it is, so that
 * processes of both phases, and the processes before and after them, may run side by side.
 *
 * What ends much at once is done in both stores: the end of all sessions of an owner. What is
 * counted is counted in both while sessions move. Why sessions are not written to both:
 * docs/decisions/0034-a-session-has-one-store.md.
 */
import { ConfigurationError, expected } from '../../internal/configuration-error.ts'
import { keysOf, readOptionGroup } from '../../internal/read-options.ts'
import type { SessionOwner, SessionRow } from '../../session/session-row.ts'
import { MOST_LISTED, type Store } from '../../session/store.ts'
import { type BothMethods, createBoth } from './both-stores.ts'
import { readPair } from './movable.ts'
import { isOwned, MovingStore } from './moving-store.ts'

/** The options of `moveStore`. */
export interface MoveOptions {
  /** The store that has the sessions. */
  readonly from: Store
  /** The store that gets them. No process uses it yet, and it has no copies of sessions. */
  readonly to: Store
  /**
   * `'prepare'`, the default: sessions start in `from` and stay where they are. May run beside
   * processes that have `from` alone. `'move'`: sessions start in `to`, and one that is used moves
   * there. May run beside processes in the phase `'prepare'`, and beside those that have `to` alone
   * once `copyStore(from, to, { move: true })` has moved the rest.
   */
  readonly phase?: 'prepare' | 'move'
}

const OPTION_KEYS = keysOf<MoveOptions>({ from: true, to: true, phase: true })

/**
 * Creates a store that moves sessions from one store to another while the application runs. Deploy
 * it in three steps: the phase `'prepare'` in all processes, then `'move'` in all processes and
 * `copyStore(from, to, { move: true })`, then `to` alone. No user is signed out, also where a
 * process ends in the middle. Each step can be taken back by deploying the one before.
 *
 * Both stores must be reachable: a call that needs the one that is not rejects. A call costs one
 * more call of a store where a session is not where most are.
 *
 * @throws {ConfigurationError} for what is no store, a store without `transfer`, twice the same
 *   store, an unknown phase; its methods reject with one where `to` has copies of sessions
 *
 * @example
 * ```ts
 * import { moveStore } from 'tokenwright/stores/move'
 * import { memoryStore } from 'tokenwright/stores/memory'
 *
 * const [from, to] = [memoryStore(), memoryStore()] // such as sqlStore(db), redisStore(client)
 * const store = moveStore({ from, to, phase: 'move' })
 * ```
 */
export function moveStore(options: MoveOptions): Store {
  const { from, to, phase = 'prepare' } = readOptionGroup('options', options, OPTION_KEYS)
  const pair = readPair(from, to)
  if (phase !== 'prepare' && phase !== 'move')
    throw new ConfigurationError(expected('phase', "'prepare' or 'move'", phase))
  const state = new MovingStore(pair, phase === 'move')
  return {
    name: `${pair.from.name} to ${pair.to.name}`,
    ...createSessions(state),
    ...createBoth(state),
  }
}

/** The methods about one session. */
type SessionMethods = Omit<Store, 'name' | 'transfer' | 'knows' | 'diagnose' | BothMethods>

function createSessions(state: MovingStore): SessionMethods {
  const { first, second, handOver, isMoving } = state
  const { from, to } = state.pair
  return {
    async now() {
      return first.now()
    },

    async start(session, now) {
      await state.check(now)
      if (isMoving && (await isCutOff(state, session, now))) return null
      return first.start(session, now)
    },

    async startLimited(session, limit, now) {
      await state.check(now)
      if (!isMoving) return first.startLimited(session, limit, now)
      await handOver.takeAll(session, now)
      if (await isCutOff(state, session, now)) return { word: 'revoked', row: null, ended: [] }
      return first.startLimited(session, limit, now)
    },

    async rotate(call) {
      await state.check(call.now)
      return state.decide(call, (store, notAfter) => store.rotate({ ...call, notAfter }))
    },

    async stepUp(call) {
      await state.check(call.now)
      return state.decide(call, (store, notAfter) => store.stepUp({ ...call, notAfter }))
    },

    async update(call) {
      await state.check(call.now)
      const row = await first.update(call)
      return (
        row ??
        state.atPlace(
          call,
          (store) => store.update(call),
          (updated) => updated !== null,
        )
      )
    },

    async get(sid) {
      const row = await first.get(sid)
      if (isOwned(row)) return row
      const other = await second.get(sid)
      if (isOwned(other)) return other
      if (row === null && other === null) return null
      return state.atPlace({ sid, now: null }, (store) => store.get(sid), isOwned)
    },

    async list(owner, now) {
      const rows = new Map<string, SessionRow>()
      // In this order: what moves meanwhile is seen twice and not missed.
      for (const store of [from, to]) for (const row of await store.list(owner, now)) rows.set(row.sid, row)
      return [...rows.values()].sort((a, b) => b.createdAt - a.createdAt).slice(0, MOST_LISTED)
    },
  }
}

/** Whether an owner was revoked in the old store at or after the proof of a login. */
async function isCutOff(
  state: MovingStore,
  { sub, realm, provedAt }: SessionOwner & { readonly provedAt: number },
  now: number | null,
): Promise<boolean> {
  const { from } = state.pair
  const iat = provedAt + (await state.toAhead(from, now))
  return from.isRevoked({ sub, realm, sid: null, jti: null, iat, now })
}
