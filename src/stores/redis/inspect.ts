/**
 * Warnings about settings with which Redis loses sessions, or a client hangs. They are read with
 * INFO inside a script and not with CONFIG: managed services refuse CONFIG, and a script runs on
 * the node that has our keys.
 */
import type { StoreWarning } from '../../session/store.ts'
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
export async function inspect(run: Runner, keys: Keys, store: InspectedStore): Promise<readonly string[]> {
  const read = await readInfo(run, keys)
  return warnOfSettings(read, store).map(({ warning }) => warning)
}

const LENGTH = createScript({ keys: 'log', args: '', body: "return { redis.call('XLEN', log) }" })

/** A longer log is worth a warning: a process that starts reads all of it. */
const LONG_LOG = 100_000

/** The share of the memory from which on it is called full. */
const FULL = 0.9

/** Lists the warnings, and what has gone wrong with disk, memory and log. */
export async function diagnose(
  run: Runner,
  keys: Keys,
  store: InspectedStore,
): Promise<readonly StoreWarning[]> {
  const read = await readInfo(run, keys)
  const [length] = await run(LENGTH, { keys: [keys.log], args: [], now: null })
  const warnings = [...warnOfSettings(read, store)]
  const failing = ['aof_last_write_status', 'rdb_last_bgsave_status'].filter((name) => read(name) === 'err')
  if (failing.length > 0)
    warnings.push({
      code: 'redis-disk',
      warning: `Redis could not write to its disk (${failing.join(', ')}): a restart may lose sessions`,
    })
  const [used, most] = [Number(read('used_memory')), Number(read('maxmemory'))]
  if (most > 0 && used > FULL * most)
    warnings.push({
      code: 'redis-memory',
      warning: `Redis has used ${Math.round((100 * used) / most)} % of its memory: raise maxmemory, or no one can log in`,
    })
  if (Number(length) > LONG_LOG)
    warnings.push({
      code: 'log-long',
      warning: `The log of revocations has ${length} entries, which each process reads when it starts`,
    })
  return warnings
}

async function readInfo(run: Runner, keys: Keys): Promise<Read> {
  const sections = await run(INFO, { keys: [keys.log], args: [], now: null })
  const info = sections.map(String).join('\n')
  return (name) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]
}

function warnOfSettings(read: Read, { replicas, client }: InspectedStore): readonly StoreWarning[] {
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

function warnOfReplication(read: Read, waitsFor: number): StoreWarning[] {
  if (read('role') === 'slave')
    return [
      {
        code: 'store-read-only',
        warning: 'Redis is a replica: it can be read, but no session can be started or refreshed',
      },
    ]
  if (Number(read('connected_slaves') ?? 0) === 0) return []
  const warnings: StoreWarning[] = []
  if (waitsFor === 0)
    warnings.push({
      code: 'replication-async',
      warning:
        'Redis replicates asynchronously: a failover may lose the last logins and revocations; with the option `replicas` a revocation counts as stored when a replica has it',
    })
  // INFO has the line where writes depend on it.
  if (read('min_slaves_good_slaves') === undefined)
    warnings.push({
      code: 'redis-cut-off-writes',
      warning: `Redis takes writes while it is cut off from its replicas${read('cluster_enabled') === '1' ? ', until cluster-node-timeout' : ''}: logins and revocations from then are lost when a replica has taken its place; set min-replicas-to-write 1`,
    })
  return warnings
}

/** ioredis asks one sentinel after the other, and by default waits for each without an end. */
function warnOfSentinels(client: RedisClient): StoreWarning[] {
  const { sentinels, sentinelCommandTimeout } = Object((client as { readonly options?: unknown }).options)
  return Array.isArray(sentinels) && !sentinelCommandTimeout
    ? [
        {
          code: 'redis-sentinel-timeout',
          warning:
            'ioredis waits forever for a sentinel that hangs, and finds no new primary then: set sentinelCommandTimeout',
        },
      ]
    : []
}

function warnOfVersion(version: string | undefined): StoreWarning[] {
  if (version === undefined)
    return toUnknown('The version of Redis could not be checked; 6.2 or later is needed')
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [oldestMajor, oldestMinor] = OLDEST
  const old = major < oldestMajor || (major === oldestMajor && minor < oldestMinor)
  return old
    ? [{ code: 'redis-old', warning: `Redis ${major}.${minor} is too old: 6.2 or later is needed` }]
    : []
}

function warnOfDurability(aof: string | undefined): StoreWarning[] {
  if (aof === undefined) return toUnknown('Whether Redis keeps its writes (appendonly) could not be checked')
  const lost =
    'a crash loses every login and revocation since the last snapshot, and may revive what was revoked'
  return aof === '1'
    ? []
    : [{ code: 'redis-no-persistence', warning: `Redis runs without appendonly: ${lost}` }]
}

function warnOfMemoryPolicy(policy: string | undefined): StoreWarning[] {
  if (policy === undefined)
    return toUnknown('Whether Redis deletes keys (maxmemory-policy) could not be checked')
  const lost = 'sessions, revocations and cut-offs may be lost; set noeviction'
  return policy === 'noeviction'
    ? []
    : [
        {
          code: 'redis-deletes-keys',
          warning: `Redis deletes keys when memory is full (maxmemory-policy ${policy}): ${lost}`,
        },
      ]
}

function toUnknown(warning: string): StoreWarning[] {
  return [{ code: 'redis-unknown', warning }]
}
