/**
 * Custom claims and the user's schema for them. The schema checks when a token is issued and again
 * when it is verified, so its output must be valid input: a transforming schema does not compile.
 */
import { andThen } from '../internal/awaitable.ts'
import type { SchemaResult, StandardSchema } from '../internal/schema.ts'

/**
 * Checks a value by the schema.
 *
 * @returns the checked value, or undefined when the schema has an objection; a promise of it when
 *   the schema is asynchronous
 */
export function validateData<C>(
  schema: StandardSchema<unknown, C>,
  value: unknown,
): C | undefined | Promise<C | undefined> {
  const read = (result: SchemaResult<C>): C | undefined =>
    result.issues === undefined ? result.value : undefined
  const result = schema['~standard'].validate(value)
  return andThen(result, read)
}
