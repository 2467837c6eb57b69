/** The one table of commands: how each is called, what it does, and where it is. */
import type { CommandTable, Flags } from './command.ts'

/** A command. */
export interface CommandRow {
  /** What its argument is called; null for none. */
  readonly argument: string | null
  /** Whether it may be left out. Default false. */
  readonly isOptional?: true
  /** The options that it takes. */
  readonly options: readonly (keyof Flags)[]
  /** What it does, in a few words. */
  readonly summary: string
  /** What else to know, one paragraph each. */
  readonly details: readonly string[]
  /** What follows `tokenwright` in calls that show its use. */
  readonly examples: readonly string[]
  /** Its exit statuses beside those of every command. */
  readonly statuses?: Readonly<Record<number, string>>
  /** The module. Only what is called is loaded. */
  readonly load: () => Promise<CommandTable>
}

const loadKeys = async (): Promise<CommandTable> => (await import('./key-commands.ts')).KEY_COMMANDS
const loadTables = async (): Promise<CommandTable> => (await import('./table-commands.ts')).TABLE_COMMANDS
const loadCopy = async (): Promise<CommandTable> => (await import('./copy-command.ts')).COPY_COMMANDS
const loadSessions = async (): Promise<CommandTable> =>
  (await import('./session-commands.ts')).SESSION_COMMANDS
const loadLog = async (): Promise<CommandTable> => (await import('./log-commands.ts')).LOG_COMMANDS

const loadDoctor = async (): Promise<CommandTable> => (await import('./doctor-command.ts')).DOCTOR_COMMANDS

const loadToken = async (): Promise<CommandTable> => (await import('./token-command.ts')).TOKEN_COMMANDS

/** Every command, by its name. */
export const COMMANDS: Readonly<Record<string, CommandRow>> = {
  doctor: {
    argument: null,
    options: ['store', 'prefix', 'schema', 'url', 'keys', 'json'],
    summary: 'looks for what is wrong with a deployment: variables, keys, store, responses',
    details: [
      'It looks at what it is given, and at the variables TOKENWRIGHT_*, REDIS_URL, DATABASE_URL and NODE_ENV. In the store one attempt is counted and taken back. Nodes are sent a token that has expired, if a key is configured here. Nothing else is written, and no one is logged in.',
    ],
    examples: ['doctor --store env:DATABASE_URL --url https://app.example.com', 'doctor --json'],
    statuses: { 3: 'a problem was found; for warnings alone it is 0' },
    load: loadDoctor,
  },
  'sessions list': {
    argument: 'subject',
    options: ['store', 'prefix', 'schema', 'realm', 'json'],
    summary: 'the live sessions of a subject, newest login first',
    details: ['At most 1000. All times are exact here, and those that users see are not.'],
    examples: ['sessions list user-42 --store env:DATABASE_URL'],
    load: loadSessions,
  },
  'sessions end': {
    argument: 'session',
    options: ['store', 'prefix', 'schema', 'access-lifetime', 'json'],
    summary: 'ends one session; running processes know within a second',
    details: [
      'The argument is the sid that `sessions list` shows. A session that the store does not have is refused from now on, too.',
    ],
    examples: ['sessions end fjT0hZ8JtOe1mC2bq9y3xA --store env:REDIS_URL'],
    load: loadSessions,
  },
  'sessions end-all': {
    argument: 'subject',
    options: ['store', 'prefix', 'schema', 'realm', 'access-lifetime', 'yes', 'json'],
    summary: 'ends all that a subject holds: sessions, other tokens, logins on their way',
    details: ['As `auth.revokeSubject`. On a terminal it asks first.'],
    examples: ['sessions end-all user-42 --realm admin --yes'],
    load: loadSessions,
  },
  'token inspect': {
    argument: 'token',
    isOptional: true,
    options: ['keys', 'secret', 'jwks', 'issuer', 'audience', 'realm', 'store', 'prefix', 'schema', 'json'],
    summary: 'what a token says, and what guards would say to it and why; default: the standard input',
    details: [
      'It prints neither the token nor its signature. A token on the command line is seen by other users of the machine. Without --store no revocation is checked.',
    ],
    examples: [
      'token inspect --keys keys.json < token.txt',
      'token inspect --jwks https://id.example.com/.well-known/jwks.json',
    ],
    statuses: { 3: 'the guard of its type refuses it' },
    load: loadToken,
  },
  'revocations tail': {
    argument: null,
    options: ['store', 'prefix', 'schema', 'since', 'once', 'json'],
    summary: 'prints what is revoked, one line each, and follows the log',
    details: ['SIGINT ends it.'],
    examples: ['revocations tail --since 1h', 'revocations tail --once --json'],
    load: loadLog,
  },
  prune: {
    argument: null,
    options: ['store', 'prefix', 'schema', 'json'],
    summary: 'deletes what has ended from a store, until little is left',
    details: [
      'Applications do so by themselves unless `sessions.prune` is false. What is broken off by a signal is kept.',
    ],
    examples: ['prune --store env:DATABASE_URL'],
    load: loadLog,
  },
  migrate: {
    argument: 'database',
    isOptional: true,
    options: ['prefix', 'schema', 'wait', 'plan', 'json'],
    summary: 'brings the tables of the SQL store up; default: the database in DATABASE_URL',
    details: [
      'The database is postgres://user:password@host/name, mysql://... or sqlite:path/to/file.db. After a signal the same call goes on: no step is done twice.',
    ],
    examples: ['migrate --plan', 'migrate sqlite:sessions.db'],
    load: loadTables,
  },
  sql: {
    argument: 'dialect',
    options: ['prefix', 'schema'],
    summary: 'prints what `migrate` carries out, for other tools: postgres, mysql or sqlite',
    details: [],
    examples: ['sql postgres --prefix auth_'],
    load: loadTables,
  },
  copy: {
    argument: null,
    options: ['from', 'to', 'from-prefix', 'to-prefix', 'from-schema', 'to-schema', 'resume', 'json'],
    summary: 'copies all of a store into another one, while the application stands still',
    details: [
      'Sessions, revocations and counted attempts; the tables exist. After a signal the same call with --resume goes on.',
    ],
    examples: ['copy --from env:OLD_URL --to env:NEW_URL'],
    statuses: { 3: 'copied, but sessions changed meanwhile' },
    load: loadCopy,
  },
  secret: {
    argument: null,
    options: [],
    summary: 'a new secret for HS256 to HS512',
    details: [],
    examples: ['secret'],
    load: loadKeys,
  },
  key: {
    argument: 'algorithm',
    options: [],
    summary: 'a new private key as a JWK',
    details: [],
    examples: ['key ES256'],
    load: loadKeys,
  },
  'keys rotate': {
    argument: 'file',
    options: ['alg', 'announce', 'retire', 'force'],
    summary: 'announces a new key, or makes the file',
    details: [
      'Each process that loads the file verifies with the new key at once, signs with it after --announce, and verifies with the old one for --retire after that.',
    ],
    examples: ['keys rotate keys.json', 'keys rotate keys.json --alg EdDSA --announce 2h'],
    load: loadKeys,
  },
  'keys list': {
    argument: 'file',
    options: ['json'],
    summary: 'what each key of the file does now, and its times',
    details: [],
    examples: ['keys list keys.json'],
    load: loadKeys,
  },
  'keys jwks': {
    argument: 'file',
    options: [],
    summary: "the public halves of a file's keys, as a key set",
    details: [],
    examples: ['keys jwks keys.json'],
    load: loadKeys,
  },
  jwks: {
    argument: 'file',
    isOptional: true,
    options: [],
    summary: 'the public half of a private JWK, as a key set; default: the standard input',
    details: [],
    examples: ['key ES256 | tokenwright jwks'],
    load: loadKeys,
  },
}

/** The first words of the names of two words. */
export const GROUPS: ReadonlySet<string> = new Set(
  Object.keys(COMMANDS).flatMap((name) => (name.includes(' ') ? [name.slice(0, name.indexOf(' '))] : [])),
)
