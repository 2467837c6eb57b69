/**
 * The wording of every error about a value that a developer passed: what was expected, what came
 * instead, and never a secret. A mistake in the setup is a `ConfigurationError`; a wrong argument
 * of a call is a `TypeError`.
 */

/**
 * Thrown during setup, never by a request: an option is missing, misspelled, of the wrong shape or
 * unsafe. The message names the option, what was expected and what came; it never holds a key or a
 * secret.
 */
export class ConfigurationError extends Error {
  /** Always `'ConfigurationError'`, also across realms and bundles. */
  override readonly name: string = 'ConfigurationError'
}

/**
 * Texts that a message may repeat: numbers with at most a unit, moments, short words, and origins.
 * Everything else may be a key or a secret that was put into the wrong option.
 */
const HARMLESS = /^(?:[-+]?[\d.:TZ+ -]{1,24}[a-z]{0,8}|[a-z_-]{1,11}|https?:\/\/[a-z\d.:-]{1,40}\/?)$/i

/** Options whose values no message repeats, whatever they look like. */
const SECRET_NAMES = /secret|key|token|password|passphrase/i

/** Describes a value by its type and, where it cannot be a secret, by its text. */
function describe(name: string, value: unknown): string {
  const type = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value
  if (SECRET_NAMES.test(name)) return `a value of type ${type}`
  if (type === 'number' || type === 'boolean' || type === 'bigint') return `${String(value)} (${type})`
  return typeof value === 'string' && HARMLESS.test(value) ? `${value} (string)` : describeType(value)
}

/** Describes a value without any part of it. */
export function describeType(value: unknown): string {
  if (value === null) return 'null'
  if (value === '') return 'an empty string'
  if (typeof value === 'string') return `a string of ${value.length} characters`
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`
  if (tagOf(value) === '[object Promise]') return 'a promise: `await` it'
  if (isClass(value)) return 'a class'
  return Array.isArray(value) ? 'array' : typeof value
}

/**
 * Builds one message: "Expected `access.expiresIn` to be a duration such as '15m', got 120
 * (string)".
 *
 * @param name the option or argument as the developer writes it
 * @param wanted what it should be, as the end of "to be ..."
 * @param value what came; its text is repeated only when it cannot be a secret
 */
export function expected(name: string, wanted: string, value: unknown): string {
  return `Expected \`${name}\` to be ${wanted}, got ${describe(name, value)}`
}

/**
 * Refuses a value that lacks a method, by which it is told apart.
 *
 * @throws {ConfigurationError} as `expected` words it
 */
export function checkMethod(name: string, wanted: string, value: unknown, method: string): void {
  const found = (value as Readonly<Record<string, unknown>> | null | undefined)?.[method]
  if (typeof found !== 'function') throw new ConfigurationError(expected(name, wanted, value))
}

/** Whether a value can be called: a class is a function too, but throws without `new`. */
export function isCallable(value: unknown): value is (...args: never[]) => unknown {
  return typeof value === 'function' && !isClass(value)
}

function isClass(value: unknown): boolean {
  return typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value))
}

/** Whether a value is an object that is neither null nor an array. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Whether a value may hold options: no list, promise, `Map` or date, which have no members and
 * would pass for an object without options.
 */
export function isOptions(value: unknown): value is Record<string, unknown> {
  if (!isRecord(value)) return false
  const tag = tagOf(value)
  return tag === '[object Object]' || tag === '[object Module]'
}

function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value)
}

/**
 * Refuses unknown option names, so that a typing mistake cannot silently switch a protection off.
 *
 * @param at where the options are, as the developer writes it; empty for the outermost
 * @param synonyms the names that other libraries use, in lower case, with the name here
 * @throws {ConfigurationError} with the nearest known name as a suggestion
 */
export function checkKnownKeys(
  at: string,
  options: object,
  known: readonly string[],
  synonyms: Readonly<Record<string, string>> = {},
): void {
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue
    // A long name may be a secret that was written in the place of a name.
    const name = IDENTIFIER.test(key)
      ? `\`${at === '' ? key : `${at}.${key}`}\``
      : `of ${key.length} characters`
    const folded = key.toLowerCase().replace(/[_-]/g, '')
    const near = Object.hasOwn(synonyms, folded) ? synonyms[folded] : nearest(key, known)
    const hint = near === undefined ? '.' : `; did you mean \`${near}\`?`
    throw new ConfigurationError(`Unknown option ${name}${hint} Known: ${known.join(', ')}`)
  }
}

/**
 * Refuses options that are given as undefined, such as a variable of the environment that is not
 * set. Without them less would be checked, and nothing would show it.
 *
 * @param at where the options are, as the developer writes it; empty for the outermost
 * @param names the options that must have a value where they are given
 */
export function refuseUndefined(at: string, options: object, names: readonly string[]): void {
  const name = names.find((key) => Object.hasOwn(options, key) && Reflect.get(options, key) === undefined)
  if (name === undefined) return
  const path = at === '' ? name : `${at}.${name}`
  throw new ConfigurationError(
    `Expected \`${path}\` to have a value, got undefined; leave it out to check less`,
  )
}

/** A name that a person would write. */
const IDENTIFIER = /^[a-z_$][\w$-]{0,27}$/i

/** The known name with the fewest edits, if it is close enough to be the one that was meant. */
export function nearest(key: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((name) => ({ name, distance: editDistance(key.toLowerCase().slice(0, 64), name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
  const best = ranked[0]
  return best !== undefined && best.distance <= Math.max(2, best.name.length / 3) ? best.name : undefined
}

/** Levenshtein's distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}

/** The mark of an error of `misuse`. Other copies of this package have the same. */
const MISUSE = Symbol.for('tokenwright:misuse')

/**
 * The error for a call with a wrong argument. Its mark tells it from the `TypeError`s of others,
 * such as the one of `fetch` for a network that is down.
 */
export function misuse(message: string): TypeError {
  return Object.defineProperty(new TypeError(message), MISUSE, { value: true })
}

/** Whether an error is one of `misuse`, also of a second copy of this package. */
export function isMisuse(error: unknown): boolean {
  return Object(error)[MISUSE] === true
}

/** Turns the `ConfigurationError` of an option reader into a `TypeError` of the call. */
export function asTypeError<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof ConfigurationError) throw misuse(error.message)
    throw error
  }
}
