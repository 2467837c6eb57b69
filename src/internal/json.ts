/**
 * Untrusted JSON: bounds that are checked before any other code walks a value. Nothing here knows
 * what the members mean.
 */

/** How large a JSON value may be. */
export interface JsonBounds {
  /** The deepest nesting of objects and arrays; the outermost counts as 1. */
  readonly depth: number
  /** The most members and elements over all objects and arrays together. */
  readonly members: number
}

/**
 * Whether a parsed value stays inside the bounds and holds no `__proto__` member at any depth
 * (`JSON.parse` makes it an own property, and the next copy of the object turns it into a
 * prototype).
 */
export function isWithinBounds(value: object, bounds: JsonBounds): boolean {
  return countMembers(value, bounds.depth, bounds.members) >= 0
}

/**
 * What is left of a budget of members after a value and everything inside it; negative when the
 * value breaks a bound.
 */
export function countMembers(node: object, depth: number, budget: number): number {
  if (depth === 0 || Object.hasOwn(node, '__proto__')) return -1
  const values: readonly unknown[] = Array.isArray(node) ? node : Object.values(node)
  let left = budget
  for (let i = 0; i < values.length && left >= 0; i++) {
    const child = values[i]
    if (child !== undefined) left--
    if (typeof child === 'object' && child !== null) left = countMembers(child, depth - 1, left)
  }
  return left
}

/** Freezes a value and everything inside it, also inside objects that are already frozen. */
export function deepFreeze<T>(value: T, seen?: Set<unknown>): T {
  if (typeof value !== 'object' || value === null) return value
  Object.freeze(value)
  let known = seen
  const children: readonly unknown[] = Array.isArray(value) ? value : Object.values(value)
  for (const child of children) {
    if (typeof child !== 'object' || child === null) continue
    known ??= new Set([value])
    if (known.has(child)) continue
    known.add(child)
    deepFreeze(child, known)
  }
  return value
}

/** A value that JSON would lose or change. */
export interface JsonMisfit {
  /** The names of the members that lead to it; none for the value as a whole. */
  readonly path: readonly string[]
  /** What it is, without any part of its content. */
  readonly got: string
}

/**
 * Finds what JSON would not write unchanged: everything but text, finite numbers, booleans, null,
 * lists and plain objects, also of another realm, down to `depth`. JSON would silently lose or
 * change a `Date`, a `Map`, NaN or a function. A member `__proto__` is refused. A member that is
 * undefined is left out.
 *
 * @returns the first one, or undefined
 */
export function findJsonMisfit(value: unknown, depth: number): JsonMisfit | undefined {
  const got = describeMisfit(value, depth)
  if (got !== undefined) return { path: [], got }
  if (typeof value !== 'object' || value === null) return undefined
  const names = Array.isArray(value) ? Array.from(value, (_, i) => String(i)) : Object.keys(value)
  for (const name of names) {
    const child: unknown = Reflect.get(value, name)
    if (child === undefined && !Array.isArray(value)) continue
    const misfit = findJsonMisfit(child, depth - 1)
    if (misfit !== undefined) return { ...misfit, path: [name, ...misfit.path] }
  }
  return undefined
}

/** What a value is that JSON would lose or change; undefined for any other value. */
function describeMisfit(value: unknown, depth: number): string | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return undefined
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : String(value)
  if (typeof value !== 'object') return typeof value
  if (depth === 0) return 'too many levels'
  if (Object.hasOwn(value, '__proto__')) return 'a member __proto__'
  if (Array.isArray(value) || isPlainObject(value)) return undefined
  const [, tag = 'Object'] = /^\[object (.*)\]$/.exec(Object.prototype.toString.call(value)) ?? []
  return tag === 'Object' ? 'an instance of a class' : `a value of the class ${tag}`
}

/** Whether an object is a literal, or like one: it has no prototype, or the last one of a realm. */
export function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  const isLast = prototype === null || Object.getPrototypeOf(prototype) === null
  return isLast && typeof (value as { readonly toJSON?: unknown }).toJSON !== 'function'
}

/**
 * Parses a JSON object whose members are all strings, numbers, booleans or null, each named once.
 * `JSON.parse` keeps the last of two members with one name, and two parsers may disagree (RFC 7515
 * section 4).
 *
 * @returns the members in a `Map`, or undefined for anything else
 */
export function parseFlatObject(text: string): Map<string, string | number | boolean | null> | undefined {
  const members = new Map<string, string | number | boolean | null>()
  const parsed = parseObject(text)
  if (parsed === undefined) return undefined
  for (const [name, value] of Object.entries(parsed)) {
    if (typeof value === 'object' && value !== null) return undefined
    members.set(name, value as string | number | boolean | null)
  }
  // Every value is flat, so each colon outside of a string belongs to one name.
  return countColons(text) === members.size ? members : undefined
}

/** Parses a JSON object; undefined for any other text. */
export function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

/** How many colons of valid JSON stand outside of its strings. */
function countColons(text: string): number {
  let colons = 0
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const c = text[i]
    if (c === '\\') i++
    else if (c === '"') quoted = !quoted
    else if (c === ':' && !quoted) colons++
  }
  return colons
}

/** Texts that JSON writes between quotes as they are. */
const PLAIN = /^[ !#-[\]-~]*$/

/**
 * Writes a value exactly as `JSON.stringify` does, which costs several times as much where nothing
 * has to be escaped.
 */
export function writeJson(value: string | number | boolean | readonly string[]): string {
  if (typeof value === 'string') return PLAIN.test(value) ? `"${value}"` : JSON.stringify(value)
  return Number.isSafeInteger(value) ? `${value}` : JSON.stringify(value)
}
