/** The tables of second factors and recovery codes: their queries, and no codes. */
import type { Kysely } from 'kysely'
import type { RunQuery } from './queries.ts'
import type { SecondFactorRow, Tables } from './tables.ts'

/** The rows of the second factors. */
export interface SecondFactorTable {
  find(username: string): Promise<SecondFactorRow | undefined>
  /** Replaces one that is being set up. */
  begin(row: SecondFactorRow): Promise<void>
  /** Counts a try to confirm it. Resolves to false where another one was counted meanwhile. */
  countTry(row: SecondFactorRow): Promise<boolean>
  /** Switches it on, with the hashes of its recovery codes. */
  switchOn(row: SecondFactorRow, period: number, hashes: readonly string[]): Promise<void>
  /** Notes the period of a code. Resolves to false where it was used, or a later one. */
  usePeriod(username: string, period: number): Promise<boolean>
  /** Resolves to whether the user had this recovery code, and has it no more. */
  useRecoveryCode(username: string, hash: string): Promise<boolean>
  countRecoveryCodes(username: string): Promise<number>
  /** Resolves to whether it was on. */
  remove(username: string): Promise<boolean>
}

/** Opens the tables. Each use of a code is one write: of several requests at once, one succeeds. */
export function openSecondFactorTable(database: Kysely<Tables>, run: RunQuery): SecondFactorTable {
  const update = (username: string) => database.updateTable('second_factors').where('username', '=', username)
  const removal = (username: string) => database.deleteFrom('second_factors').where('username', '=', username)
  const codes = (username: string) => database.deleteFrom('recovery_codes').where('username', '=', username)
  const isUpdated = async (query: { executeTakeFirst(): Promise<{ readonly numUpdatedRows: bigint }> }) =>
    (await run(() => query.executeTakeFirst())).numUpdatedRows > 0n

  return {
    find(username) {
      const query = database.selectFrom('second_factors').selectAll().where('username', '=', username)
      return run(() => query.executeTakeFirst())
    },
    begin: (row) =>
      run(async () => {
        await removal(row.username).where('is_on', '=', 0).execute()
        await database.insertInto('second_factors').values(row).execute()
      }),
    countTry: ({ username, secret, tries }) =>
      isUpdated(
        update(username)
          .set({ tries: tries + 1 })
          .where('secret', '=', secret)
          .where('tries', '=', tries),
      ),
    switchOn: ({ username, secret }, period, hashes) =>
      run(() =>
        database.transaction().execute(async (transaction) => {
          await transaction.deleteFrom('recovery_codes').where('username', '=', username).execute()
          const rows = hashes.map((code_hash) => ({ username, code_hash }))
          await transaction.insertInto('recovery_codes').values(rows).execute()
          await transaction
            .updateTable('second_factors')
            .set({ is_on: 1, last_period: period })
            .where('username', '=', username)
            .where('secret', '=', secret)
            .execute()
        }),
      ),
    usePeriod: (username, period) =>
      isUpdated(update(username).set({ last_period: period }).where('last_period', '<', period)),
    async useRecoveryCode(username, hash) {
      const use = codes(username).where('code_hash', '=', hash)
      return (await run(() => use.executeTakeFirst())).numDeletedRows > 0n
    },
    async countRecoveryCodes(username) {
      const query = database.selectFrom('recovery_codes').select('code_hash').where('username', '=', username)
      return (await run(() => query.execute())).length
    },
    remove: (username) =>
      run(async () => {
        await codes(username).execute()
        return (await removal(username).where('is_on', '=', 1).executeTakeFirst()).numDeletedRows > 0n
      }),
  }
}
