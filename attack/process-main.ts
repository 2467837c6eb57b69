/**
 * The program of one process of the application under attack, on a store that several processes
 * share. Its parent process sends the settings, and the point at which it must kill itself. On
 * SIGTERM it shuts down: it takes no more requests, finishes those that run, closes its
 * connections, and ends because nothing is left to do.
 */
import type { Store } from 'tokenwright'
import { connectStore } from './connections.ts'
import { adoptSecret } from './keys.ts'
import type { Address } from './servers.ts'
import { createTarget } from './target.ts'

/** The settings of a process. */
export interface ProcessSettings {
  readonly address: Address
  readonly namespace: string
  /** The secret that all processes share, in base64url. */
  readonly secret: string
  readonly adapter: string
}

/**
 * Where a process kills itself: at a statement of a rotation, around the store's `rotate`, or
 * around the response.
 */
export interface CrashPoint {
  readonly at: 'statement' | 'rotate' | 'response'
  readonly when: 'before' | 'after'
  /** The number of the statement in the rotation, from 1. */
  readonly nth?: number
  /** A word that the statement starts with. */
  readonly word?: string
}

/** A message to a process. */
export type Order =
  | { readonly kind: 'start'; readonly settings: ProcessSettings }
  | { readonly kind: 'crash'; readonly point: CrashPoint }

/** A message from a process. */
export type Report = { readonly kind: 'listening'; readonly port: number } | { readonly kind: 'armed' }

let point: CrashPoint | undefined
let rotating = false
let statements = 0

function report(message: Report): void {
  process.send?.(message)
}

/** Kills this process if this is the crash point. */
function reach(at: CrashPoint['at'], when: CrashPoint['when'], sql = ''): void {
  if (point?.at !== at || point.when !== when) return
  if (point.nth !== undefined && point.nth !== statements) return
  if (
    point.word !== undefined &&
    !sql
      .replace(/\/\*.*?\*\//g, '')
      .trim()
      .startsWith(point.word)
  )
    return
  process.kill(process.pid, 'SIGKILL')
}

function onStatement(sql: string, when: 'before' | 'after'): void {
  if (!rotating) return
  if (when === 'before') statements += 1
  reach('statement', when, sql)
}

/** The same store, with crash points around `rotate`. */
function watch(store: Store): Store {
  return {
    ...store,
    async rotate(call) {
      rotating = true
      statements = 0
      reach('rotate', 'before')
      const result = await store.rotate(call)
      reach('rotate', 'after')
      rotating = false
      return result
    },
  }
}

async function start({ address, namespace, secret, adapter }: ProcessSettings): Promise<void> {
  adoptSecret(Buffer.from(secret, 'base64url'))
  const connection = await connectStore(address, { namespace, onStatement })
  const store = watch(connection.store)
  const onResponse = (when: 'before' | 'after') => reach('response', when)
  const target = await createTarget({ adapter, store, systemClock: true, onResponse })
  // Many clients log in from one address, and a killed process never lowers its counts.
  target.unlimit()
  await target.auth.ready()
  process.once('SIGTERM', async () => {
    process.off('disconnect', endAlone)
    await target.drain()
    await connection.close()
    process.disconnect()
  })
  report({ kind: 'listening', port: target.port })
}

/** Ends the process because its parent has ended. */
function endAlone(): void {
  process.exit(1)
}

process.once('disconnect', endAlone)
process.on('message', (order: Order) => {
  if (order.kind === 'start') void start(order.settings)
  else {
    point = order.point
    report({ kind: 'armed' })
  }
})
