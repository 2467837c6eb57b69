/**
 * The state of the server for `GET /healthz`: whether it can work, and the settings that a page may
 * show. Names no address. Requests that ask at the same time share one look, and no look takes
 * longer than two seconds.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Auth, Store } from 'tokenwright'
import type { ServerConfig } from './config.ts'
import { VERSION } from './root.ts'
import type { Users } from './users.ts'

/** What the server says of itself. */
export interface Health {
  readonly ok: boolean
  readonly body: Readonly<Record<string, unknown>>
}

/** What is looked at. */
export interface HealthParts {
  readonly auth: Pick<Auth, 'state'>
  readonly users: Pick<Users, 'ready'>
  readonly store: Pick<Store, 'name' | 'now'>
  readonly config: Pick<ServerConfig, 'accessTtl' | 'freshnessWindow' | 'overlap'>
  /** Whether visitors may be offered the demo users. */
  readonly demo: boolean
}

/** How long a look may take, in milliseconds. */
const DEADLINE = 2000

/** Prepares the look. */
export function createHealth(parts: HealthParts): () => Promise<Health> {
  let running: Promise<Health> | undefined
  return () => {
    running ??= look(parts).finally(() => {
      running = undefined
    })
    return running
  }
}

async function look({ auth, users, store, config, demo }: HealthParts): Promise<Health> {
  const [usersOk, storeOk] = await Promise.all([answers(users.ready()), answers(toReady(store))])
  const { caughtUp = false, age = Number.POSITIVE_INFINITY, entries = 0 } = auth.state() ?? {}
  const ok = usersOk && storeOk
  const body = {
    status: ok ? 'ok' : 'unavailable',
    version: VERSION,
    access: config.accessTtl,
    freshness: config.freshnessWindow,
    overlap: config.overlap,
    demo,
    users: usersOk ? 'ok' : 'unavailable',
    store: {
      kind: store.name,
      ok: storeOk,
      caughtUp,
      age: Number.isFinite(age) ? Math.round(age * 1000) / 1000 : null,
      entries,
    },
  }
  return { ok, body }
}

async function toReady(store: Pick<Store, 'now'>): Promise<boolean> {
  await store.now()
  return true
}

/** Whether something says yes in time. */
async function answers(question: Promise<boolean>): Promise<boolean> {
  const over = new AbortController()
  const late = sleep(DEADLINE, false, { signal: over.signal, ref: false })
  try {
    return await Promise.race([question, late])
  } catch {
    return false
  } finally {
    late.catch(() => undefined)
    over.abort()
  }
}
