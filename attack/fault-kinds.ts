/** The kinds of faults that a case can name: one table of what their action must say. */
import { isObject, type JsonObject } from './cases.ts'
import { DISTURBANCES } from './disturbance.ts'
import { Unsupported } from './values.ts'

/** What a fault breaks, and how. */
export type FaultKind = 'cuts' | 'greeting' | 'feed' | 'shutdown' | 'transaction' | 'snapshot' | 'outage'

/** The members of each kind's action, all required, with their values. */
const KINDS: readonly (readonly [FaultKind, Readonly<Record<string, readonly string[]>>])[] = [
  ['cuts', { proxy: ['cut_sweep'], store: ['postgres', 'mysql', 'redis'] }],
  ['greeting', { proxy: ['fatal_greeting'], store: ['postgres'] }],
  ['feed', { inject: DISTURBANCES }],
  ['shutdown', { signal: ['SIGTERM'], target: ['app'] }],
  ['transaction', { signal: ['SIGKILL'], store: ['sqlite'] }],
  ['snapshot', { signal: ['SIGKILL'], store: ['redis'], config: ['default'] }],
  ['outage', { signal: ['SIGSTOP', 'SIGKILL'], store: ['redis', 'postgres', 'mysql'] }],
]

/**
 * The kind of fault that the body of a `fault` step begins, and its action.
 *
 * @throws {Unsupported} if it is not in the table
 */
export function toFault(body: JsonObject): { readonly kind: FaultKind; readonly action: JsonObject } {
  const { target, action } = body
  const found = target === 'store' && isObject(action) ? findKind(action) : undefined
  if (found === undefined || !isObject(action)) throw new Unsupported(`unknown fault ${JSON.stringify(body)}`)
  return { kind: found, action }
}

function findKind(action: JsonObject): FaultKind | undefined {
  const found = KINDS.find(
    ([, members]) =>
      Object.keys(action).every((name) => Object.hasOwn(members, name)) &&
      Object.entries(members).every(([name, values]) => values.some((value) => value === action[name])),
  )
  return found?.[0]
}
