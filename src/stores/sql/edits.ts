/**
 * Updates of what a session grants and is called: one conditional statement, the same in all
 * dialects, and a read of the row. No other step writes these columns.
 */
import type { SessionStore, UpdateCall } from '../../session/store.ts'
import type { Database } from './database.ts'
import { COLUMNS, checkTexts, readColumns, toRow } from './mapping.ts'
import type { Values } from './statement.ts'
import { toJson, toKey, toOptionalText, toOptionalTime } from './values.ts'

const LIVE =
  'sid_key = :sid_key and revoked_at is null and idle_expires_at > {now} and absolute_expires_at > {now}'

/** Compiles the statements. */
export function createEdits({ compile, dialect, run }: Database): Pick<SessionStore, 'update'> {
  const isPostgres = dialect === 'postgres'
  // PostgreSQL cannot tell the type of a parameter that is null.
  const [text, number] = isPostgres ? ['::text', '::int'] : ['', '']
  const keep = (column: string): string => `${column} = coalesce(:${column}${text}, ${column})`
  const update = compile(
    `${isPostgres ? '' : '{causal}'} update {sessions}
     set ${['scopes', 'data', 'metadata'].map(keep).join(', ')},
       label = case when :labels${number} = 1 then :label${text} else label end
     ${isPostgres ? 'from {limits}' : ''} where ${LIVE}`,
  )
  const find = compile(`{causal} select ${COLUMNS.join(', ')} from {sessions} where ${LIVE}`)
  return {
    async update(call) {
      const values = toValues(call)
      await run(update, values)
      const [found] = (await run(find, values)).rows
      return found === undefined ? null : toRow(readColumns(found))
    },
  }
}

function toValues({ sid, now, scopes, data, metadata, label }: UpdateCall): Values {
  const columns = {
    scopes: scopes === undefined ? null : toJson(scopes),
    data: data === undefined ? null : toJson(data),
    metadata: metadata === undefined ? null : toJson(metadata),
    label: toOptionalText(label ?? null),
  }
  checkTexts(columns)
  return { ...columns, labels: label === undefined ? 0 : 1, sid_key: toKey(sid), now: toOptionalTime(now) }
}
