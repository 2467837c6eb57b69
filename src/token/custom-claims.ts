/**
 * Custom claims and the user's schema for them. The schema checks when a token is issued and again
 * when it is verified, so its output must be valid input: a transforming schema does not compile.
 */

import { misuse } from '../internal/configuration-error.ts'
import type { SchemaResult, StandardSchema } from '../internal/schema.ts'

/** What may be given as custom claims: any object, where nothing is known of them. */
export type DataInput<I> = string extends keyof I ? object : I

/** The names of the members that every value of `I` has. */
export type RequiredKeys<I> = {
  [K in keyof I]-?: Record<never, never> extends Pick<I, K> ? never : K
}[keyof I]

/**
 * The member `data` of an object that describes a token: required if `I`, what the schema takes,
 * has a required member.
 */
export type DataFor<I> = [RequiredKeys<I>] extends [never]
  ? {
      /** The custom claims. Default none. */
      readonly data?: I | undefined
    }
  : {
      /** The custom claims. */
      readonly data: I
    }

/** The checked value, or the error that names every member that the schema refused. */
export type CheckedData<C> = { readonly data: C } | { readonly error: TypeError }

/**
 * Checks custom claims by the schema. A token without any has `{}`, or undefined where the schema
 * accepts only that.
 */
export async function validateData<C>(
  schema: StandardSchema<unknown, C>,
  value: unknown,
): Promise<CheckedData<C>> {
  const result = await schema['~standard'].validate(value)
  if (result.issues === undefined || Object.keys(Object(value)).length > 0) return readResult(result)
  const none = await schema['~standard'].validate(undefined)
  return readResult(none.issues === undefined ? none : result)
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
  return { error: misuse(`${wanted}: ${issues.join('; ')}`) }
}
