/**
 * The wording of every complaint about a value that a developer passed us:
 * what was expected, what came instead, and never a secret.
 * Setup mistakes become a `ConfigurationError`; misuse of a call becomes a `TypeError`.
 */

/**
 * Thrown while setting up, never by a request: an option is missing, misspelt, of the wrong shape
 * or unsafe. The message names the option, what was expected and what came; it never holds a key or
 * a secret.
 */
export class ConfigurationError extends Error {
  /** Always `'ConfigurationError'`, also across realms and bundles. */
  override readonly name: string = 'ConfigurationError'
}

/** Option names whose values must not be printed, not even in part. */
const SECRET_NAMES = /secret|key|token|password/i

/**
 * Describes a value for a message: its text when that is short and harmless, and always its type.
 */
function describe(name: string, value: unknown): string {
  const type = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value
  if (SECRET_NAMES.test(name)) return `a value of type ${type}`
  if (type === 'string' || type === 'number' || type === 'boolean' || type === 'bigint') {
    return `${String(value).slice(0, 60)} (${type})`
  }
  return type
}

/**
 * Words one complaint: "Expected `access.expiresIn` to be a duration such as '15m', got 120
 * (string)".
 *
 * @param name the option or argument as the developer writes it
 * @param wanted what it should be, as the end of "to be ..."
 * @param value what came; printed only when its name does not look like a secret's
 */
export function expected(name: string, wanted: string, value: unknown): string {
  return `Expected \`${name}\` to be ${wanted}, got ${describe(name, value)}`
}

/** Whether a value is a plain bag of options: an object that is neither null nor an array. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Refuses option names that nobody reads, so that a typing slip cannot switch a protection off in
 * silence.
 *
 * @param at where the options stand, as the developer writes it; empty for the outermost
 * @throws {ConfigurationError} with the nearest known name as a suggestion
 */
export function checkKnownKeys(at: string, options: object, known: readonly string[]): void {
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue
    const near = nearest(key, known)
    const path = at === '' ? key : `${at}.${key}`
    throw new ConfigurationError(
      `Unknown option \`${path}\`${near === undefined ? '' : `; did you mean \`${near}\`?`} Known: ${known.join(', ')}`,
    )
  }
}

/** The known name that is fewest edits away, when it is near enough to be what was meant. */
function nearest(key: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((name) => ({ name, distance: editDistance(key.toLowerCase(), name.toLowerCase()) }))
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
