/**
 * A key set in a database, for processes that have no file in common. It is one text. Whoever
 * replaces it must have read what is there, so that of two rotations at once one counts.
 *
 * The text has private keys: whoever reads it can issue tokens. Give the table or the key of Redis
 * rights of its own, and encrypt the text where backups are read by others.
 */
import type { Redis } from 'ioredis'
import type { Pool } from 'pg'
import { createKeyRing, type KeyRing, type RotateKeysOptions, rotateKeys } from 'tokenwright'

/** Where a key set lies. */
export interface StoredKeys {
  /** Reads the text; null for none. */
  read(): Promise<string | null>
  /** Writes it, unless someone else has written since. @returns whether it did */
  replace(before: string | null, after: string): Promise<boolean>
  /** Closes the connection. */
  close(): Promise<void>
}

/** Keeps the keys of one process: to try things out. */
export function keysInMemory(): StoredKeys {
  let text: string | null = null
  return {
    read: async () => text,
    async replace(before, after) {
      const isUnchanged = text === before
      if (isUnchanged) text = after
      return isUnchanged
    },
    close: async () => undefined,
  }
}

/** Keeps the keys in PostgreSQL: `create table auth_keys (id integer primary key, keys text)`. */
export function keysInPostgres(pool: Pool): StoredKeys {
  return {
    async read() {
      const { rows } = await pool.query('select keys from auth_keys where id = 1')
      return rows[0]?.keys ?? null
    },
    async replace(before, after) {
      const { rowCount } =
        before === null
          ? await pool.query('insert into auth_keys values (1, $1) on conflict do nothing', [after])
          : await pool.query('update auth_keys set keys = $2 where id = 1 and keys = $1', [before, after])
      return rowCount === 1
    },
    close: () => pool.end(),
  }
}

/** Keeps the keys in Redis. */
export function keysInRedis(client: Redis): StoredKeys {
  const replace = `
    if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
    redis.call('SET', KEYS[1], ARGV[2])
    return 1`
  return {
    read: () => client.get('auth:keys'),
    replace: async (before, after) => (await client.eval(replace, 1, 'auth:keys', before ?? '', after)) === 1,
    close: async () => client.disconnect(),
  }
}

/** Rotates the keys where it is time. Every process may call it, as often as it likes. */
export async function rotateStored(keys: StoredKeys, options: RotateKeysOptions): Promise<boolean> {
  const before = await keys.read()
  const after = rotateKeys(before, options)
  return after !== before && keys.replace(before, after)
}

/** A ring that follows the stored keys. */
export function createStoredRing(keys: StoredKeys, every: `${number}s`): KeyRing {
  return createKeyRing({
    async load() {
      const text = await keys.read()
      if (text === null) throw new Error('No keys are stored yet')
      return text
    },
    every,
  })
}
