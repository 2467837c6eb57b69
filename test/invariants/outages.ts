/**
 * S11 on a real server: frozen, killed and slow. What asks the store is answered by 503 in time, what does not goes on, all is well again
 * soon, and nothing goes uncaught. One test file for each server, so that they run side by side.
 */
import { request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { watchDelays } from '../processes/node/delays.ts'
import type { Outcome } from '../processes/node/messages.ts'
import { type Node, startNode } from '../processes/nodes.ts'
import { type Relay, startRelay } from './relay.ts'
import { HAS_OWN, type OwnServer, startOwn } from './servers.ts'
import { report } from './size.ts'

/** Our own deadline, and what a busy machine may add to it; seconds. */
const IN_TIME = 2.25
/** What does not ask the store does not wait for it; seconds. */
const AT_ONCE = 1
const HEALED_IN = 5
const MAX_STALE = 3

/** An answer, and after how many seconds it came. */
interface Timed {
  readonly status: number
  readonly seconds: number
  readonly cookies: readonly string[]
}

const TIMEOUT = 60_000

/** Describes what must hold while a server of some kind is out. */
export function describeOutages(kind: 'redis' | 'postgres' | 'mysql'): void {
  describe.skipIf(!HAS_OWN[kind])(`${kind}${HAS_OWN[kind] ? '' : ': NO SERVER, NOT TESTED'}`, () => {
    let server: OwnServer
    let relay: Relay
    let node: Node
    let tokens: Required<Outcome>
    // A logout that is answered by 503 may be carried out all the same: another session's.
    let other: Required<Outcome>

    /** Asks over a connection of its own: `fetch` may let a request wait behind one that the store holds up. */
    function ask(path: string, token = tokens.access, method = 'GET'): Promise<Timed> {
      const sentAt = performance.now()
      const headers = { Authorization: `Bearer ${token}` }
      return new Promise((resolve, reject) => {
        const sent = request(`${node.url}${path}`, { method, headers, agent: false }, (response) => {
          const { statusCode: status = 0, headers } = response
          response.resume().once('end', () => {
            const seconds = (performance.now() - sentAt) / 1000
            resolve({ status, seconds, cookies: headers['set-cookie'] ?? [] })
          })
        })
        sent.once('error', reject).end()
      })
    }
    const heldUpHere = watchDelays()
    /** By how much this process and the node were held up since they were asked last: once on the way there and once back, at most. */
    const heldUp = async (): Promise<number> => 2 * (heldUpHere() + (await node.ask('heldUp')))

    const refresh = (): Promise<Timed> => ask('/auth/refresh', tokens.refresh, 'POST')

    async function login(): Promise<void> {
      tokens = (await node.ask('login', `user-${performance.now()}`)) as Required<Outcome>
      other = (await node.ask('login', `other-${performance.now()}`)) as Required<Outcome>
      expect([tokens.code, other.code]).toEqual(['ok', 'ok'])
    }

    /** What needs the store is refused in time; answers how long the slowest took. */
    async function expectRefused(): Promise<number> {
      await heldUp()
      const answers = await Promise.all([
        ...Array.from({ length: 4 }, () => refresh()),
        ...Array.from({ length: 4 }, () => ask('/strict')),
        ask('/fresh'),
        ask('/auth/sessions'),
        ask('/auth/logout', other.access, 'POST'),
        ask('/auth/logout', other.refresh, 'POST'),
      ])
      // The list of sessions is behind the feed's guard, and its answer is not.
      expect(answers.map(({ status }) => status)).toEqual(Array(answers.length).fill(503))
      expect(answers.flatMap(({ cookies }) => cookies)).toEqual([])
      const slowest = Math.max(...answers.map(({ seconds }) => seconds))
      expect(slowest).toBeLessThan(IN_TIME + (await heldUp()))
      return slowest
    }

    /** Everything works again within the time, without a restart; answers when. */
    async function expectHealed(): Promise<number> {
      const since = performance.now()
      const elapsed = (): number => (performance.now() - since) / 1000
      const works = async (): Promise<boolean> => {
        const answers = await Promise.all([refresh(), ask('/strict'), ask('/feed')])
        for (const { status } of answers) expect([200, 204, 503]).toContain(status)
        return answers.every(({ status }) => status < 300)
      }
      while (!(await works())) {
        expect(elapsed()).toBeLessThan(HEALED_IN)
        await pause(50)
      }
      const healed = elapsed()
      expect(healed).toBeLessThan(HEALED_IN)
      return healed
    }

    beforeAll(async () => {
      server = await startOwn(kind)
      relay = await startRelay(server.port)
      node = await startNode({ store: server.toSpec(relay.port), maxStale: MAX_STALE })
      expect(await node.ask('ready')).toBe('ok')
    }, TIMEOUT)
    afterAll(async () => {
      await node?.kill()
      await relay?.close()
      await server?.close()
    })

    it(
      'S11: a server that hangs',
      async () => {
        await login()
        expect((await ask('/feed')).status).toBe(204)
        let slowest: number
        server.freeze()
        try {
          const frozenAt = performance.now()
          const [first, feed, off] = await Promise.all([expectRefused(), ask('/feed'), ask('/off')])
          slowest = first
          for (const { status, seconds } of [feed, off]) {
            expect(status).toBe(204)
            expect(seconds).toBeLessThan(AT_ONCE)
          }
          await pause(MAX_STALE * 1000 + 600 - (performance.now() - frozenAt))
          const [stale, still] = await Promise.all([ask('/feed'), ask('/off')])
          expect([stale.status, still.status]).toEqual([503, 204])
          expect(stale.seconds).toBeLessThan(AT_ONCE)
        } finally {
          server.thaw()
        }
        const healed = await expectHealed()
        expect((await node.ask('row', toSid(tokens.access)))?.gen).toBe(1)
        report('S11', kind, `hangs: 503 in ${slowest.toFixed(2)} s, healed in ${healed.toFixed(2)} s`)
      },
      TIMEOUT,
    )

    it(
      'S11: a server that is killed and comes back',
      async () => {
        await login()
        await refresh()
        await server.kill()
        let slowest: number
        try {
          const [first, feed] = await Promise.all([expectRefused(), ask('/feed')])
          slowest = first
          expect(feed.status).toBe(204)
        } finally {
          await server.restart()
        }
        const healed = await expectHealed()
        expect((await node.ask('row', toSid(tokens.access)))?.gen).toBe(1)
        report('S11', kind, `killed: 503 in ${slowest.toFixed(2)} s, healed in ${healed.toFixed(2)} s`)
      },
      TIMEOUT,
    )

    it(
      'S11: a server that is slow',
      async () => {
        await login()
        relay.delay(5)
        let slowest: number
        try {
          const [first, feed] = await Promise.all([expectRefused(), ask('/feed')])
          slowest = first
          expect(feed.status).toBe(204)
        } finally {
          relay.delay(0)
        }
        const healed = await expectHealed()
        expect((await node.ask('row', toSid(tokens.access)))?.gen).toBeLessThanOrEqual(1)
        report('S11', kind, `slow: 503 in ${slowest.toFixed(2)} s, healed in ${healed.toFixed(2)} s`)
      },
      TIMEOUT,
    )

    it('S11: nothing went uncaught', async () => {
      expect((await node.ask('seen')).uncaught).toEqual([])
    })
  })
}

/** The session that a token names. */
function toSid(token: string): string {
  const [, payload = ''] = token.split('.')
  return JSON.parse(Buffer.from(payload, 'base64url').toString()).sid
}
