/**
 * What concerns both stores while sessions move from one to the other: attempts, revocations, their
 * log, pruning. What was revoked in either is revoked. An attempt counts in both while sessions
 * move, in the order of the stores, and is allowed where both allow it: so processes that have
 * one of the two alone never allow together what one store would not.
 */
import type { RevokeReason, SessionOwner } from '../../session/session-row.ts'
import type {
  CountedAttempts,
  EndAllCall,
  RevocationQuery,
  RevocationStore,
  RevokeCall,
  SessionStore,
  Store,
} from '../../session/store.ts'
import { hashOwner } from '../../session/transfer.ts'
import { readCombinedLog } from './combined-log.ts'
import type { MovableStore } from './movable.ts'
import type { MovingStore } from './moving-store.ts'

type Attempts = Pick<
  SessionStore,
  'countAttempt' | 'readAttempts' | 'forgetAttempts' | 'countTogether' | 'forgetTogether'
>

/** The names of those methods. */
export type BothMethods = keyof Attempts | keyof RevocationStore | 'isRevoked' | 'inspect'

/** How many sessions are ended at once. */
const AT_ONCE = 16

/** An `iat` to which no cut-off applies. */
const NEVER_CUT = Number.MAX_SAFE_INTEGER / 1e6

/** Creates those methods. */
export function createBoth(state: MovingStore): Pick<Store, BothMethods> {
  const { from, to } = state.pair
  return {
    ...createAttempts(state),
    ...createRevocations(state),

    async isRevoked(query) {
      await state.check(query.now)
      const { sid, jti } = query
      if (sid === null) return isTokenRevoked(state, query)
      if (jti !== null && (await isTokenRevoked(state, { ...query, sid: null, iat: NEVER_CUT }))) return true
      return isSessionRevoked(state, { ...query, sid, jti: null })
    },

    async inspect() {
      await state.check(null)
      const [ofFrom, ofTo] = await Promise.all([from.inspect(), to.inspect()])
      return [...ofFrom.map((text) => `from: ${text}`), ...ofTo.map((text) => `to: ${text}`)]
    },
  }
}

async function isTokenRevoked({ pair }: MovingStore, query: RevocationQuery): Promise<boolean> {
  return (await Promise.all([pair.from.isRevoked(query), pair.to.isRevoked(query)])).some(Boolean)
}

/** A session is revoked unless the store that has it says otherwise. */
async function isSessionRevoked(
  state: MovingStore,
  query: RevocationQuery & { readonly sid: string },
): Promise<boolean> {
  if (!(await state.first.isRevoked(query)) || !(await state.second.isRevoked(query))) return false
  // It may be on its way, or have moved between the two calls.
  return state.atPlace(
    query,
    (store) => store.isRevoked(query),
    (isRevoked) => !isRevoked,
  )
}

function createAttempts(state: MovingStore): Attempts {
  const { isMoving } = state
  const { from, to } = state.pair
  return {
    async countAttempt(key, limit, window, now) {
      await state.check(now)
      const attempt = await from.countAttempt(key, limit, window, now)
      if (!isMoving || !attempt.allowed) return attempt
      const other = await to.countAttempt(key, limit, window, now)
      return other.allowed ? { ...attempt, count: Math.max(attempt.count, other.count) } : other
    },

    async readAttempts(key, now) {
      const one = await from.readAttempts(key, now)
      if (!isMoving) return one
      return toHigher(one, await to.readAttempts(key, now))
    },

    async forgetAttempts(key, count, now) {
      await from.forgetAttempts(key, count, now)
      await to.forgetAttempts(key, count, now)
    },
    ...createTogether(state),
  }
}

/** The methods that count keys together, where both stores have them. */
function createTogether(state: MovingStore): Pick<Attempts, 'countTogether' | 'forgetTogether'> {
  const { from, to } = state.pair
  if (!countsTogether(from) || !countsTogether(to)) return {}
  return {
    async countTogether(counts, reads, now) {
      await state.check(now)
      const one = await from.countTogether(counts, reads, now)
      if (!state.isMoving || !one.counted) return one
      const other = await to.countTogether(counts, reads, now)
      if (!other.counted) {
        const forgets = counts.map(({ key }) => ({ key, count: 1 }))
        await from.forgetTogether(forgets, now)
      }
      return {
        counted: other.counted,
        reads: one.reads.map((read, place) => toHigher(read, other.reads[place])),
      }
    },

    async forgetTogether(forgets, now) {
      await from.forgetTogether(forgets, now)
      await to.forgetTogether(forgets, now)
    },
  }
}

type CountsTogether = Required<Pick<Store, 'countTogether' | 'forgetTogether'>>

function countsTogether<S extends Store>(store: S): store is S & CountsTogether {
  return store.countTogether !== undefined && store.forgetTogether !== undefined
}

function toHigher(one: CountedAttempts, other: CountedAttempts = one): CountedAttempts {
  return { count: Math.max(one.count, other.count), endsIn: Math.max(one.endsIn, other.endsIn) }
}

function createRevocations(state: MovingStore): RevocationStore {
  const { first, handOver, difference, isMoving } = state
  const { from, to } = state.pair
  return {
    async end(sid, reason, call) {
      await state.check(call.now)
      return endOne(state, sid, { reason, call })
    },

    async endAll(owner, reason, call) {
      await state.check(call.now)
      const endBoth = async (cutOff: number | null): Promise<number> => {
        const ending = { owner, reason, call: { ...call, cutOff } }
        return (await endAllIn(state, from, ending)) + (await endAllIn(state, to, ending))
      }
      const ended = await endBoth(call.cutOff)
      const { count, arrived } = await handOver.endReleased(owner, { ...call, reason }, first)
      // What has arrived between the two.
      let rest = await endBoth(null)
      // And what has moved on since, from the store that was asked last to the one before.
      for (let place = 0; place < arrived.length; place += AT_ONCE) {
        const some = arrived.slice(place, place + AT_ONCE)
        rest += (await Promise.all(some.map((sid) => endOne(state, sid, { reason, call })))).filter(
          Boolean,
        ).length
      }
      return ended + count + rest
    },

    async revokeToken(jti, until, now) {
      await state.check(now)
      await first.revokeToken(jti, until, now)
    },

    async readLog(cursor, limit) {
      return readCombinedLog({ from, to, difference, hasTimeOfTarget: isMoving }, cursor, limit)
    },

    async prune(now) {
      return (await from.prune(now)) + (await to.prune(now))
    },
  }
}

/** Ends a session in the store that has it. */
function endOne(
  state: MovingStore,
  sid: string,
  { reason, call }: { readonly reason: RevokeReason; readonly call: RevokeCall },
): Promise<boolean> {
  const { logTtl, now } = call
  return state.atPlace({ sid, now }, (store) => store.end(sid, reason, { logTtl, now }), Boolean)
}

interface Ending {
  readonly owner: SessionOwner
  readonly reason: RevokeReason
  readonly call: EndAllCall
}

/**
 * Ends the sessions of an owner in one of the stores. The log of the first one tells of a cut-off,
 * as every process reads that one. In the other store the cut-off comes first, so that no session
 * starts between the two steps.
 */
async function endAllIn(
  { first }: MovingStore,
  store: MovableStore,
  { owner, reason, call }: Ending,
): Promise<number> {
  const { cutOff, now } = call
  if (store === first || cutOff === null) return store.endAll(owner, reason, call)
  const at = now ?? (await store.now())
  const { sub, realm } = owner
  const record = { kind: 'cutOff', ownerHash: hashOwner(owner), sub, realm, at, until: at + cutOff } as const
  await store.transfer.write([record], { replaces: 'released', now })
  return store.endAll(owner, reason, { ...call, cutOff: null })
}
