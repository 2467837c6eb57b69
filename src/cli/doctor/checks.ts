/** The one table of what `doctor` can find, and how a finding is told. */

/** How bad it is. A problem is wrong in any deployment; a warning may be meant. */
export type Verdict = 'ok' | 'warning' | 'problem' | 'skipped'

/** One line of the report. */
export interface Finding {
  /** What was looked at. */
  readonly id: string
  /** What came of it. */
  readonly result: Verdict
  /** What was found. */
  readonly what: string
  /** What to do; null for nothing. */
  readonly advice: string | null
}

/** How bad a finding is, and what to do. */
type Row = readonly [result: 'warning' | 'problem', advice: string]

/** Everything that can be found, by its name, which never changes. */
export const CHECKS: Readonly<Record<string, Row>> = {
  'secret-weak': ['problem', 'make another one with `tokenwright secret`: who guesses it signs in as anyone'],
  'secret-words': ['warning', 'make one with `tokenwright secret`'],
  'variables-invalid': [
    'warning',
    'see docs/reference/environment.md: an application that reads them does not start',
  ],
  'variable-unused': ['warning', 'give the secret or the key file, and not both'],
  'node-env': ['warning', 'set NODE_ENV=production where users are served'],
  'keys-invalid': ['problem', 'mend the file, or make one with `tokenwright keys rotate`'],
  'keys-readable': ['problem', 'let only the user of the processes read it: chmod 600'],
  'keys-no-signer': ['problem', 'announce a key with `tokenwright keys rotate`'],
  'keys-end': ['warning', 'announce the next one with `tokenwright keys rotate`'],
  'store-unreachable': ['problem', 'correct the URL, or start the server'],
  'store-write': ['problem', 'no one can log in until it takes writes'],
  'store-read-only': ['problem', 'give the URL of the primary'],
  'store-clock': ['problem', 'let the machines of the store and of the processes follow one clock (NTP)'],
  'store-slow': ['warning', 'run the processes near the store: each refresh waits for it'],
  'tables-missing': [
    'problem',
    'call `tokenwright migrate`; behind a pooler name the schema by the option `schema`',
  ],
  'schema-old': ['problem', 'call `tokenwright migrate`'],
  'schema-newer': ['warning', 'upgrade what still runs the earlier package'],
  privileges: ['problem', 'grant select, insert, update and delete on the tables'],
  'pooler-transaction-mode': ['warning', 'see docs/sessions/engines.md, "Poolers"'],
  'log-long': ['warning', 'give the processes more memory, or access tokens a shorter life'],
  'prune-backlog': ['warning', 'call `tokenwright prune`, and see why nothing prunes'],
  'replication-async': ['warning', 'see docs/sessions/failover.md'],
  'replication-degrades': ['warning', 'see docs/sessions/failover.md'],
  'replication-local': ['warning', 'set synchronous_commit to on'],
  'postgres-fsync': ['problem', 'set fsync to on'],
  'postgres-synchronous-commit': ['warning', 'set synchronous_commit to on'],
  'mysql-not-strict': ['problem', 'set a strict sql_mode'],
  'mysql-backslashes': ['problem', 'take NO_BACKSLASH_ESCAPES out of sql_mode'],
  'mysql-flush': ['warning', 'set innodb_flush_log_at_trx_commit to 1'],
  'mysql-binlog': ['problem', 'set binlog_format to ROW'],
  'mysql-frozen-clock': ['problem', 'start the server without sysdate-is-now'],
  'galera-split': ['problem', 'take it out of wsrep_provider_options'],
  'galera-dirty-reads': ['problem', 'set wsrep_dirty_reads to OFF'],
  'galera-old-reads': ['warning', 'set wsrep_sync_wait to 7'],
  'sqlite-synchronous': ['problem', 'set the pragma synchronous to normal or full'],
  'sqlite-journal': ['problem', 'set the pragma journal_mode to wal'],
  'sqlite-busy-timeout': ['warning', 'set a busy timeout of 0'],
  'redis-old': ['problem', 'upgrade it'],
  'redis-unknown': ['warning', 'look it up where the service says it'],
  'redis-no-persistence': ['warning', 'set appendonly to yes'],
  'redis-deletes-keys': ['problem', 'set maxmemory-policy to noeviction'],
  'redis-cut-off-writes': ['warning', 'set min-replicas-to-write to 1'],
  'redis-sentinel-timeout': ['warning', 'set sentinelCommandTimeout'],
  'redis-disk': ['problem', 'give it space and permission where it writes its files'],
  'redis-memory': ['warning', 'raise maxmemory'],
  'url-unreachable': ['problem', 'correct the URL, or start the deployment'],
  'routes-missing': ['problem', 'give --url with the base path, such as https://app.example.com/auth'],
  'https-missing': ['problem', 'serve users over https only: tokens and passwords are readable on the way'],
  'http-open': ['problem', 'redirect http to https'],
  'hsts-missing': ['warning', 'send Strict-Transport-Security'],
  'cookies-not-secure': ['problem', 'take `cookies: { secure: false }` out'],
  'cookies-readable': ['problem', 'let nothing between change Set-Cookie: scripts can read a token'],
  'cookies-same-site': ['warning', 'take `sameSite: None` out, unless other sites embed this one'],
  'cookie-prefix': ['problem', 'let nothing between change Set-Cookie: browsers drop these cookies'],
  'cookies-domain': ['warning', 'take `domain` out, unless each subdomain may act for its users'],
  'proxy-headers': [
    'problem',
    'say the own `origin`, or let the framework trust the headers of its proxy: pages of users are refused',
  ],
  'origin-unchecked': ['problem', 'leave `csrf.mode` at its default'],
  'cors-open': ['problem', 'name the origins that may call: any page acts for its visitor'],
  'responses-cacheable': [
    'problem',
    'let nothing between change Cache-Control: a cache could sign in strangers',
  ],
  'jwks-differs': ['problem', 'give all nodes the same keys, by one key file or a function that loads them'],
  'keys-elsewhere': [
    'problem',
    'give all nodes the secret or the key file that is used here, or call doctor where they are used',
  ],
  'node-clock': ['problem', 'let all machines follow one clock (NTP)'],
}

/** A finding of the table. */
export function toFinding(id: string, what: string, advice?: string): Finding {
  const [result, usual] = CHECKS[id] ?? ['warning', null]
  return { id, result, what, advice: advice ?? usual }
}

/** What was looked at and is sound. */
export function toSound(id: string, what: string): Finding {
  return { id, result: 'ok', what, advice: null }
}

/** What was not looked at. */
export function toSkipped(id: string, what: string): Finding {
  return { id, result: 'skipped', what, advice: null }
}
