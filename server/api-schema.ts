/** What the API page reads of a JSON Schema: its name for people, and an example. */

/** The keywords that our schemas use. */
export interface Schema {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly oneOf?: readonly Schema[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly default?: unknown
  readonly examples?: readonly unknown[]
}

type Schemas = Readonly<Record<string, Schema>>

/** Numbers that look like what they are. */
const NUMBERS: readonly (readonly [RegExp, number])[] = [
  [/^(?:exp|expires_at)$/, 1_800_000_900],
  [/(?:_at|_time|iat|now)$/, 1_800_000_000],
  [/^(?:access|freshness|expires_in)$/, 900],
]

/** The schema itself, behind its reference; of alternatives the first. */
export function findSchema(schema: Schema | undefined, schemas: Schemas): Schema | undefined {
  if (schema?.oneOf) return findSchema(schema.oneOf[0], schemas)
  if (schema?.$ref === undefined) return schema
  return findSchema(schemas[schema.$ref.split('/').at(-1) ?? ''], schemas)
}

/** The type of a member, in a word. */
export function typeOf({ type = 'any', enum: values }: Schema): string {
  if (values) return values.map((value) => JSON.stringify(value)).join(' or ')
  return typeof type === 'string' ? type : type.join(' or ')
}

/** A value that the schema allows. @param name the name of the member that it is for */
export function exampleOf(given: Schema, schemas: Schemas, name = ''): unknown {
  const schema = findSchema(given, schemas) ?? {}
  const told = schema.const ?? schema.examples?.[0] ?? schema.default ?? schema.enum?.[0]
  if (told !== undefined) return told
  const type = typeof schema.type === 'string' ? schema.type : schema.type?.[0]
  if (type === 'object') {
    const members = Object.entries(schema.properties ?? {})
    return Object.fromEntries(members.map(([key, member]) => [key, exampleOf(member, schemas, key)]))
  }
  if (type === 'array') return schema.items ? [exampleOf(schema.items, schemas, name)] : []
  if (type === 'boolean') return true
  if (type === 'integer' || type === 'number')
    return NUMBERS.find(([pattern]) => pattern.test(name))?.[1] ?? 30
  return '...'
}
