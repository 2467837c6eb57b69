/**
 * S13 and S14 beyond what test/processes measures: entries that are committed out of order are not missed, and a process that has slept
 * does not go by what it knew. Several processes on every store that they can share.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Outcome } from '../processes/node/messages.ts'
import { type Node, startNode } from '../processes/nodes.ts'
import { describeGrounds, SHARED } from './grounds.ts'
import { startRelay } from './relay.ts'
import { PROVE, report, size, summarize } from './size.ts'

const toSid = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).sid

const LIMIT = PROVE ? 600_000 : 30_000

describeGrounds(SHARED, (ground, name) => {
  const login = async (node: Node): Promise<Required<Outcome>> => {
    const outcome = await node.ask('login', `user-${Math.random()}`)
    expect(outcome.code).toBe('ok')
    return outcome as Required<Outcome>
  }

  it(
    'S13: entries that are committed out of order are not missed',
    async () => {
      const { spec } = ground()
      // Writers at different distances: statements of one transaction arrive far apart, and transactions overlap.
      const delays = 'port' in spec ? [0, 0.02, 0.09] : [0, 0, 0]
      const relays = 'port' in spec ? await Promise.all(delays.map(() => startRelay(spec.port))) : []
      const specs = delays.map((_, index) => ({
        ...spec,
        ...(relays[index] && { port: relays[index].port }),
      }))
      const nodes = await Promise.all([spec, ...specs].map((store) => startNode({ store })))
      const [follower, ...writers] = nodes as [Node, ...Node[]]
      try {
        await Promise.all(nodes.map((node) => node.ask('ready')))
        const each = size(15, 100)
        const staleness: number[] = []
        const seen = new Set<string>()
        let isDone = false
        // A reader of our own, as quick as it can be, which a cursor that runs ahead would betray.
        const reading = (async () => {
          for (let cursor: string | null = null, last = false; !last; ) {
            last = isDone
            const page = await ground().store.readLog(cursor, 7)
            for (const { key } of page.entries) seen.add(key)
            cursor = page.cursor
            last &&= !page.more
          }
        })()
        const ended = await Promise.all(
          writers.map(async (writer, index) => {
            const sessions = await Promise.all(Array.from({ length: each }, () => login(writer)))
            relays[index]?.delay(delays[index] ?? 0)
            return Promise.all(
              sessions.map(async ({ access }) => {
                const watched = follower.ask('watch', access)
                const endedAt = await writer.ask('endTimed', toSid(access))
                staleness.push((await watched) - endedAt)
                return toSid(access)
              }),
            )
          }),
        )
        isDone = true
        await reading
        const missed = ended.flat().filter((sid) => !seen.has(sid))
        expect(missed).toEqual([])
        expect(Math.max(...staleness)).toBeLessThan(1)
        report(
          'S13',
          name,
          `${ended.flat().length} endings by 3 writers at once: ${summarize(staleness)}, none missed`,
        )
      } finally {
        await Promise.all(nodes.map((node) => node.kill()))
        await Promise.all(relays.map((relay) => relay.close()))
      }
    },
    LIMIT,
  )

  /** A process sleeps while a session is ended elsewhere. What does the first request say that it meets when it wakes? */
  async function sleepThrough(seconds: number): Promise<string> {
    const [sleeper, other] = (await Promise.all([1, 2].map(() => startNode({ store: ground().spec })))) as [
      Node,
      Node,
    ]
    try {
      await sleeper.ask('ready')
      const { access } = await login(other)
      expect(await sleeper.ask('judge', access, 'feed')).toBe('ok')
      process.kill(sleeper.child.pid ?? 0, 'SIGSTOP')
      expect(await other.ask('end', toSid(access))).toBe('ok')
      const verdict = sleeper.ask('judge', access, 'feed')
      await pause(seconds * 1000)
      process.kill(sleeper.child.pid ?? 0, 'SIGCONT')
      return await verdict
    } finally {
      await Promise.all([sleeper, other].map((node) => node.kill()))
    }
  }

  it(
    'S14: a process that slept for long goes by the store until it knows again',
    async () => {
      expect(await sleepThrough(5.2)).toBe('token_revoked')
    },
    LIMIT,
  )

  it(
    'S13: a process that slept for longer than the bound does not go by what it knew',
    async () => {
      expect(await sleepThrough(2.5)).toBe('token_revoked')
    },
    LIMIT,
  )
})
