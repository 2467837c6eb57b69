/** Statements about several records at once. */
import type { Value, Values } from './statement.ts'

/**
 * Groups of few sizes, so that few statements are prepared.
 *
 * @param sizes the sizes, largest first; the last one is 1
 */
export function toGroups<T>(all: readonly T[], sizes: readonly number[]): (readonly T[])[] {
  const groups: (readonly T[])[] = []
  for (let from = 0; from < all.length; ) {
    const size = sizes.find((one) => from + one <= all.length) ?? 1
    groups.push(all.slice(from, from + size))
    from += size
  }
  return groups
}

/** The values of several records, by names with the numbers of the records. */
export function toNumbered(values: Readonly<Record<string, readonly Value[]>>): Values {
  const pairs = Object.entries(values).flatMap(([name, list]) =>
    list.map((value, index): [string, Value] => [`${name}${index}`, value]),
  )
  return Object.fromEntries(pairs)
}
