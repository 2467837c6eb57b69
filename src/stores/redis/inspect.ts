/**
 * Warnings about settings with which Redis loses sessions, or a client hangs. They are read with
 * INFO inside a script and not with CONFIG: managed services refuse CONFIG, and a script runs on
 * the node that has our keys.
 */
import type { RedisClient } from './client.ts'
import type { Keys } from './keys.ts'
import { createScript, type Runner } from './script.ts'

const INFO = createScript({
  keys: 'log',
  args: '',
  body: `
local texts = {}
for i, section in ipairs({ 'server', 'persistence', 'memory', 'replication', 'cluster' }) do
  local text = redis.pcall('INFO', section)
  texts[i] = type(text) == 'string' and text or ''
end
return texts
`,
})

/** The lowest version that knows every command in use: exclusive ranges of streams. */
const OLDEST = [6, 2] as const

/** What is known of a store beside its server. */
export interface InspectedStore {
  /** How many replicas confirm a revocation. */
  readonly replicas: number
  /** The application's client. */
  readonly client: RedisClient
}

/** Lists the warnings. Rejects when Redis cannot be reached. */
export async function inspect(
  run: Runner,
  keys: Keys,
  { replicas, client }: InspectedStore,
): Promise<readonly string[]> {
  const sections = await run(INFO, { keys: [keys.log], args: [], now: null })
  const info = sections.map(String).join('\n')
  const read = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]
  return [
    ...warnOfVersion(read('redis_version')),
    ...warnOfDurability(read('aof_enabled')),
    ...warnOfMemoryPolicy(read('maxmemory_policy')),
    ...warnOfReplication(read, replicas),
    ...warnOfSentinels(client),
  ]
}

/** Reads one line of INFO. */
type Read = (name: string) => string | undefined

function warnOfReplication(read: Read, waitsFor: number): string[] {
  if (read('role') === 'slave')
    return ['Redis is a replica: it can be read, but no session can be started or refreshed']
  if (Number(read('connected_slaves') ?? 0) === 0) return []
  const warnings: string[] = []
  if (waitsFor === 0)
    warnings.push(
      'Redis replicates asynchronously: a failover may lose the last logins and revocations; with the option `replicas` a revocation counts as stored when a replica has it',
    )
  // INFO has the line where writes depend on it.
  if (read('min_slaves_good_slaves') === undefined)
    warnings.push(
      `Redis takes writes while it is cut off from its replicas${read('cluster_enabled') === '1' ? ', until cluster-node-timeout' : ''}: logins and revocations from then are lost when a replica has taken its place; set min-replicas-to-write 1`,
    )
  return warnings
}

/** ioredis asks one sentinel after the other, and by default waits for each without an end. */
function warnOfSentinels(client: RedisClient): string[] {
  const { sentinels, sentinelCommandTimeout } = Object((client as { readonly options?: unknown }).options)
  return Array.isArray(sentinels) && !sentinelCommandTimeout
    ? [
        'ioredis waits forever for a sentinel that hangs, and finds no new primary then: set sentinelCommandTimeout',
      ]
    : []
}

function warnOfVersion(version: string | undefined): string[] {
  if (version === undefined) return ['The version of Redis could not be checked; 6.2 or later is needed']
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [oldestMajor, oldestMinor] = OLDEST
  const old = major < oldestMajor || (major === oldestMajor && minor < oldestMinor)
  return old ? [`Redis ${major}.${minor} is too old: 6.2 or later is needed`] : []
}

function warnOfDurability(aof: string | undefined): string[] {
  if (aof === undefined) return ['Whether Redis keeps its writes (appendonly) could not be checked']
  const lost =
    'a crash loses every login and revocation since the last snapshot, and may revive what was revoked'
  return aof === '1' ? [] : [`Redis runs without appendonly: ${lost}`]
}

function warnOfMemoryPolicy(policy: string | undefined): string[] {
  if (policy === undefined) return ['Whether Redis deletes keys (maxmemory-policy) could not be checked']
  const lost = 'sessions, revocations and cut-offs may be lost; set noeviction'
  return policy === 'noeviction'
    ? []
    : [`Redis deletes keys when memory is full (maxmemory-policy ${policy}): ${lost}`]
}
