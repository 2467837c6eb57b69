/** What sessions cost: one call of the store for a refresh, in as few statements as the store allows, and none for a protected request. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Store } from '../../src/session/store.ts'
import { createApplication } from './application.ts'
import type { Ground } from './ground.ts'
import { GROUNDS } from './grounds.ts'
import { report, size } from './size.ts'

/** Statements of a refresh that rotates, of one that keeps, and of one that is answered again. */
const STATEMENTS: Readonly<Record<string, readonly [number, number, number]>> = {
  memory: [0, 0, 0],
  sqlite: [4, 3, 3],
  postgres: [1, 1, 1],
  mysql: [2, 1, 1],
  redis: [1, 1, 1],
}

for (const { name, open, reason } of GROUNDS) {
  describe.skipIf(reason !== null)(reason === null ? name : `${name}: ${reason}`, () => {
    let ground: Ground
    let statements: string[] = []
    let calls: string[] = []
    beforeAll(async () => {
      ground = await open({ before: (text) => statements.push(text), after: () => undefined })
    })
    afterAll(() => ground?.close())

    const counted = (store: Store): Store =>
      // Not around the store itself: some are frozen.
      new Proxy({} as Store, {
        get(_, method: keyof Store) {
          const call = store[method]
          if (typeof call !== 'function') return call
          return (...args: unknown[]) => {
            calls.push(method)
            return Reflect.apply(call, store, args)
          }
        },
      })

    for (const clock of ['the store’s own', 'brought along'] as const) {
      it(`asks the store once for a refresh, with a clock that is ${clock}`, async () => {
        const app = createApplication(counted(ground.store), { ownClock: clock === 'brought along' })
        const { refresh_token } = await app.login()
        // The connection is there, and scripts are known to the server.
        await app.refresh((await app.login()).refresh_token)
        const taken: [readonly string[], number][] = []
        let token = refresh_token
        for (const step of ['rotated', 'kept', 'replayed']) {
          calls = []
          statements = []
          const { code, pair } = await app.refresh(step === 'replayed' ? refresh_token : token)
          expect(code).toBe('ok')
          token = pair?.refresh_token ?? ''
          taken.push([calls, statements.length])
        }
        expect(taken.map(([methods]) => methods)).toEqual([['rotate'], ['rotate'], ['rotate']])
        expect(taken.map(([, count]) => count)).toEqual(STATEMENTS[name])
        report(
          'refresh',
          name,
          `one call, statements when rotated, kept, replayed: ${STATEMENTS[name]?.join(', ')}`,
        )
      })
    }

    it('asks the store nothing for a protected request', async () => {
      const requests = size(2000, 50_000)
      const app = createApplication(counted(ground.store))
      const { access_token } = await app.login()
      await app.auth.ready()
      calls = []
      const headers = { Authorization: `Bearer ${access_token}` }
      const until = performance.now() + 900
      let done = 0
      for (; done < requests || performance.now() < until; done++) {
        await app.auth.authenticate(new Request('https://app.test/', { headers }))
        if (done % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      // The memory store is part of this process, and has a look-up of its own.
      const asked = calls.filter((method) => name !== 'memory' || method !== 'knows')
      expect(asked.filter((method) => method !== 'readLog')).toEqual([])
      expect(asked.length).toBeLessThanOrEqual(1 + ((performance.now() - until + 900) / 1000) * 3)
      report(
        'guard',
        name,
        `${done} requests, no call of the store but ${asked.length} reading(s) of the log`,
      )
    })
  })
}
