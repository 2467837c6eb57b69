/**
 * Lua scripts: each is one atomic step in Redis, and one round trip. A script reads everything
 * before it writes anything, so that a refusal (memory full, a slot that moves) leaves nothing half
 * done. Redis counts in whole milliseconds, the contract in seconds. A script returns an array of
 * strings and integers, or one text, which both clients return alike in RESP2 and RESP3.
 */
import { createHash } from 'node:crypto'
import type { Sender } from './client.ts'

/** A compiled script. */
export interface Script {
  /** The Lua text. */
  readonly text: string
  /** Its SHA-1 in hexadecimal, by which Redis knows it. */
  readonly sha: string
  /** Whether it returns one text in place of an array. */
  readonly isText: boolean
}

/** The source of a script. */
export interface ScriptSource {
  /** The names of its keys in Lua, separated by blanks. */
  readonly keys: string
  /** The names of its arguments in Lua, separated by blanks; `#` before a number, nil when null. */
  readonly args: string
  /** Lua that runs before the arguments are read by their names; default none. */
  readonly first?: string
  /** The Lua code. */
  readonly body: string
  /** Whether it returns one text in place of an array; default false. */
  readonly isText?: boolean
}

/** An argument of a script. */
export type Argument = string | number | boolean | null

/** One run of a script. */
export interface ScriptCall {
  /** The keys, in the order of the script's names. */
  readonly keys: readonly [string, ...string[]]
  /** The arguments, in the order of the script's names. */
  readonly args: readonly Argument[]
  /** The time of the step, epoch seconds; null for the server's clock. */
  readonly now: number | null
}

/** Runs a script. Resolves to its array, or to its text in one; rejects with the client's error. */
export type Runner = (script: Script, call: ScriptCall) => Promise<readonly unknown[]>

const PREAMBLE = `
-- The time of the step in milliseconds: the caller's, or the server's.
local brought, moment = ARGV[1] ~= '', ARGV[1]
if not brought then
  local time = redis.call('TIME')
  local micro = time[2]
  local rest = #micro == 6 and string.sub(micro, 1, 3) or string.format('%03d', math.floor(micro / 1000))
  moment = time[1] .. rest
end
local now = moment + 0
`

/** Lua that expires keys. Needs the key \`due\`. */
export const EXPIRY = `
local DAY = 86400000 -- KEPT_AFTER_END
-- Under the server's clock a key expires by itself. Under a caller's clock prune looks into due.
local function expire(key, till)
  redis.call('PEXPIRE', key, math.max(1, till - now))
  if brought then redis.call('ZADD', due, till, key) end
end
-- Expires a key sooner, never later.
local function shorten(key, till)
  local left = redis.call('PTTL', key)
  if left < 0 or left > till - now then expire(key, till) end
end
-- Expires a key later, never earlier.
local function prolong(key, till)
  if redis.call('PTTL', key) < till - now then expire(key, till) end
end
`

/** Compiles a script: declares its keys and arguments. */
export function createScript({ keys, args, first = '', body, isText = false }: ScriptSource): Script {
  const named = keys.split(' ').map((name, index) => `local ${name} = KEYS[${index + 1}]\n`)
  // The first argument is always the time of the step.
  const given = args.split(' ').map((name, index) => {
    const value = `ARGV[${index + 2}]`
    return name.startsWith('#')
      ? `local ${name.slice(1)} = tonumber(${value})\n`
      : `local ${name} = ${value}\n`
  })
  const text = [...named, PREAMBLE, first, ...(args === '' ? [] : given), body].join('')
  return { text, sha: createHash('sha1').update(text).digest('hex'), isText }
}

/** Runs scripts by their digest, or by their text where the server does not know them yet. */
export function createRunner({ send }: Pick<Sender, 'send'>): Runner {
  return async (script, call) => {
    const [key] = call.keys
    const command = toCommand('EVALSHA', script.sha, call)
    try {
      return toReply(script, await send(key, command))
    } catch (error) {
      // After a restart, SCRIPT FLUSH, or on a node that has not seen the script. Nothing has run.
      // A cluster's client that was sent around for long quotes the reply.
      if (!/\bNOSCRIPT /.test(String((error as Error | null)?.message))) throw error
      return toReply(script, await send(key, toCommand('EVAL', script.text, call)))
    }
  }
}

/** Made in one piece: to join lists takes as long as to make them. */
function toCommand(name: string, script: string, { keys, args, now }: ScriptCall): string[] {
  const command = [name, script, String(keys.length), ...keys, now === null ? '' : String(toRedisTime(now))]
  for (const arg of args) command.push(toText(arg))
  return command
}

function toReply({ isText }: Script, reply: unknown): readonly unknown[] {
  if (isText && (typeof reply === 'string' || reply instanceof Uint8Array)) return [reply]
  if (!isText && Array.isArray(reply)) return reply
  throw new Error(`Expected ${isText ? 'a text' : 'an array'} from a script in Redis`)
}

/** How long Redis waits for its replicas, in milliseconds. */
const REPLICA_WAIT = 1000

/**
 * Runs scripts, and then waits until so many replicas have what was written. Both in one piece: on
 * a connection that was made in between, perhaps to the server after a failover, the wait would say
 * nothing of it.
 */
export function createConfirmedRunner(
  { sendTogether }: Pick<Sender, 'sendTogether'>,
  replicas: number,
): Runner {
  return async (script, call) => {
    const [reply, waited] = await sendTogether(call.keys[0], [
      toCommand('EVAL', script.text, call),
      ['WAIT', String(replicas), String(REPLICA_WAIT)],
    ])
    const confirmed = Number(waited)
    if (confirmed >= replicas) return toReply(script, reply)
    throw new Error(`${confirmed} of ${replicas} replicas have confirmed the revocation, which Redis has`)
  }
}

function toText(value: Argument): string {
  if (value === null) return ''
  return typeof value === 'boolean' ? String(Number(value)) : String(value)
}

/** Seconds to whole milliseconds, rounded down; the microsecond corrects binary fractions. */
export function toRedisTime(seconds: number): number {
  return Math.floor(seconds * 1000 + 0.001)
}

/** Seconds to whole milliseconds, or null. */
export function toRedisTimeOrNull(seconds: number | null): number | null {
  return seconds === null ? null : toRedisTime(seconds)
}

/** A time of Redis in epoch seconds. Clients may be configured to return strings or buffers. */
export function fromRedisTime(reply: unknown): number {
  return Number(String(reply)) / 1000
}
