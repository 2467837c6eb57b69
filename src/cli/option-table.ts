/** The one table of the command's options: what each takes and means. */
import type { Flags } from './command.ts'

/** An option. */
export interface OptionRow {
  /** What its value is called; null for an option without one. */
  readonly value: string | null
  /** What it does, and its default. */
  readonly text: string
  /** Whether it may be given more than once. Default false. */
  readonly isRepeated?: true
}

/** How a store is named. */
const URLS =
  'postgres://..., mysql://..., sqlite:path, redis://... or rediss://...; env:NAME takes the URL from the variable NAME, where other users of the machine do not see it'

/** Every option. */
export const OPTIONS: Readonly<Record<keyof Flags, OptionRow>> = {
  alg: { value: 'algorithm', text: 'of a new key; default that of the key that signs, or ES256' },
  announce: {
    value: 'duration',
    text: 'how long a key is announced before it signs, at least 10m; default 1h',
  },
  retire: {
    value: 'duration',
    text: 'how long the earlier keys verify after that, at least refresh.expiresIn; default 21d',
  },
  force: { value: null, text: 'rotates at once: users whose instance does not know the key are signed out' },
  prefix: {
    value: 'prefix',
    text: "what the tables' names begin with, default tokenwright_; or the keys of a Redis, default tw",
  },
  schema: { value: 'schema', text: "the tables' schema, on MySQL the database; it exists" },
  plan: { value: null, text: 'prints what would be carried out, and changes nothing' },
  wait: { value: 'duration', text: 'how long to wait for tables in use; default 30s' },
  store: {
    value: 'url',
    text: `the store: ${URLS}; default that of REDIS_URL, or else of DATABASE_URL`,
  },
  from: { value: 'url', text: `the store that is copied: ${URLS}` },
  to: { value: 'url', text: 'the store that gets the copy, likewise' },
  'from-prefix': {
    value: 'prefix',
    text: "what the tables' names in --from begin with, or the keys of a Redis",
  },
  'to-prefix': { value: 'prefix', text: 'the same in --to' },
  'from-schema': { value: 'schema', text: 'the schema of the tables in --from, on MySQL their database' },
  'to-schema': { value: 'schema', text: 'the same in --to' },
  resume: { value: null, text: 'goes on where a copy of the two stores was broken off' },
  url: {
    value: 'url',
    text: 'the address of the deployment for its users, with the base path unless it is /auth; given again for single nodes, whose keys and clocks are compared',
    isRepeated: true,
  },
  keys: { value: 'file', text: 'a key file; default that of TOKENWRIGHT_KEYS' },
  secret: {
    value: 'env:NAME',
    text: 'the variable that has the secret; default TOKENWRIGHT_SECRET, or the file of TOKENWRIGHT_SECRET_FILE',
  },
  jwks: { value: 'url', text: 'where the issuer has its public keys' },
  issuer: { value: 'name', text: 'the `issuer` of the application; default none' },
  audience: { value: 'name', text: 'an `audience` of the application; default none', isRepeated: true },
  realm: { value: 'realm', text: 'the realm of the subject or token; default none' },
  'access-lifetime': {
    value: 'duration',
    text: 'how long processes remember what is ended, at least access.expiresIn; default 30d',
  },
  yes: { value: null, text: 'asks no question; without a terminal none is asked' },
  since: { value: 'duration', text: 'how far back to begin; default 10m' },
  once: { value: null, text: 'ends at the end of the log, and follows it no further' },
  json: { value: null, text: 'prints JSON' },
}
