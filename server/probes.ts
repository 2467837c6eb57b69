/**
 * What orchestrators and load balancers ask. `/livez` says that the process runs, and looks at
 * nothing else: a store that is down is no reason to start the process again. `/readyz` says
 * whether it should get requests now, and why not.
 */
import { Hono } from 'hono'
import { HTTP_ERRORS } from './error-responses.ts'
import type { Health } from './health.ts'

/** Where a process is in its life. */
export type Stage = 'starting' | 'running' | 'stopping'

/** What `/readyz` goes by. */
export interface ReadinessDependencies {
  readonly stage: () => Stage
  /** Asked while the process runs. */
  readonly health: () => Promise<Health>
}

const NO_STORE = { 'Cache-Control': 'no-store' }

/** Adds both routes. */
export function addProbes(app: Hono, { stage, health }: ReadinessDependencies): void {
  app.get('/livez', (context) => context.json({ status: 'ok' }, 200, NO_STORE))
  app.get('/readyz', async (context) => {
    const now = stage()
    if (now !== 'running') return context.json({ status: now, problems: [] }, 503, NO_STORE)
    const { ok, problems } = await health()
    return context.json({ status: ok ? 'ok' : 'unavailable', problems }, ok ? 200 : 503, NO_STORE)
  })
}

/** What responds until the databases are open: both routes, and 503 to everything else. */
export function createStartingApp(): Hono {
  const app = new Hono()
  addProbes(app, { stage: () => 'starting', health: () => Promise.reject(new Error('not started')) })
  app.all('*', (context) => context.json(HTTP_ERRORS[503], 503, { ...NO_STORE, 'Retry-After': '1' }))
  return app
}
