/** The commands about the tables of the SQL store. */
import type { Duration } from '../internal/duration.ts'
import {
  migrateSql,
  type PlannedSqlMigration,
  planSql,
  type SqlDialect,
  type SqlSettings,
  sqlStatements,
} from '../stores/sql.ts'
import { type CommandTable, type Flags, UsageError } from './command.ts'
import { openDatabase } from './databases.ts'
import { showElapsed } from './progress-line.ts'

/** `migrate` and `sql`. */
export const TABLE_COMMANDS: CommandTable = {
  migrate: (url, flags) => migrate(url ?? process.env['DATABASE_URL'] ?? '', flags),
  sql(dialect, flags) {
    if (dialect === undefined) throw new UsageError('Expected a dialect: postgres, mysql or sqlite')
    return sqlStatements(dialect as SqlDialect, toSettings(flags))
      .map((statement) => `${statement};`)
      .join('\n')
  },
}

function toSettings({ prefix, schema }: Flags): SqlSettings {
  return { ...(prefix === undefined ? {} : { prefix }), ...(schema === undefined ? {} : { schema }) }
}

/** Brings the tables up and says what was done, or what would be. */
async function migrate(url: string, flags: Flags): Promise<string> {
  const db = await openDatabase(url)
  if (db === null)
    throw new UsageError(
      'Expected a database: postgres://..., mysql://... or sqlite:path, as argument or in DATABASE_URL',
    )
  const settings = toSettings(flags)
  try {
    if (flags.plan) {
      const plan = await planSql(db, settings)
      return flags.json ? JSON.stringify(plan) : describePlan(plan)
    }
    const wait = flags.wait === undefined ? {} : { wait: flags.wait as Duration }
    const names = await showElapsed('Migrating', process.stderr, () =>
      migrateSql(db, { ...settings, ...wait }),
    )
    if (flags.json) return JSON.stringify(names)
    return names.length === 0 ? 'The tables are up to date' : names.join('\n')
  } finally {
    await db.destroy()
  }
}

/** SQL with each migration's name as a comment before its statements. */
function describePlan(plan: readonly PlannedSqlMigration[]): string {
  if (plan.length === 0) return '-- nothing to do'
  return plan
    .flatMap(({ name, statements }) => [`-- ${name}`, ...statements.map((statement) => `${statement};`)])
    .join('\n')
}
