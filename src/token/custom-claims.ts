/**
 * Custom claims and the user's schema for them. The schema checks when a token is issued and again
 * when it is verified, so its output must be valid input: a transforming schema does not compile.
 */

import type { SchemaResult, StandardSchema } from '../internal/schema.ts'

/** The checked value, or the error that names every member that the schema refused. */
export type CheckedData<C> = { readonly data: C } | { readonly error: TypeError }

/** Checks custom claims by the schema. */
export async function validateData<C>(
  schema: StandardSchema<unknown, C>,
  value: unknown,
): Promise<CheckedData<C>> {
  return readResult(await schema['~standard'].validate(value))
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
