/**
 * Custom claims and the user's schema for them. The schema checks when a token is issued and again
 * when it is verified, so its output must be valid input: a transforming schema does not compile.
 */
import { type Awaitable, andThen } from '../internal/awaitable.ts'
import type { SchemaResult, StandardSchema } from '../internal/schema.ts'

/** The checked value, or the error that names every member that the schema refused. */
export type CheckedData<C> = { readonly data: C } | { readonly error: TypeError }

/**
 * Checks custom claims by the schema.
 *
 * @returns a promise when the schema is asynchronous
 */
export function validateData<C>(
  schema: StandardSchema<unknown, C>,
  value: unknown,
): Awaitable<CheckedData<C>> {
  return andThen(schema['~standard'].validate(value), readResult<C>)
}

/** The most issues of a schema that a message lists. */
const MAX_ISSUES = 10

function readResult<C>(result: SchemaResult<C>): CheckedData<C> {
  if (result.issues === undefined) return { data: result.value }
  const issues = result.issues.slice(0, MAX_ISSUES).map(({ message, path = [] }) => {
    const names = path.map((part) => String(typeof part === 'object' && part !== null ? part.key : part))
    return `\`${['data', ...names].join('.')}\`: ${message}`
  })
  const wanted = 'Expected `data` to satisfy the schema given as `claims`'
  return { error: new TypeError(`${wanted}: ${issues.join('; ')}`) }
}
