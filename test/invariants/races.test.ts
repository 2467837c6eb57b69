/** S1, S5 and S18 on every store within one process; test/processes does the same with several. */
import { expect, it } from 'vitest'
import { attempt, createApplication, newUser } from './application.ts'
import { describeGrounds, GROUNDS } from './grounds.ts'
import { PROVE, report, size } from './size.ts'

const PARALLEL = 200
const ROUNDS = size(3, 100)
const LIMIT = PROVE ? 600_000 : 120_000

const together = <T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => work(index)))

describeGrounds(GROUNDS, (ground, name) => {
  it(`S1: ${PARALLEL} parallel refreshes of one token: one successor, one live row, and every client goes on`, {
    timeout: LIMIT,
  }, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const app = createApplication(ground().store)
      const sub = newUser()
      const { refresh_token } = await app.login(sub)
      const answers = await together(PARALLEL, () => app.refresh(refresh_token))
      expect(answers.filter(({ code }) => code !== 'ok')).toEqual([])
      const successors = new Set(answers.map(({ pair }) => pair?.refresh_token ?? ''))
      expect(successors.size).toBe(1)
      const rows = await app.auth.sessions.list(sub)
      expect(rows.map(({ sid, gen }) => [sid, gen])).toEqual([[app.sidOf(refresh_token), 1]])
      expect(app.events).toMatchObject({ refreshed: 1, replayed: PARALLEL - 1 })
      app.move(61)
      const next = await together(4, () => app.refresh([...successors][0] ?? ''))
      expect(next.map(({ code }) => code)).toEqual(Array(4).fill('ok'))
    }
    report('S1', name, `${ROUNDS} rounds of ${PARALLEL} refreshes in one process`)
  })

  it('S5: a session that is ended amid refreshes leaves nothing live', { timeout: LIMIT }, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      // Two applications: one that ends the session, and one that has not heard of it.
      const [app, other] = [createApplication(ground().store), createApplication(ground().store)]
      const { refresh_token } = await app.login()
      const racing = together(20, (index) => (index % 2 ? app : other).refresh(refresh_token))
      await app.auth.sessions.end(app.sidOf(refresh_token))
      for (const { code, pair } of await racing) {
        if (pair === null) expect(code).toBe('session_revoked')
        else
          for (const each of [app, other]) expect(await each.judge(pair.access_token)).toBe('token_revoked')
        if (pair !== null) expect((await other.refresh(pair.refresh_token)).code).toBe('session_revoked')
      }
    }
  })

  it('S18: a login in flight while its subject is revoked is dead, or was started after', {
    timeout: LIMIT,
  }, async () => {
    for (let round = 0; round < ROUNDS * 3; round++) {
      const app = createApplication(ground().store)
      const sub = newUser()
      const provedAt = app.now()
      app.move(1)
      const logins = together(4, () => attempt(() => app.auth.sessions.start(sub, { provedAt })))
      await app.auth.revokeSubject(sub)
      for (const { code, pair } of await logins) {
        if (pair === null) expect(code).toBe('session_revoked')
        else expect((await app.refresh(pair.refresh_token)).code).toBe('session_revoked')
      }
      expect((await attempt(() => app.auth.sessions.start(sub, { provedAt }))).code).toBe('session_revoked')
      app.move(1)
      expect((await attempt(() => app.auth.sessions.start(sub))).code).toBe('ok')
    }
  })
})
