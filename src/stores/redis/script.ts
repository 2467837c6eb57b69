/**
 * Lua scripts: each is one atomic step in Redis, and one round trip. A script reads everything before it writes anything, so that
 * a refusal (memory full, a slot on the move) leaves nothing half done. Redis counts in whole milliseconds, the contract in seconds.
 * Every script answers an array of texts and integers: in RESP2 and RESP3, both clients hand that over alike.
 */
import { createHash } from 'node:crypto'
import type { Send } from './client.ts'

/** A script that is ready to be run. */
export interface Script {
  /** The Lua text. */
  readonly text: string
  /** Its SHA-1 in hexadecimal: what Redis knows it by. */
  readonly sha: string
}

/** What a script is made of. */
export interface ScriptParts {
  /** The names of its keys in Lua, separated by blanks. */
  readonly keys: string
  /** The names of its arguments in Lua, separated by blanks; `#` before one that is a number, and nil when it is null. */
  readonly args: string
  /** What it does. */
  readonly body: string
}

/** What goes into a script. */
export type Argument = string | number | boolean | null

/** One run of a script. */
export interface Run {
  /** The keys, in the order of the script's names. */
  readonly keys: readonly [string, ...string[]]
  /** The arguments, in the order of the script's names. */
  readonly args: readonly Argument[]
  /** The moment that rules, epoch seconds; null for the server's clock. */
  readonly now: number | null
}

/** Runs a script; rejects with what the client rejects with. */
export type Runner = (script: Script, run: Run) => Promise<readonly unknown[]>

const PREAMBLE = `
-- The moment that rules, in milliseconds: brought along, or the server's, read inside the step.
local brought = ARGV[1] ~= ''
local now = tonumber(ARGV[1])
if not brought then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
`

/** Lua that lets a record end. Needs the key \`due\`. */
export const EXPIRY = `
local DAY = 86400000
-- Under the server's clock a key ends by itself. A clock that is brought along may run otherwise: prune looks into due.
local function expire(key, till)
  redis.call('PEXPIRE', key, math.max(1, till - now))
  if brought then redis.call('ZADD', due, till, key) end
end
-- Lets a key end later, never earlier.
local function prolong(key, till)
  if redis.call('PTTL', key) < till - now then expire(key, till) end
end
`

/** Compiles a script: names its keys and arguments. */
export function createScript({ keys, args, body }: ScriptParts): Script {
  const named = keys.split(' ').map((name, index) => `local ${name} = KEYS[${index + 1}]\n`)
  // The first argument is always the moment that rules.
  const given = args.split(' ').map((name, index) => {
    const value = `ARGV[${index + 2}]`
    return name.startsWith('#')
      ? `local ${name.slice(1)} = tonumber(${value})\n`
      : `local ${name} = ${value}\n`
  })
  const text = [...named, ...(args === '' ? [] : given), PREAMBLE, body].join('')
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}

/** A way to run scripts: by name first; by text where the server does not know it, which teaches it. */
export function createRunner(send: Send): Runner {
  return async (script, { keys, args, now }) => {
    const moment = now === null ? '' : String(toRedisTime(now))
    const rest = [String(keys.length), ...keys, moment, ...args.map(toText)]
    const answer = await send(keys[0], ['EVALSHA', script.sha, ...rest]).catch((error: unknown) => {
      // A restart, SCRIPT FLUSH, or a node of the cluster that meets the script for the first time. Nothing has run.
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
      return send(keys[0], ['EVAL', script.text, ...rest])
    })
    if (!Array.isArray(answer)) throw new Error('Redis answered a script in an unexpected form')
    return answer
  }
}

function toText(value: Argument): string {
  if (value === null) return ''
  return typeof value === 'boolean' ? String(Number(value)) : String(value)
}

/** Seconds to whole milliseconds, rounded down as the server's clock is. The microsecond makes up for binary fractions. */
export function toRedisTime(seconds: number): number {
  return Math.floor(seconds * 1000 + 0.001)
}

/** Seconds to whole milliseconds, or null. */
export function toRedisTimeOrNull(seconds: number | null): number | null {
  return seconds === null ? null : toRedisTime(seconds)
}

/** What Redis says of a moment, in epoch seconds. Clients may be set up to answer texts or buffers instead of numbers. */
export function fromRedisTime(reply: unknown): number {
  return Number(String(reply)) / 1000
}
