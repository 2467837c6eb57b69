/** The commands about the tables of the SQL store. */
import { migrateSql, type SqlDialect, type SqlSettings, sqlStatements } from '../stores/sql.ts'
import { type CommandTable, type Flags, UsageError } from './command.ts'
import { openDatabase } from './databases.ts'

/** `migrate` and `sql`. */
export const TABLE_COMMANDS: CommandTable = {
  migrate: {
    argument: 'database',
    options: ['prefix'],
    run: (url, flags) => migrate(url ?? process.env['DATABASE_URL'] ?? '', toSettings(flags)),
  },
  sql: {
    argument: 'dialect',
    options: ['prefix'],
    run(dialect, flags) {
      if (dialect === undefined) throw new UsageError('Expected a dialect: postgres, mysql or sqlite')
      return sqlStatements(dialect as SqlDialect, toSettings(flags))
        .map((statement) => `${statement};`)
        .join('\n')
    },
  },
}

function toSettings({ prefix }: Flags): SqlSettings {
  return prefix === undefined ? {} : { prefix }
}

/** Brings the tables up and says what was done. */
async function migrate(url: string, settings: SqlSettings): Promise<string> {
  const db = await openDatabase(url)
  if (db === null)
    throw new UsageError(
      'Expected a database: postgres://..., mysql://... or sqlite:path, as argument or in DATABASE_URL',
    )
  try {
    const names = await migrateSql(db, settings)
    return names.length === 0 ? 'The tables are up to date' : names.join('\n')
  } finally {
    await db.destroy()
  }
}
