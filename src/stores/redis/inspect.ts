/**
 * Warnings about settings with which Redis loses sessions. They are read with INFO inside a script
 * and not with CONFIG: managed services refuse CONFIG, and a script runs on the node that has our
 * keys.
 */
import type { Keys } from './keys.ts'
import { createScript, type Runner } from './script.ts'

const INFO = createScript({
  keys: 'log',
  args: '',
  body: `
local texts = {}
for i, section in ipairs({ 'server', 'persistence', 'memory', 'replication' }) do
  local text = redis.pcall('INFO', section)
  texts[i] = type(text) == 'string' and text or ''
end
return texts
`,
})

/** The lowest version that knows every command in use: exclusive ranges of streams. */
const OLDEST = [6, 2] as const

/** Lists the warnings. Rejects when Redis cannot be reached. */
export async function inspect(run: Runner, keys: Keys, waitsFor: number): Promise<readonly string[]> {
  const sections = await run(INFO, { keys: [keys.log], args: [], now: null })
  const info = sections.map(String).join('\n')
  const read = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]
  return [
    ...warnOfVersion(read('redis_version')),
    ...warnOfDurability(read('aof_enabled')),
    ...warnOfMemoryPolicy(read('maxmemory_policy')),
    ...warnOfReplication(read('role'), read('connected_slaves'), waitsFor),
  ]
}

function warnOfReplication(
  role: string | undefined,
  replicas: string | undefined,
  waitsFor: number,
): string[] {
  if (role === 'slave')
    return ['Redis is a replica: it can be read, but no session can be started or refreshed']
  return Number(replicas ?? 0) > 0 && waitsFor === 0
    ? [
        'Redis replicates asynchronously: a failover may lose the last logins and revocations; the option `replicas` waits for these',
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
