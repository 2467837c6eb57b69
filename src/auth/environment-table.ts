/**
 * The variables of the environment: one for each option that a text can be, named `TOKENWRIGHT_`
 * and the path of the option in capitals. What they hold is read by `environment.ts`.
 */
import type { AuthOptions } from './options.ts'

/** How the text of a variable is read. */
export type VariableKind =
  /** As it is; a file may hold it. */
  | 'secret'
  /** The path of a key file, which is loaded again and again. */
  | 'keyFile'
  /** A text of at least one character. */
  | 'text'
  /** A text that may be empty. */
  | 'anyText'
  /** Texts between commas. */
  | 'texts'
  /** Such as `15m`. */
  | 'duration'
  /** Digits, with or without a fraction. */
  | 'number'
  /** `true` or `false`. */
  | 'flag'
  /** `false`, and nothing else. */
  | 'off'
  /** A text; `false` is the value false. */
  | 'textOrFalse'
  /** A duration; `false` is the value false. */
  | 'durationOrFalse'
  /** JSON; a file may hold it. */
  | 'json'

/** The members of an option that is an object. */
type MembersOf<T> = Exclude<
  Extract<NonNullable<T>, object>,
  readonly unknown[] | ((...args: never[]) => unknown)
>

/** One option: how it is read, null for what no text can be, or its members, or both. */
type Row<T> = VariableKind | null | Table<MembersOf<T>> | readonly [VariableKind, Table<MembersOf<T>>]

/** Every option has its row: a missing one does not compile. */
type Table<O> = { readonly [K in keyof O]-?: Row<O[K]> }

const COOKIE = { name: 'text', path: 'text' } as const
const LIFETIME = { expiresIn: 'duration' } as const
const NAMES = { access: 'text', refresh: 'text' } as const

/** The one table of variables. */
const TABLE = {
  secret: 'secret',
  keys: 'keyFile',
  issuers: 'json',
  issuer: 'text',
  audience: 'texts',
  profile: 'text',
  clientId: 'text',
  access: LIFETIME,
  refresh: LIFETIME,
  freshness: { window: 'duration' },
  leeway: 'duration',
  isRevoked: null,
  sessions: {
    store: null,
    overlap: 'duration',
    idle: 'duration',
    absolute: 'duration',
    brief: { idle: 'duration', absolute: 'duration' },
    max: { perSubject: 'number', whenFull: 'text' },
    jitter: 'number',
    rotation: 'flag',
    concurrency: 'number',
    prune: 'durationOrFalse',
    rights: null,
  },
  revocation: { mode: 'text', maxStale: 'duration', whenStale: 'text', source: null },
  interop: ['flag', { untyped: 'flag' }],
  realm: 'text',
  claims: null,
  additionalClaims: null,
  additionalHeaders: null,
  cache: ['off', { entries: 'number', bytes: 'number' }],
  limits: { tokenLength: 'number', lifetime: 'duration' },
  subject: null,
  clock: null,
  on: null,
  cookies: {
    access: COOKIE,
    refresh: COOKIE,
    csrf: COOKIE,
    domain: 'text',
    sameSite: 'text',
    secure: 'flag',
    carry: 'texts',
    partitioned: 'flag',
    former: 'json',
  },
  origin: 'text',
  resource: {
    identifier: 'text',
    authorizationServers: 'texts',
    scopes: 'texts',
    name: 'text',
    documentation: 'text',
  },
  problemDetails: ['flag', { types: 'text' }],
  csrf: { mode: 'textOrFalse', origins: 'texts', header: 'text', field: 'text' },
  locations: 'texts',
  header: { name: 'text', scheme: 'anyText' },
  query: NAMES,
  body: NAMES,
} as const satisfies Table<AuthOptions>

/** A variable of the environment, and the option that it sets. */
export interface EnvironmentVariable {
  /** Its name, such as `TOKENWRIGHT_ACCESS_EXPIRES_IN`. */
  readonly name: string
  /** The option, such as `access.expiresIn`. */
  readonly option: string
  /** How its text is read. */
  readonly kind: VariableKind
}

/** What the names of all variables begin with. */
export const PREFIX = 'TOKENWRIGHT_'

/** What stands before `_FILE` is read from the file that the variable names. */
export const FILE = '_FILE'

/** The kinds that a file may hold: what is secret, or long. */
export const IN_FILES: ReadonlySet<VariableKind> = new Set(['secret', 'json'])

/** Verifies only, beside `TOKENWRIGHT_SECRET`: the next secret, or the one before. */
export const OTHER_SECRET: EnvironmentVariable = {
  name: `${PREFIX}SECRET_OTHER`,
  option: 'secret[1]',
  kind: 'secret',
}

/** Every variable that sets an option of `createAuth`, in the order of the reference. */
export const ENVIRONMENT_VARIABLES: readonly EnvironmentVariable[] = Object.freeze(
  listVariables(TABLE, []).flatMap((one) => (one.option === 'secret' ? [one, OTHER_SECRET] : [one])),
)

function listVariables(
  table: Readonly<Record<string, unknown>>,
  path: readonly string[],
): EnvironmentVariable[] {
  return Object.entries(table).flatMap(([key, row]) => {
    const here = [...path, key]
    const [kind, members] = Array.isArray(row) ? row : typeof row === 'string' ? [row] : [undefined, row]
    const own = kind === undefined ? [] : [{ name: toName(here), option: here.join('.'), kind }]
    return members ? [...own, ...listVariables(members, here)] : own
  })
}

/** The name of the variable of an option. */
export function toName(path: readonly string[]): string {
  return PREFIX + path.map((part) => part.replace(/[A-Z]/g, '_$&').toUpperCase()).join('_')
}
