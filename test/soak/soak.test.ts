/**
 * Hours in short: four processes, visitors that log in, refresh, step up and log out, and servers
 * that are killed, frozen and healed on the way; a process dies and another takes its place.
 * `npm run soak -- 30m` says for how long in all; in `npm test` it is some seconds.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { HAS_OWN, type OwnServer, startOwn } from '../invariants/servers.ts'
import { report, summarize } from '../invariants/size.ts'
import type { Memory } from '../processes/node/messages.ts'
import { type Node, startNode } from '../processes/nodes.ts'
import { type Tally, visit } from './visitors.ts'

const KINDS = ['redis', 'postgres', 'mysql'] as const
/** For each engine, in seconds. */
const SECONDS = Number(process.env['TOKENWRIGHT_SOAK'] ?? 15) / KINDS.length
const PROCESSES = 4
const VISITORS = 40
/** How many times in all something breaks, and how long it stays so, in seconds. */
const BREAKS = Math.max(2, Math.round(SECONDS / 20))
const BROKEN_FOR = 1
/** Memory is looked at only when a process has lived so long, in seconds: young ones grow. */
const GROWN_UP = 240
const MOST_GROWTH = 1.25

/** What processes keep, in words: `12/98` are 12 MiB of objects and 98 MiB of pages. */
const toWords = ({ kept, resident }: Memory): string => `${kept.toFixed(0)}/${resident.toFixed(0)}`

/** Breaks a server or a process, in turns, and heals it. Says what it did. */
async function breakSomething(turn: number, server: OwnServer, nodes: Node[]): Promise<string> {
  if (turn % 3 === 0) {
    await server.kill()
    await pause(BROKEN_FOR * 1000)
    await server.restart()
    return 'server killed'
  }
  if (turn % 3 === 1) {
    server.freeze()
    await pause(BROKEN_FOR * 1000)
    server.thaw()
    return 'server frozen'
  }
  // The youngest, so that the others show what becomes of their memory.
  await nodes.pop()?.kill()
  nodes.push(await startNode({ store: server.toSpec(server.port) }))
  return 'process killed'
}

/** What has to be printed of the results. */
function toLines({ results }: Tally): string {
  return [...results]
    .map(([result, count]) => `${result}: ${count}`)
    .sort()
    .join(', ')
}

describe.each(KINDS)('%s', (kind) => {
  it.skipIf(!HAS_OWN[kind])(
    'loses no session, ends what is ended, and stays as it was',
    async () => {
      const server = await startOwn(kind)
      const nodes = await Promise.all(
        Array.from({ length: PROCESSES }, () => startNode({ store: server.toSpec(server.port) })),
      )
      const tally: Tally = { results: new Map(), times: [], lost: [], alive: [] }
      const uncaught: string[] = []
      try {
        const end = performance.now() + SECONDS * 1000
        const goesOn = () => performance.now() < end
        const living = Array.from({ length: VISITORS }, (_, i) =>
          visit(`visitor-${i}`, { nodes, tally, goesOn }),
        )
        const young = new Map<Node, Memory>()
        const sample = setTimeout(() => {
          for (const node of nodes)
            void node.ask('memory').then(
              (memory) => young.set(node, memory),
              // It was killed meanwhile: another one is judged.
              () => undefined,
            )
        }, GROWN_UP * 500)
        const broken: string[] = []
        for (let turn = 0; turn < BREAKS; turn++) {
          await pause((SECONDS / (BREAKS + 1) - BROKEN_FOR) * 1000)
          broken.push(await breakSomething(turn, server, nodes))
          report('soak', kind, `${broken.at(-1)}; ${toLines(tally)}`)
        }
        await Promise.all(living)
        clearTimeout(sample)
        for (const node of nodes) uncaught.push(...(await node.ask('seen')).uncaught)
        const memories = await Promise.all(nodes.map((node) => node.ask('memory')))
        const words = memories.map((memory, i) => {
          const before = young.get(nodes[i] as Node)
          return `${before ? toWords(before) : '-'} > ${toWords(memory)}`
        })
        report('soak', kind, `${SECONDS.toFixed(0)} s, ${broken.join(', ')}; ${toLines(tally)}`)
        report(
          'soak',
          kind,
          `${summarize(tally.times.map((time) => time / 1000))}; memory kept/resident in MiB: ${words.join(', ')}`,
        )
        expect(uncaught).toEqual([])
        expect(tally.lost).toEqual([])
        expect(tally.alive).toEqual([])
        expect(tally.results.get('visitors')).toBe(VISITORS)
        if (SECONDS > 2 * GROWN_UP) {
          const old = [...young].filter(([node]) => nodes.includes(node))
          expect(old.length).toBeGreaterThan(1)
          for (const [node, before] of old) {
            const after = memories[nodes.indexOf(node)] as Memory
            expect(after.kept).toBeLessThan(before.kept * MOST_GROWTH)
            expect(after.resident).toBeLessThan(before.resident * MOST_GROWTH)
          }
        }
      } finally {
        for (const node of nodes) await node.kill()
        await server.close()
      }
    },
    (SECONDS + 120) * 1000,
  )
})
