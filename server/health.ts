/**
 * The state of the server for `GET /healthz`: whether it works, and the settings that a page may
 * show. It contains no address and no version (OWASP ASVS 13.4.6). Concurrent requests share one
 * check, and a check takes at most two seconds.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Auth, Store } from 'tokenwright'
import type { ServerConfig } from './config.ts'
import type { Users } from './users.ts'

/** The state of the server. */
export interface Health {
  readonly ok: boolean
  readonly body: Readonly<Record<string, unknown>>
}

/** What is checked. */
export interface HealthDependencies {
  readonly auth: Pick<Auth, 'state'>
  readonly users: Pick<Users, 'ready'>
  readonly store: Pick<Store, 'name' | 'now'>
  readonly config: Pick<ServerConfig, 'accessTtl' | 'freshnessWindow' | 'overlap'>
  /** Whether the page may offer the demo users. */
  readonly demo: boolean
}

/** How long a check may take, in milliseconds. */
const DEADLINE = 2000

/** Creates the check. */
export function createHealth(dependencies: HealthDependencies): () => Promise<Health> {
  let running: Promise<Health> | undefined
  return () => {
    running ??= check(dependencies).finally(() => {
      running = undefined
    })
    return running
  }
}

async function check({ auth, users, store, config, demo }: HealthDependencies): Promise<Health> {
  const [usersOk, storeOk] = await Promise.all([isTrueInTime(users.ready()), isTrueInTime(isReady(store))])
  const { caughtUp = false, age = Number.POSITIVE_INFINITY, entries = 0 } = auth.state() ?? {}
  const ok = usersOk && storeOk
  const body = {
    status: ok ? 'ok' : 'unavailable',
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

async function isReady(store: Pick<Store, 'now'>): Promise<boolean> {
  await store.now()
  return true
}

/** Whether a promise resolves with true before the deadline. */
async function isTrueInTime(promise: Promise<boolean>): Promise<boolean> {
  const over = new AbortController()
  const late = sleep(DEADLINE, false, { signal: over.signal, ref: false })
  try {
    return await Promise.race([promise, late])
  } catch {
    return false
  } finally {
    late.catch(() => undefined)
    over.abort()
  }
}
