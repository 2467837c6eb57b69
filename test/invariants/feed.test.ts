/**
 * S13 and S14 beyond what test/processes measures: entries that are committed out of order are not missed, and a process that has slept
 * does not go by what it knew. Several processes on every store that they can share.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Store } from '../../src/session/store.ts'
import type { Outcome } from '../processes/node/messages.ts'
import { type Node, startNode } from '../processes/nodes.ts'
import { describeGrounds, SHARED } from './grounds.ts'
import { startRelay } from './relay.ts'
import { PROVE, report, size, summarize } from './size.ts'

const toSid = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).sid

const LIMIT = PROVE ? 600_000 : 120_000

/** Reads the log over and over in small pages; once stopped, to its end. Answers the keys that it has seen. */
function startReader(store: Store): { stop(): Promise<ReadonlySet<string>> } {
  const seen = new Set<string>()
  let isDone = false
  const reading = (async () => {
    for (let cursor: string | null = null, last = false; !last; ) {
      last = isDone
      const page = await store.readLog(cursor, 7)
      for (const { key } of page.entries) seen.add(key)
      cursor = page.cursor
      last &&= !page.more
      // SQLite answers without ever giving way to anything else.
      await pause(1)
    }
    return seen
  })()
  reading.catch(() => undefined)
  return {
    stop() {
      isDone = true
      return reading
    },
  }
}

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
      const delays = 'port' in spec ? [0, 0.01, 0.04] : [0, 0, 0]
      const relays = 'port' in spec ? await Promise.all(delays.map(() => startRelay(spec.port))) : []
      const specs = delays.map((_, index) => ({
        ...spec,
        ...(relays[index] && { port: relays[index].port }),
      }))
      const nodes = await Promise.all([spec, ...specs].map((store) => startNode({ store })))
      const [follower, ...writers] = nodes as [Node, ...Node[]]
      // A reader of our own, as quick as it can be, which a cursor that runs ahead would betray.
      const reader = startReader(ground().store)
      try {
        await Promise.all(nodes.map((node) => node.ask('ready')))
        const staleness: number[] = []
        /** Ends a session; what was not acknowledged is ended again. */
        const end = async (writer: Node, sid: string): Promise<number> => {
          for (let tries = 0; tries < 10; tries++) {
            const endedAt = await writer.ask('endTimed', sid).catch(() => null)
            if (endedAt !== null) return endedAt
          }
          throw new Error('a session could not be ended')
        }
        const write = async (writer: Node, count: number): Promise<string[]> => {
          const ended: string[] = []
          for (let index = 0; index < count; index++) {
            const { access } = await login(writer)
            const watched = follower.ask('watch', access)
            watched.catch(() => undefined)
            const endedAt = await end(writer, toSid(access))
            staleness.push((await watched) - endedAt)
            ended.push(toSid(access))
          }
          return ended
        }
        for (const [index, relay] of relays.entries()) relay.delay(delays[index] ?? 0)
        const ended = await Promise.all(
          writers.flatMap((writer) => Array.from({ length: 4 }, () => write(writer, size(4, 25)))),
        )
        const seen = await reader.stop()
        expect(ended.flat().filter((sid) => !seen.has(sid))).toEqual([])
        expect(Math.max(...staleness)).toBeLessThan(1)
        report(
          'S13',
          name,
          `${ended.flat().length} endings by 3 writers at once: ${summarize(staleness)}, none missed`,
        )
      } finally {
        await reader.stop()
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
      sleeper.child.kill('SIGSTOP')
      expect(await other.ask('end', toSid(access))).toBe('ok')
      const verdict = sleeper.ask('judge', access, 'feed')
      await pause(seconds * 1000)
      sleeper.child.kill('SIGCONT')
      return await verdict
    } finally {
      await Promise.all([sleeper, other].map((node) => node.kill()))
    }
  }

  it(
    'S13, S14: a process that slept for longer than the bound goes by the store until it knows again',
    async () => {
      const sleeps = [1.1, 2.5, 5.2]
      expect(await Promise.all(sleeps.map(sleepThrough))).toEqual(sleeps.map(() => 'token_revoked'))
    },
    LIMIT,
  )
})
