/**
 * A database that ends its connections in the greeting, as one that shuts down does: its last
 * message comes in one packet with the first. No driver's event may end the application.
 */
import type { Attacker, Exchange } from './attacker.ts'
import { toLoginIntent } from './intents.ts'
import { toShort } from './outages.ts'
import { Unsupported } from './values.ts'

/** The sentences that this file checks. */
export const GREETING_SENTENCES = {
  alive: 'the process survives, and responds 503 or better',
} as const

/** `ReadyForQuery`: the end of the greeting. */
const READY = Buffer.from('Z\0\0\0\x05I', 'latin1')

/** `ErrorResponse`: the server shuts down (57P01). */
const FATAL = toErrorResponse({ S: 'FATAL', V: 'FATAL', C: '57P01', M: 'terminating connection' })

/** How many logins are tried at once. Each needs a connection. */
const LOGINS = 10

function toErrorResponse(fields: Readonly<Record<string, string>>): Buffer {
  const parts = Object.entries(fields).map(([code, text]) => `${code}${text}\0`)
  const body = Buffer.from(`${parts.join('')}\0`, 'latin1')
  const length = Buffer.alloc(4)
  length.writeUInt32BE(body.length + length.length)
  return Buffer.concat([Buffer.from('E'), length, body])
}

/** Ends each new connection in its greeting while clients log in. */
export async function endGreetings(attacker: Attacker): Promise<void> {
  const { proxy } = attacker.environment
  if (proxy === undefined) throw new Unsupported('a greeting without a proxy')
  proxy.interrupt({ after: READY, bytes: FATAL })
  const intent = toLoginIntent('bob')
  const exchanges = await Promise.all(Array.from({ length: LOGINS }, () => attacker.tryRequest(intent)))
  if (proxy.interrupted === 0) attacker.findings.set('control', 'no greeting was interrupted')
  for (const exchange of exchanges) record(exchange, [503, 200], attacker)
  attacker.notes.push(`${proxy.interrupted} greetings interrupted`)
}

/** Lets connections be, and logs in. */
export async function healGreetings(attacker: Attacker): Promise<void> {
  attacker.environment.proxy?.interrupt(undefined)
  record(await attacker.tryRequest(toLoginIntent('bob')), [200], attacker)
}

function record(exchange: Exchange, allowed: readonly number[], attacker: Attacker): void {
  const holds = allowed.includes(exchange.response.status)
  attacker.record(GREETING_SENTENCES.alive, holds, `a login gets ${toShort(exchange)}`)
}
