/**
 * The Standard Schema interface (https://standardschema.dev, version 1), declared structurally:
 * zod, valibot, arktype and others satisfy it, and we depend on none of them.
 */

/** What a schema returns for a value: an output, or the list of what is wrong with it. */
export type SchemaResult<O> =
  | {
      /** The checked value. */
      readonly value: O
      /** Absent when the value is valid. */
      readonly issues?: undefined
    }
  | {
      /** What is wrong; its texts come from the user's schema. */
      readonly issues: readonly {
        /** One problem, in the schema's words. */
        readonly message: string
        /** Where in the value: names, or objects that hold one. */
        readonly path?: readonly (PropertyKey | SchemaPathPart)[] | undefined
      }[]
    }

/** One step of a path, as an object. */
export interface SchemaPathPart {
  /** The member's name. */
  readonly key: PropertyKey
}

/** Any schema that implements Standard Schema, from input `I` to output `O`. */
export interface StandardSchema<I = unknown, O = I> {
  /** The interface's single property. */
  readonly '~standard': {
    /** The version of the interface. */
    readonly version: 1
    /** The library that made the schema. */
    readonly vendor: string
    /** Checks a value; may be asynchronous. */
    readonly validate: (value: unknown) => SchemaResult<O> | Promise<SchemaResult<O>>
    /** Holds the types; never read at run time. */
    readonly types?:
      | {
          /** What the schema takes. */
          readonly input: I
          /** What it returns. */
          readonly output: O
        }
      | undefined
  }
}
