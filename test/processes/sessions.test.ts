/**
 * What must hold of sessions over several processes on each store, with processes that are killed. `TOKENWRIGHT_PROVE=1` runs more
 * rounds; both print what they ran. The invariants are numbered as in the specification of sessions.
 */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { readUnverified } from '../../src/token/jws.ts'
import { describeGrounds, SHARED } from '../invariants/grounds.ts'
import { PROVE, report, size } from '../invariants/size.ts'
import type { Outcome } from './node/messages.ts'
import { type Node, startNode } from './nodes.ts'

const ROUNDS = size(3, 100)
const NODES = 4
const PARALLEL = 200
const LIMIT = PROVE ? 3_600_000 : 120_000

const newSubject = (): string => `user-${randomBytes(6).toString('hex')}`
const toSid = (token: string): string => String(readUnverified(token)?.payload['sid'])

describeGrounds(SHARED, (ground, kind) => {
  let nodes: Node[] = []
  const at = (index: number): Node => nodes[index % nodes.length] as Node

  beforeAll(async () => {
    nodes = await Promise.all(Array.from({ length: NODES }, () => startNode({ store: ground().spec })))
    await Promise.all(nodes.map((node) => node.ask('ready')))
  })
  afterAll(async () => {
    await Promise.all(nodes.map((node) => node.kill()))
  })

  /** Logs a new user in. */
  async function login(sub = newSubject()): Promise<Required<Outcome>> {
    const outcome = await at(0).ask('login', sub)
    expect(outcome.code).toBe('ok')
    return outcome as Required<Outcome>
  }

  it(
    `S1, S2: ${PARALLEL} parallel refreshes over ${NODES} processes, ${ROUNDS} rounds: one successor, and every client goes on`,
    async () => {
      for (let round = 0; round < ROUNDS; round++) {
        const sub = newSubject()
        const { refresh } = await login(sub)
        const answers = (
          await Promise.all(
            nodes.map((node) => node.ask('race', refresh, PARALLEL / NODES, round % 2 ? 'http' : 'api')),
          )
        ).flat()
        const refused = answers.filter(({ code }) => code !== 'ok')
        expect(refused).toEqual([])
        const successors = new Set(answers.map((answer) => answer.refresh))
        expect(successors.size).toBe(1)
        const [successor = ''] = successors as Set<string>
        const rows = await at(round).ask('list', sub)
        expect(rows.map(({ sid, gen }) => [sid, gen])).toEqual([[toSid(refresh), 1]])
        const next = await Promise.all(nodes.map((node) => node.ask('refresh', successor)))
        expect(next.map(({ code }) => code)).toEqual(Array(NODES).fill('ok'))
        expect((await at(0).ask('refresh', refresh)).code).toBe('ok')
      }
      report('S1, S2', kind, `${ROUNDS} rounds of ${PARALLEL} refreshes by ${NODES} processes`)
    },
    LIMIT,
  )

  it(
    'S5: a session that is ended while it is refreshed leaves nothing live',
    async () => {
      for (let round = 0; round < ROUNDS; round++) {
        const { refresh } = await login()
        const race = Promise.all(nodes.map((node) => node.ask('race', refresh, 5, 'api')))
        expect(await at(round).ask('end', toSid(refresh))).toBe('ok')
        const answers = (await race).flat()
        const given = answers.filter(({ code }) => code === 'ok')
        for (const { refresh: token = '', access = '' } of given) {
          expect((await at(round + 1).ask('refresh', token)).code).toBe('session_revoked')
          expect(await at(round + 2).ask('judge', access, 'strict')).toBe('token_revoked')
        }
      }
      report('S5', kind, `${ROUNDS} endings in the middle of 20 refreshes, nothing left live`)
    },
    LIMIT,
  )

  it(
    'S7, S10: a process that dies at any await of a refresh locks no user out and leaves one lineage',
    async () => {
      const deaths: Record<string, number> = {}
      for (const what of ['statement', 'call'] as const)
        for (const when of ['before', 'after'] as const) {
          for (let index = 0; index < 12; index++) {
            const sub = newSubject()
            const { refresh } = await login(sub)
            const doomed = await startNode({ store: ground().spec })
            await doomed.ask('crashAt', what, index, when)
            const died = await doomed.ask('refresh', refresh).then(
              () => false,
              () => true,
            )
            await doomed.kill()
            const answers = await Promise.all(nodes.map((node) => node.ask('refresh', refresh)))
            expect(answers.map(({ code }) => code)).toEqual(Array(NODES).fill('ok'))
            expect(new Set(answers.map((answer) => answer.refresh)).size).toBe(1)
            const rows = await at(index).ask('list', sub)
            expect(rows.map(({ sid, gen }) => [sid, gen])).toEqual([[toSid(refresh), 1]])
            if (!died) break
            deaths[`${when} a ${what}`] = index + 1
          }
        }
      expect(Object.keys(deaths)).toHaveLength(4)
      report('S7', kind, `deaths: ${JSON.stringify(deaths)}`)
    },
    LIMIT,
  )

  it(
    'S14: a process that starts cold never accepts what was revoked before',
    async () => {
      const revoked = await Promise.all(
        Array.from({ length: 5 }, async () => {
          const { access } = await login()
          expect(await at(1).ask('end', toSid(access))).toBe('ok')
          return access
        }),
      )
      const cold = await startNode({ store: ground().spec, hammer: revoked })
      try {
        // Some before it has caught up, and some after.
        expect(await cold.ask('ready')).toBe('ok')
        const { judged } = await cold.ask('hammered')
        await vi.waitUntil(async () => (await cold.ask('hammered')).judged > judged + 50, { timeout: 15_000 })
        expect((await cold.ask('hammered')).passed).toBe(0)
      } finally {
        await cold.kill()
      }
    },
    LIMIT,
  )

  // The processes that share a SQLite file share a machine, and so a clock.
  if (kind !== 'sqlite')
    it(
      'S15: clocks that are two minutes wrong change no verdict about a refresh token',
      async () => {
        const wrong = await Promise.all([-120, 120].map((skew) => startNode({ store: ground().spec, skew })))
        try {
          const { refresh } = await login()
          const first = await at(0).ask('refresh', refresh)
          for (const node of wrong) {
            const again = await node.ask('refresh', refresh)
            expect([again.code, again.refresh]).toEqual(['ok', first.refresh])
          }
          expect((await at(1).ask('refresh', first.refresh ?? '')).code).toBe('ok')
          expect((await at(2).ask('row', toSid(refresh)))?.revokedAt).toBeNull()
        } finally {
          await Promise.all(wrong.map((node) => node.kill()))
        }
      },
      LIMIT,
    )

  it(
    'S18: a login in flight while its subject is revoked is dead, or was started after',
    async () => {
      for (let round = 0; round < ROUNDS * 3; round++) {
        const sub = newSubject()
        const logins = Promise.all(nodes.map((node) => node.ask('login', sub, 1)))
        expect(await at(round).ask('revokeSubject', sub)).toBe('ok')
        for (const { code, refresh = '' } of await logins) {
          if (code !== 'ok') expect(code).toBe('session_revoked')
          else expect((await at(round).ask('refresh', refresh)).code).toBe('session_revoked')
        }
      }
      report('S18', kind, `${ROUNDS * 3} revocations of a subject amid ${NODES} logins`)
    },
    LIMIT,
  )

  it('nothing went uncaught in any process', async () => {
    for (const node of nodes) expect((await node.ask('seen')).uncaught).toEqual([])
  })
})
