/**
 * What must hold of sessions over several processes on each store, with processes that are killed. `TOKENWRIGHT_PROVE=1` runs more
 * rounds; both print what they ran. The invariants are numbered as in the specification of sessions.
 */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readUnverified } from '../../src/token/jws.ts'
import type { Outcome } from './node/messages.ts'
import { type Node, PLACES, type Place, startNode } from './nodes.ts'

const PROVE = process.env['TOKENWRIGHT_PROVE'] === '1'
const ROUNDS = PROVE ? 100 : 3
const TRIALS = PROVE ? 1000 : 40
const NODES = 4
const PARALLEL = 200
const LIMIT = PROVE ? 3_600_000 : 60_000

const newSubject = (): string => `user-${randomBytes(6).toString('hex')}`
const toSid = (token: string): string => String(readUnverified(token)?.payload['sid'])
const quantile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))] ?? 0

describe.each(PLACES)('$kind', ({ kind, here, open }) => {
  let place: Place
  let nodes: Node[] = []
  const at = (index: number): Node => nodes[index % nodes.length] as Node

  beforeAll(async () => {
    if (!here) return
    place = await open()
    nodes = await Promise.all(Array.from({ length: NODES }, () => startNode({ store: place.spec })))
    await Promise.all(nodes.map((node) => node.ask('ready')))
  })
  afterAll(async () => {
    await Promise.all(nodes.map((node) => node.kill()))
    await place?.close()
  })

  /** Logs a new user in. */
  async function login(): Promise<Required<Outcome>> {
    const outcome = await at(0).ask('login', newSubject())
    expect(outcome.code).toBe('ok')
    return outcome as Required<Outcome>
  }

  it.runIf(here)(
    `S1, S2: ${PARALLEL} parallel refreshes over ${NODES} processes, ${ROUNDS} rounds: one successor, and every client goes on`,
    async () => {
      for (let round = 0; round < ROUNDS; round++) {
        const { refresh } = await login()
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
        expect((await at(round).ask('row', toSid(refresh)))?.gen).toBe(1)
        const next = await Promise.all(nodes.map((node) => node.ask('refresh', successor)))
        expect(next.map(({ code }) => code)).toEqual(Array(NODES).fill('ok'))
        expect((await at(0).ask('refresh', refresh)).code).toBe('ok')
      }
      console.log(`${kind}: S1, S2 held in ${ROUNDS} rounds of ${PARALLEL} refreshes by ${NODES} processes`)
    },
    LIMIT,
  )

  it.runIf(here)(
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
    },
    LIMIT,
  )

  it.runIf(here)(
    'S7, S10: a process that dies at any statement of a refresh locks nobody out and leaves one lineage',
    async () => {
      let deaths = 0
      for (const when of ['before', 'after'] as const) {
        for (let index = 0; index < 12; index++) {
          const { refresh } = await login()
          const doomed = await startNode({ store: place.spec })
          await doomed.ask('crashAt', 'statement', index, when)
          const died = await doomed.ask('refresh', refresh).then(
            () => false,
            () => true,
          )
          await doomed.kill()
          const answers = await Promise.all(nodes.map((node) => node.ask('refresh', refresh)))
          expect(answers.map(({ code }) => code)).toEqual(Array(NODES).fill('ok'))
          expect(new Set(answers.map((answer) => answer.refresh)).size).toBe(1)
          expect((await at(index).ask('row', toSid(refresh)))?.gen).toBe(1)
          if (!died) break
          deaths += 1
        }
      }
      expect(deaths).toBeGreaterThan(0)
      console.log(`${kind}: S7 held over ${deaths} deaths`)
    },
    LIMIT,
  )

  it.runIf(here)(
    `S13: other processes know of a revocation within a second, ${TRIALS} trials`,
    async () => {
      const delays: number[] = []
      for (let trial = 0; trial < TRIALS; trial += 10) {
        const batch = await Promise.all(
          Array.from({ length: 10 }, async () => {
            const { access } = await login()
            const watching = Promise.all([1, 2, 3].map((index) => at(index).ask('watch', access)))
            const endedAt = await at(0).ask('endTimed', toSid(access))
            return (await watching).map((seenAt) => Math.max(0, seenAt - endedAt))
          }),
        )
        delays.push(...batch.flat())
      }
      const worst = Math.max(...delays)
      const p99 = quantile(delays, 0.99)
      console.log(
        `${kind}: S13 staleness over ${NODES} processes, ${delays.length} observations: ` +
          `p50 ${quantile(delays, 0.5).toFixed(3)} s, p99 ${p99.toFixed(3)} s, max ${worst.toFixed(3)} s`,
      )
      expect(worst).toBeLessThan(1)
    },
    LIMIT,
  )

  it.runIf(here)(
    'S14: a process that starts cold never accepts what was revoked before',
    async () => {
      const revoked = await Promise.all(
        Array.from({ length: 5 }, async () => {
          const { access } = await login()
          expect(await at(1).ask('end', toSid(access))).toBe('ok')
          return access
        }),
      )
      const cold = await startNode({ store: place.spec, hammer: revoked })
      await new Promise((resolve) => setTimeout(resolve, 600))
      const { judged, passed } = await cold.ask('hammered')
      await cold.kill()
      expect(judged).toBeGreaterThan(20)
      expect(passed).toBe(0)
    },
    LIMIT,
  )

  // The processes that share a SQLite file share a machine, and so a clock.
  if (kind !== 'sqlite')
    it.runIf(here)(
      'S15: clocks that are two minutes wrong change no verdict about a refresh token',
      async () => {
        const wrong = await Promise.all([-120, 120].map((skew) => startNode({ store: place.spec, skew })))
        const { refresh } = await login()
        const first = await at(0).ask('refresh', refresh)
        for (const node of wrong) {
          // A node whose clock is behind cannot accept a token from its future: it says so, and nothing else happens.
          const { code } = await node.ask('refresh', refresh)
          expect(['ok', 'token_not_active']).toContain(code)
        }
        expect((await at(1).ask('refresh', first.refresh ?? '')).code).toBe('ok')
        expect((await at(2).ask('row', toSid(refresh)))?.revokedAt).toBeNull()
        await Promise.all(wrong.map((node) => node.kill()))
      },
      LIMIT,
    )

  it.runIf(here)(
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
    },
    LIMIT,
  )

  it.runIf(here)('nothing went uncaught in any process', async () => {
    for (const node of nodes) expect((await node.ask('seen')).uncaught).toEqual([])
  })
})
