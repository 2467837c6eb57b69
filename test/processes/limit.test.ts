/**
 * How many sessions a subject may have, with 200 logins at once in 4 processes: counted in the
 * atomic start, and so never more; whoever is ended for it is refused in every process.
 */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { readUnverified } from '../../src/token/jws.ts'
import { describeGrounds, SHARED } from '../invariants/grounds.ts'
import { report } from '../invariants/size.ts'
import type { Outcome } from './node/messages.ts'
import { type Node, startNode } from './nodes.ts'

const NODES = 4
const LOGINS = 200
const MOST = 5
const LIMIT = 120_000

const newSubject = (): string => `user-${randomBytes(6).toString('hex')}`
const toSid = ({ refresh = '' }: Outcome): string => String(readUnverified(refresh)?.payload['sid'])

describeGrounds(SHARED, (ground, kind) => {
  describe.each(['end-oldest', 'refuse'] as const)('%s', (whenFull) => {
    let nodes: Node[] = []
    const first = (): Node => nodes[0] as Node

    beforeAll(async () => {
      const spec = { store: ground().spec, max: { perSubject: MOST, whenFull } }
      nodes = await Promise.all(Array.from({ length: NODES }, () => startNode(spec)))
      await Promise.all(nodes.map((node) => node.ask('ready')))
    })
    afterAll(async () => {
      await Promise.all(nodes.map((node) => node.kill()))
    })

    it.each(['api', 'http'] as const)(
      `${LOGINS} logins at once in ${NODES} processes leave ${MOST} sessions, by %s`,
      async (way) => {
        const sub = newSubject()
        const started = performance.now()
        // Seen while they start, too: the limit holds at every moment.
        let most = 0
        let isOver = false
        const watching = (async () => {
          while (!isOver) most = Math.max(most, (await first().ask('list', sub)).length)
        })()
        const logins = (
          await Promise.all(nodes.map((node) => node.ask('loginMany', sub, LOGINS / NODES, way)))
        ).flat()
        const seconds = ((performance.now() - started) / 1000).toFixed(1)
        isOver = true
        await watching
        const given = logins.filter(({ code }) => code === 'ok')
        const others = new Set(logins.map(({ code }) => code))
        others.delete('ok')
        // What the store could not do in time may be refused for that, and for no other reason.
        const busy = way === 'http' ? '503 store_unavailable' : 'store_unavailable'
        const late = logins.filter(({ code }) => code === busy).length
        others.delete(busy)
        const full = way === 'http' ? '409 session_limit_reached' : 'session_limit_reached'
        expect([...others]).toEqual(whenFull === 'refuse' ? [full] : [])
        const rows = await first().ask('list', sub)
        expect(rows).toHaveLength(MOST)
        expect(most).toBeLessThanOrEqual(MOST)
        expect(most).toBeGreaterThan(0)
        if (whenFull === 'refuse') expect(given.length).toBeLessThanOrEqual(MOST)
        const live = new Set(rows.map(({ sid }) => sid))
        const ended = given.filter((login) => !live.has(toSid(login)))
        if (late === 0) expect(given.length - ended.length).toBe(MOST)
        // A sample of those that were ended, in every process.
        for (const { access = '', refresh = '' } of ended.slice(0, 10)) {
          for (const node of nodes) {
            expect((await node.ask('refresh', refresh)).code).toBe('session_revoked')
            await vi.waitUntil(async () => (await node.ask('judge', access, 'feed')) === 'token_revoked')
          }
        }
        report('limit', kind, `${whenFull}, ${way}: ${LOGINS} logins in ${seconds} s, ${late} not in time`)
      },
      LIMIT,
    )
  })
})
