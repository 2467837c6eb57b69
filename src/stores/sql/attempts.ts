/** Counts attempts of several keys together, and reads and takes back what is counted. */
import type { AttemptCount, CountedAttempts, CountedTogether, Store } from '../../session/store.ts'
import { type AttemptTexts, createAttemptTexts } from './attempt-texts.ts'
import type { Database, Result } from './database.ts'
import { readAfterChange } from './read-after-change.ts'
import type { Values } from './statement.ts'
import { toColumnTime, toKey, toOptionalTime } from './values.ts'

/** More attempts than any key can have. */
const ALL_ATTEMPTS = 2_000_000_000

/** The methods of the contract. */
type AttemptMethods = Required<Pick<Store, 'readAttempts' | 'forgetAttempts' | 'forgetTogether'>>

/** What became of one try to count keys together. */
interface Tried extends CountedTogether {
  /** The keys that were counted though others were not: the caller takes them back. */
  readonly counts: readonly string[]
}

/** The methods, and the first of the two steps of `countTogether`. */
export interface AttemptStatements extends AttemptMethods {
  tryTogether(counts: readonly AttemptCount[], reads: readonly string[], now: number | null): Promise<Tried>
}

/** Compiles the statements. */
export function createAttemptStatements(database: Database): AttemptStatements {
  const { dialect, run } = database
  const texts = createAttemptTexts(database)
  const forgetTogether: AttemptStatements['forgetTogether'] = async (forgets) => {
    const rows = toSorted(forgets.map(({ key, count }) => ({ key: toKey(key), many: count ?? ALL_ATTEMPTS })))
    if (rows.length > 0) await run(texts.forget(rows.length), toValues(rows))
  }
  return {
    forgetTogether,
    forgetAttempts: (key, count, now) => forgetTogether([{ key, count }], now),

    async readAttempts(key, now) {
      const values = { ...toValues([{ key: toKey(key) }]), now: toOptionalTime(now) }
      return toCounted((await run(texts.read(1), values)).rows[0])
    },

    async tryTogether(counts, reads, now) {
      const asked = counts.map(({ key, limit, window }) => {
        return { name: key, key: toKey(key), limit, window: toColumnTime(window) }
      })
      const names = reads.map((key) => ({ key: toKey(key) }))
      const call = { asked: toSorted(asked), names, moment: { now: toOptionalTime(now) } }
      if (dialect === 'postgres') return tryInOne(database, texts, call)
      return tryApart(database, texts, call)
    },
  }
}

interface TogetherCall {
  /** The keys that are counted, in the order in which all writers lock them. */
  readonly asked: readonly {
    readonly name: string
    readonly key: string
    readonly limit: number
    readonly window: number
  }[]
  /** The keys that are read. */
  readonly names: readonly { readonly key: string }[]
  readonly moment: Values
}

/** PostgreSQL: one statement checks, counts and reads. */
async function tryInOne(
  { run }: Database,
  texts: AttemptTexts,
  { asked, names, moment }: TogetherCall,
): Promise<Tried> {
  const read = names.map(({ key }) => ({ key, limit: null, window: null }))
  const values = { ...toValues([...asked, ...read]), ...moment }
  const { rows } = await run(texts.together(asked.length + names.length), values)
  const found = new Map(rows.map((row) => [row['attempt_key'], row]))
  const counted = asked.filter(({ key }) => Number(found.get(key)?.['counted']) === 1)
  const reads = names.map(({ key }) => toCounted(found.get(key)))
  return toTried(counted, asked, reads)
}

/**
 * Elsewhere a statement that changes rows cannot read others. What is at its limit is found first,
 * so that a flood of refused attempts counts nothing, and the change decides once more.
 */
async function tryApart(database: Database, texts: AttemptTexts, call: TogetherCall): Promise<Tried> {
  const { asked, names, moment } = call
  const { run } = database
  const values = { ...toValues([...asked, ...names]), ...moment }
  const before = toRowsByKey((await run(texts.read(asked.length + names.length), values)).rows)
  const reads = names.map(({ key }) => toCounted(before.get(key)))
  const isFull = asked.some(({ key, limit }) => toCounted(before.get(key)).count >= limit)
  if (isFull || asked.length === 0) return { counted: !isFull, reads, counts: [] }
  const changes = { ...toValues(asked), ...moment }
  const { rows } = await run(texts.count(asked.length), changes)
  if (database.dialect === 'sqlite') {
    const changed = new Set(rows.map((row) => row['attempt_key']))
    return toTried(
      asked.filter(({ key }) => changed.has(key)),
      asked,
      reads,
    )
  }
  // MySQL counts beyond the limit, and its change returns no row.
  const after = toRowsByKey(await readAfterChange(database, texts.read(asked.length), changes))
  const counted = asked.every(({ key, limit }) => toCounted(after.get(key)).count <= limit)
  return { counted, reads, counts: counted ? [] : asked.map(({ name }) => name) }
}

function toTried(
  counted: TogetherCall['asked'],
  asked: TogetherCall['asked'],
  reads: readonly CountedAttempts[],
): Tried {
  if (counted.length === asked.length) return { counted: true, reads, counts: [] }
  return { counted: false, reads, counts: counted.map(({ name }) => name) }
}

function toRowsByKey(rows: Result['rows']): ReadonlyMap<unknown, Result['rows'][number]> {
  return new Map(rows.map((row) => [String(row['attempt_key']), row]))
}

/** Rows in one order: statements that lock several of them never wait for each other in a ring. */
function toSorted<T extends { readonly key: string }>(rows: readonly T[]): readonly T[] {
  return rows.toSorted((a, b) => (a.key < b.key ? -1 : 1))
}

/** The parameters of several rows: each name with the row's number. */
function toValues(rows: readonly Readonly<Record<string, string | number | null>>[]): Values {
  return Object.fromEntries(
    rows.flatMap((row, place) => Object.entries(row).map(([name, value]) => [`${name}_${place}`, value])),
  )
}

function toCounted(row: Result['rows'][number] | undefined): CountedAttempts {
  const left = Number(row?.['until_at'] ?? 0) - Number(row?.['moment'] ?? 0)
  if (left <= 0) return { count: 0, endsIn: 0 }
  return { count: Number(row?.['n']), endsIn: Math.ceil(left / 1000) }
}
