/** How soon processes know of what another one has ended: a bound in time, so nothing else runs beside it. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readUnverified } from '../../src/token/jws.ts'
import { describeGrounds, SHARED } from '../invariants/grounds.ts'
import { PROVE, report, size, summarize } from '../invariants/size.ts'
import type { Outcome } from './node/messages.ts'
import { type Node, startNode } from './nodes.ts'

const TRIALS = size(40, 1000)
const NODES = 4

describeGrounds(SHARED, (ground, kind) => {
  let nodes: Node[] = []
  const at = (index: number): Node => nodes[index] as Node

  beforeAll(async () => {
    nodes = await Promise.all(Array.from({ length: NODES }, () => startNode({ store: ground().spec })))
    await Promise.all(nodes.map((node) => node.ask('ready')))
  })
  afterAll(async () => {
    await Promise.all(nodes.map((node) => node.kill()))
  })

  it(
    `S13: other processes know of a revocation within a second, ${TRIALS} trials`,
    async () => {
      const delays: number[] = []
      for (let trial = 0; trial < TRIALS; trial += 10) {
        const batch = await Promise.all(
          Array.from({ length: 10 }, async (_, number) => {
            const { access } = (await at(0).ask('login', `user-${trial}-${number}`)) as Required<Outcome>
            const watching = Promise.all([1, 2, 3].map((index) => at(index).ask('watch', access)))
            const endedAt = await at(0).ask('endTimed', String(readUnverified(access)?.payload['sid']))
            return (await watching).map((seenAt) => Math.max(0, seenAt - endedAt))
          }),
        )
        delays.push(...batch.flat())
      }
      const worst = Math.max(...delays)
      const text = `staleness over ${NODES} processes, ${delays.length} observations: ${summarize(delays)}`
      report('S13', kind, text)
      expect(worst).toBeLessThan(1)
    },
    PROVE ? 3_600_000 : 120_000,
  )

  it('nothing went uncaught in any process', async () => {
    for (const node of nodes) expect((await node.ask('seen')).uncaught).toEqual([])
  })
})
