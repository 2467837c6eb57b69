/**
 * One process of an application that runs as several: the application under attack on a store that
 * it shares. It takes its settings from the process that started it, dies where it is told to, and
 * on SIGTERM stops as a good server does: it takes no more requests, finishes those that run,
 * closes what it opened, and ends because nothing is left to do.
 */
import type { Store } from 'tokenwright'
import { connectStore } from './connections.ts'
import { adoptSecret } from './keys.ts'
import type { Address } from './servers.ts'
import { createTarget } from './target.ts'

/** What a process of the application is told at its start. */
export interface ProcessSettings {
  readonly address: Address
  readonly namespace: string
  /** The secret that all of them share, in base64url. */
  readonly secret: string
  readonly adapter: string
}

/**
 * Where a process kills itself: at a statement of a rotation, around the call of the store, or
 * around the answer.
 */
export interface CrashPoint {
  readonly at: 'statement' | 'rotate' | 'response'
  readonly when: 'before' | 'after'
  /** Which statement of the rotation, from 1. */
  readonly nth?: number
  /** A word that the statement begins with. */
  readonly word?: string
}

/** What a process is told. */
export type Order =
  | { readonly kind: 'start'; readonly settings: ProcessSettings }
  | { readonly kind: 'crash'; readonly point: CrashPoint }

/** What it says. */
export type Report = { readonly kind: 'listening'; readonly port: number } | { readonly kind: 'armed' }

let point: CrashPoint | undefined
let rotating = false
let statements = 0

function report(message: Report): void {
  process.send?.(message)
}

/** Dies when this is the moment. Nothing of this process runs after it. */
function pass(at: CrashPoint['at'], when: CrashPoint['when'], sql = ''): void {
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
  pass('statement', when, sql)
}

/** The same store, which can be a place to die at. */
function watch(store: Store): Store {
  return {
    ...store,
    async rotate(call) {
      rotating = true
      statements = 0
      pass('rotate', 'before')
      const result = await store.rotate(call)
      pass('rotate', 'after')
      rotating = false
      return result
    },
  }
}

async function start({ address, namespace, secret, adapter }: ProcessSettings): Promise<void> {
  adoptSecret(Buffer.from(secret, 'base64url'))
  const connection = await connectStore(address, { namespace, onStatement })
  const store = watch(connection.store)
  const onResponse = (when: 'before' | 'after') => pass('response', when)
  const target = await createTarget({ adapter, store, systemClock: true, onResponse })
  // Many clients of one address sign in, and a process that dies gives no count back.
  target.unlimit()
  await target.auth.ready()
  process.once('SIGTERM', async () => {
    process.off('disconnect', dieAlone)
    await target.drain()
    await connection.close()
    process.disconnect()
  })
  report({ kind: 'listening', port: target.port })
}

/** Whoever started it is gone. */
function dieAlone(): void {
  process.exit(1)
}

process.once('disconnect', dieAlone)
process.on('message', (order: Order) => {
  if (order.kind === 'start') void start(order.settings)
  else {
    point = order.point
    report({ kind: 'armed' })
  }
})
