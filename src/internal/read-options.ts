/**
 * Readers of option groups and of single options, for the modules that resolve options. They run
 * while `createAuth` runs or a requirement is prepared. Nothing here knows what an option means.
 */
import { ConfigurationError, checkKnownKeys, expected, isCallable, isOptions } from './configuration-error.ts'

/**
 * Reads one group of options, such as `cookies`.
 *
 * @param name the group as the developer writes it
 * @param known every option of the group
 * @returns the group, or an empty one when it was left out
 * @throws {ConfigurationError} when it is not an object or holds an unknown option
 */
export function readOptionGroup<T extends object>(
  name: string,
  value: T | undefined,
  known: readonly (keyof T & string)[],
): Partial<T> {
  if (value === undefined) return {}
  if (!isOptions(value)) throw new ConfigurationError(expected(name, 'an object of options', value))
  checkKnownKeys(name, value, known)
  return value
}

/**
 * The names of all members of a type. A missing name, or one that the type lacks, does not compile.
 *
 * @param names each member of the type, optional ones included
 */
export function keysOf<T extends object>(
  names: Readonly<Record<keyof T & string, true>>,
): readonly (keyof T & string)[] {
  return Object.keys(names) as (keyof T & string)[]
}

/**
 * Reads a list of known words.
 *
 * @param name the option as the developer writes it
 * @param known the words that the list may hold
 * @returns the words as a set
 * @throws {ConfigurationError} when the value is not a list, is empty, or holds an unknown word or
 *   one word twice
 */
export function readWords<T extends string>(
  name: string,
  value: unknown,
  known: readonly T[],
): ReadonlySet<T> {
  const wanted = `a list out of ${known.map((word) => `'${word}'`).join(', ')}`
  if (!Array.isArray(value)) throw new ConfigurationError(expected(name, wanted, value))
  if (value.length === 0) throw new ConfigurationError(`${expected(name, wanted, value)} that is empty`)
  const words = new Set<T>()
  for (const word of value) {
    if (!known.includes(word)) throw new ConfigurationError(expected(name, wanted, word))
    if (words.has(word))
      throw new ConfigurationError(`Expected \`${name}\` to hold each word once, got '${word}' twice`)
    words.add(word)
  }
  return words
}

/** Reads a whole number within bounds. @throws {ConfigurationError} for anything else */
export function readCount(
  name: string,
  value: unknown,
  bounds: { readonly min: number; readonly max: number },
): number {
  if (Number.isInteger(value) && (value as number) >= bounds.min && (value as number) <= bounds.max)
    return value as number
  throw new ConfigurationError(
    expected(name, `a whole number between ${bounds.min} and ${bounds.max}`, value),
  )
}

/** Reads an optional function. @throws {ConfigurationError} for anything else */
export function readFunction<F>(name: string, value: F | undefined): F | null {
  if (value === undefined || isCallable(value)) return value ?? null
  throw new ConfigurationError(expected(name, 'a function', value))
}

/** Reads an optional non-empty text. @throws {ConfigurationError} for anything else */
export function readText(name: string, value: unknown): string | undefined {
  if (value === undefined || (typeof value === 'string' && value !== '')) return value
  throw new ConfigurationError(expected(name, 'a non-empty string', value))
}

/** Reads a boolean. @throws {ConfigurationError} for anything else */
export function readFlag(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value
  throw new ConfigurationError(expected(name, 'true or false', value))
}

/**
 * Reads an optional text that every token shows, such as the issuer.
 *
 * @param secret the application's secret, which the name may not be
 * @throws {ConfigurationError} for a key, without any part of it, and for anything but a text
 */
export function readName(name: string, value: unknown, secret: unknown): string | undefined {
  const text = readText(name, value)
  if (text !== undefined && ([secret].flat().includes(text) || text.includes('-----BEGIN ')))
    throw new ConfigurationError(`Expected \`${name}\` to be a name that every token may show, got a key`)
  return text
}
