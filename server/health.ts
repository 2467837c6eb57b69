/**
 * The state of the server: what the library finds of the sessions, the feed and the keys, and
 * whether the users can be read. `/healthz` adds the settings that the page shows. It contains no
 * address and no version (OWASP ASVS 13.4.6). Concurrent requests share one check, and a check
 * takes at most two seconds.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Auth, HealthProblem } from 'tokenwright'
import type { ServerConfig } from './config.ts'
import type { Users } from './users.ts'

/** What is wrong with the server, as probes show it. */
export interface Problem extends Pick<HealthProblem, 'severity' | 'code' | 'reason'> {
  readonly part: HealthProblem['part'] | 'users'
}

/** The state of the server. */
export interface Health {
  readonly ok: boolean
  readonly problems: readonly Problem[]
  /** For `/healthz`. */
  readonly body: Readonly<Record<string, unknown>>
}

/** What is checked. */
export interface HealthDependencies {
  readonly auth: Pick<Auth, 'health'>
  readonly users: Pick<Users, 'ready'>
  readonly config: Pick<ServerConfig, 'accessTtl' | 'freshnessWindow' | 'overlap'>
  /** Whether the page may offer the demo users. */
  readonly demo: boolean
}

/** How long the users may take, in milliseconds. */
const DEADLINE = 2000

const USERS_DOWN: Problem = {
  part: 'users',
  severity: 'error',
  code: 'unavailable',
  reason: 'the database of the users does not respond',
}

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

async function check({ auth, users, config, demo }: HealthDependencies): Promise<Health> {
  const [usersOk, health] = await Promise.all([isTrueInTime(users.ready()), auth.health()])
  const ok = usersOk && health.ok
  const problems = [...(usersOk ? [] : [USERS_DOWN]), ...health.problems.map(toProblem)]
  const { caughtUp = false, age = Number.POSITIVE_INFINITY, entries = 0 } = health.feed ?? {}
  const body = {
    status: ok ? 'ok' : 'unavailable',
    problems,
    access: config.accessTtl,
    freshness: config.freshnessWindow,
    overlap: config.overlap,
    demo,
    users: usersOk ? 'ok' : 'unavailable',
    store: {
      kind: health.store?.name,
      ok: health.store?.ok === true,
      caughtUp,
      age: Number.isFinite(age) ? Math.round(age * 1000) / 1000 : null,
      entries,
    },
  }
  return { ok, problems, body }
}

/** Without the advice, which is the operator's: it is in the audit log. */
function toProblem({ part, severity, code, reason }: HealthProblem): Problem {
  return { part, severity, code, reason }
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
