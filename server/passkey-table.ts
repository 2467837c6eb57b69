/** The table of passkeys: its queries, and no cryptography. */
import type { Kysely } from 'kysely'
import type { RunQuery } from './queries.ts'
import type { PasskeyRow, Tables } from './tables.ts'

/** The rows of the passkeys. */
export interface PasskeyTable {
  find(id: string): Promise<PasskeyRow | undefined>
  /** Those of a user, the oldest first. */
  findAll(username: string): Promise<readonly PasskeyRow[]>
  insert(row: PasskeyRow): Promise<void>
  /** Notes a use. Resolves to whether the passkey is still there. */
  use(id: string, at: Pick<PasskeyRow, 'counter' | 'last_used_at'>): Promise<boolean>
  /** Resolves to whether the user had it. */
  remove(username: string, id: string): Promise<boolean>
}

/** Opens the table. */
export function openPasskeyTable(database: Kysely<Tables>, run: RunQuery): PasskeyTable {
  const select = () => database.selectFrom('passkeys').selectAll()
  return {
    async find(id) {
      const row = await run(() => select().where('id', '=', id).executeTakeFirst())
      // Compared again, because some databases ignore trailing spaces.
      return row?.id === id ? row : undefined
    },
    findAll(username) {
      const query = select().where('username', '=', username).orderBy('created_at').orderBy('id')
      return run(() => query.execute())
    },
    async insert(row) {
      await run(() => database.insertInto('passkeys').values(row).execute())
    },
    async use(id, at) {
      const update = database.updateTable('passkeys').set(at).where('id', '=', id)
      return (await run(() => update.executeTakeFirst())).numUpdatedRows > 0n
    },
    async remove(username, id) {
      const removal = database.deleteFrom('passkeys').where('username', '=', username).where('id', '=', id)
      return (await run(() => removal.executeTakeFirst())).numDeletedRows > 0n
    },
  }
}
