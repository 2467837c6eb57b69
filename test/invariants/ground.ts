/** A store that a test file has for itself, and what can befall it. */
import type { Redis } from 'ioredis'
import type { Store } from '../../src/session/store.ts'
import type { StoreSpec, Tap } from '../processes/node/connect.ts'

/** Why a store cannot be opened here. */
export const NO_SERVER = 'NO SERVER, NOT TESTED'

/** An opened store. */
export interface Ground {
  readonly spec: StoreSpec
  readonly store: Store
  /** Sets a session back, as a restored backup does. Its time of rotation too. */
  setBack(sid: string, generations: number): Promise<void>
  /** Makes a session's last rotation and step-up older by so many seconds, where the store's clock rules. */
  age(sid: string, seconds: number): Promise<void>
  /** Loses the log of revocations, as a backup does that was made before; Redis loses all. */
  loseLog(): Promise<void>
  /** Deletes the entries of the log, as pruning does when they have ended. */
  pruneLog(): Promise<void>
  close(): Promise<void>
}

/** A store that can be opened. */
export interface Openable {
  readonly name: StoreSpec['kind']
  readonly reason: string | null
  /** Whether it is several servers, which clients find by one of them. */
  readonly isGroup?: boolean
  /** Whether no other process reaches it. */
  readonly isLocal?: boolean
  open(tap?: Tap): Promise<Ground>
}

/** What differs between Redis by itself and in a group. */
type RedisParts = Pick<Ground, 'spec' | 'store' | 'loseLog' | 'close'> & {
  readonly admin: Pick<Redis, 'hincrby' | 'del'>
}

/** A Redis as a ground. */
export function toRedisGround({ admin, ...parts }: RedisParts): Ground {
  return {
    ...parts,
    async setBack(sid, generations) {
      await admin.hincrby(`{tw}:s:${sid}`, 'gen', -generations)
      await admin.hincrby(`{tw}:s:${sid}`, 'rot', -generations * 1000)
    },
    async age(sid, seconds) {
      for (const field of ['rot', 'used']) await admin.hincrby(`{tw}:s:${sid}`, field, -seconds * 1000)
    },
    pruneLog: async () => void (await admin.del('{tw}:log')),
  }
}

/** What differs between SQL databases. */
type SqlParts = Pick<Ground, 'spec' | 'store' | 'close'> & { sql(text: string): Promise<unknown> }

/** A SQL database as a ground. */
export function toSqlGround({ sql, ...parts }: SqlParts): Ground {
  return {
    ...parts,
    async setBack(sid, generations) {
      await sql(
        `update tokenwright_sessions set gen = gen - ${generations},
         rotated_at = rotated_at - ${generations * 1000} where sid = '${sid}'`,
      )
    },
    async age(sid, seconds) {
      await sql(
        `update tokenwright_sessions set rotated_at = rotated_at - ${seconds * 1000},
         last_used_at = last_used_at - ${seconds * 1000} where sid = '${sid}'`,
      )
    },
    async loseLog() {
      await sql('delete from tokenwright_log')
      await sql("update tokenwright_counters set n = 0 where name = 'log'")
    },
    pruneLog: async () => void (await sql('delete from tokenwright_log')),
  }
}
