/** The commands about the tables of the SQL store. */
import { migrateSql, type SqlDialect, type SqlSettings, sqlStatements } from '../stores/sql.ts'
import { type CommandTable, UsageError } from './command.ts'
import { openDatabase } from './databases.ts'

/** `migrate` and `sql`. */
export const TABLE_COMMANDS: CommandTable = {
  migrate: {
    argument: 'database',
    run: (url, settings) => migrate(url ?? process.env['DATABASE_URL'] ?? '', settings),
  },
  sql: {
    argument: 'dialect',
    run(dialect, settings) {
      if (dialect === undefined) throw new UsageError('Expected a dialect: postgres, mysql or sqlite')
      return sqlStatements(dialect as SqlDialect, settings)
        .map((statement) => `${statement};`)
        .join('\n')
    },
  },
}

/** Brings the tables up and says what was done. */
async function migrate(url: string, settings: SqlSettings): Promise<string> {
  const db = await openDatabase(url)
  try {
    const names = await migrateSql(db, settings)
    return names.length === 0 ? 'The tables are up to date' : names.join('\n')
  } finally {
    await db.destroy()
  }
}
