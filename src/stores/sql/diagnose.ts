/**
 * What an operator looks for in a database: tables of another version, missing privileges, a pooler
 * that changes connections, a log or a backlog that has grown. Nothing is written.
 */
import { randomId } from '../../internal/bytes.ts'
import { explainFailure } from '../../internal/failure.ts'
import { withDeadline } from '../../internal/with-deadline.ts'
import type { StoreWarning } from '../../session/store.ts'
import type { Database } from './database.ts'
import { findConcerns } from './inspect.ts'
import { DELETIONS } from './prune.ts'
import { createSchemaError, isMissing, readVersion, SCHEMA_VERSION } from './schema.ts'
import { toOptionalTime } from './values.ts'

/** Finds what may be wrong. Rejects only where the database cannot be asked. */
export async function diagnoseDatabase(database: Database): Promise<readonly StoreWarning[]> {
  const ofPrivileges = await findPrivileges(database)
  const settings = await findConcerns(database, database.run)
  const findings = [...settings, ...ofPrivileges, ...(await findPooler(database))]
  const isUsable = ofPrivileges.length === 0
  const sizes = isUsable ? [findLongLog, findBacklog] : []
  for (const find of sizes) findings.push(...(await find(database)))
  // A standby is read-only by its settings, and by what it says to a write.
  return findings.filter(({ code }, i) => findings.findIndex((other) => other.code === code) === i)
}

/** What is done to each table; counters are made by the migration. */
const VERBS = {
  select: (table: string, key: string) => `select ${key} from {${table}} where 1 = 0`,
  insert: (table: string) => `insert into {${table}} select * from {${table}} where 1 = 0`,
  update: (table: string, key: string) => `update {${table}} set ${key} = ${key} where 1 = 0`,
  delete: (table: string) => `delete from {${table}} where 1 = 0`,
} as const

/** The tables with their keys. */
const TABLES: readonly (readonly [table: string, key: string, verbs: readonly (keyof typeof VERBS)[]])[] = [
  ['counters', 'name', ['select', 'update']],
  ['sessions', 'sid_key', ['select', 'insert', 'update', 'delete']],
  ['subjects', 'sub_key', ['select', 'insert', 'update', 'delete']],
  ['log', 'id', ['select', 'insert', 'update', 'delete']],
  ['attempts', 'attempt_key', ['select', 'insert', 'update', 'delete']],
]

/** The schema's version, and what the user may do, by statements that find no row. */
async function findPrivileges(database: Database): Promise<readonly StoreWarning[]> {
  const { compile, run, prefix } = database
  const denied: string[] = []
  for (const [table, key, verbs] of TABLES) {
    for (const verb of verbs) {
      const failure = await run(compile(VERBS[verb](table, key))).then(() => null, toFailure)
      if (failure === 'missing')
        return [{ code: 'tables-missing', warning: createSchemaError(prefix, 'none').message }]
      if (failure === 'read-only')
        return [{ code: 'store-read-only', warning: 'The database takes no writes of this user' }]
      if (failure === 'denied') denied.push(`${verb} on ${prefix}${table}`)
    }
  }
  if (denied.length > 0)
    return [{ code: 'privileges', warning: `The user of the database may not: ${denied.join(', ')}` }]
  const version = await readVersion(database, run)
  if (version < SCHEMA_VERSION)
    return [{ code: 'schema-old', warning: createSchemaError(prefix, `version ${version}`).message }]
  if (version === SCHEMA_VERSION) return []
  const warning = `The tables ${prefix}* are in version ${version}, made by a later package: upgrade this one`
  return [{ code: 'schema-newer', warning }]
}

/** The failures of a statement that finds no row. @throws any other */
function toFailure(error: unknown): 'missing' | 'denied' | 'read-only' {
  if (isMissing(error)) return 'missing'
  const { code = '', reason = '' } = explainFailure(error) ?? {}
  if (reason === 'permission denied') return 'denied'
  if (code === 'SQLITE_READONLY' || reason === 'it is a read-only replica') return 'read-only'
  throw error
}

/** How long two connections are waited for, in seconds. */
const LONGEST = 5

/**
 * A pooler in transaction mode gives the server's connection to another client after a statement:
 * what one client has set is there for the next.
 */
async function findPooler(database: Database): Promise<readonly StoreWarning[]> {
  const { dialect, compile, connect, isInteractive, isTransaction } = database
  if (dialect !== 'postgres' || !isInteractive || isTransaction) return []
  const set = compile("select set_config('tokenwright.mark', :mark, false) as mark")
  const read = compile("select current_setting('tokenwright.mark', true) as mark")
  const mark = randomId()
  const seen = await withDeadline('Two connections', LONGEST, () =>
    connect(async (one) => {
      await one(set, { mark })
      const { rows } = await connect((other) => other(read))
      await one(set, { mark: '' })
      return rows[0]?.['mark']
    }),
  ).catch(() => undefined)
  if (seen !== mark) return []
  const warning =
    'A pooler in transaction mode is between: name the schema by the option `schema` and not by search_path, and statements only where it follows names'
  return [{ code: 'pooler-transaction-mode', warning }]
}

/** A longer log is worth a warning: a process that starts reads all of it. */
const LONG_LOG = 100_000

async function findLongLog({ compile, run }: Database): Promise<readonly StoreWarning[]> {
  const count = compile(`select count(*) as n from (select id from {log} limit ${LONG_LOG + 1}) as l`)
  const { rows } = await run(count)
  if (Number(rows[0]?.['n']) <= LONG_LOG) return []
  const warning = `The log of revocations has over ${LONG_LOG} entries, which each process reads when it starts`
  return [{ code: 'log-long', warning }]
}

/** With a larger backlog nothing prunes. */
const LARGE_BACKLOG = 10_000

async function findBacklog({ compile, run }: Database): Promise<readonly StoreWarning[]> {
  const late: string[] = []
  for (const { table, key, when } of DELETIONS.filter(({ counted }) => counted)) {
    const due = `select ${key} from {${table}} where ${when} limit ${LARGE_BACKLOG + 1}`
    const { rows } = await run(compile(`select count(*) as n from (${due}) as d`), {
      now: toOptionalTime(null),
    })
    if (Number(rows[0]?.['n']) > LARGE_BACKLOG) late.push(table)
  }
  if (late.length === 0) return []
  const warning = `Over ${LARGE_BACKLOG} records have ended and were not deleted (${late.join(', ')}): let the application prune (\`sessions.prune\`), or call \`tokenwright prune\``
  return [{ code: 'prune-backlog', warning }]
}
