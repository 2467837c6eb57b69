/**
 * S10 and S15 on every store that processes share: each step of a session's life is done by a process that has just started, and the one
 * before is killed; and processes whose clocks are two minutes wrong decide alike.
 */
import { expect, it, vi } from 'vitest'
import type { Commands, Outcome } from '../processes/node/messages.ts'
import { type Node, startNode } from '../processes/nodes.ts'
import { describeGrounds, SHARED } from './grounds.ts'
import { PROVE, report } from './size.ts'

const toPayload = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
const toSid = (token: string): string => String(toPayload(token)['sid'])

const LIMIT = PROVE ? 600_000 : 120_000

describeGrounds(SHARED, (ground, name) => {
  it(
    'S10: a process that is killed after every step, and a new one for the next, change nothing',
    async () => {
      let steps = 0
      let next = startNode({ store: ground().spec })
      /** Does one step in a process of its own, which dies at once. */
      const step = async <K extends keyof Commands>(
        command: K,
        ...args: Parameters<Commands[K]>
      ): Promise<ReturnType<Commands[K]>> => {
        const node = await next
        next = startNode({ store: ground().spec })
        steps += 1
        const answer = await node.ask(command, ...args)
        await node.kill()
        return answer
      }
      try {
        const login = (await step('login', 'alice')) as Required<Outcome>
        const first = await step('refresh', login.refresh)
        expect(first.code).toBe('ok')
        const replayed = await step('refresh', login.refresh)
        expect(replayed.refresh).toBe(first.refresh)
        const up = await step('stepUp', first.access ?? '')
        expect(toPayload(up.refresh ?? '')['amr']).toEqual(['otp'])
        const kept = await step('refresh', first.refresh ?? '')
        expect(kept.refresh).toBe(first.refresh)
        await ground().age(toSid(login.refresh), 61)
        const rotated = await step('refresh', up.refresh ?? '')
        expect([rotated.code, toPayload(rotated.refresh ?? '')['gen']]).toEqual(['ok', 2])
        for (const judging of ['feed', 'strict'] as const)
          expect(await step('judge', rotated.access ?? '', judging)).toBe('ok')
        expect((await step('refresh', login.refresh)).code).toBe('refresh_reused')
        expect((await step('refresh', rotated.refresh ?? '')).code).toBe('session_revoked')
        for (const judging of ['feed', 'strict'] as const)
          expect(await step('judge', rotated.access ?? '', judging)).toBe('token_revoked')
        const entries = await step('log')
        expect(entries.filter(({ key }) => key === toSid(login.refresh))).toHaveLength(1)
        const attempts: string[] = []
        const other = (await step('login', 'bob')) as Required<Outcome>
        for (let i = 0; i < 6; i++) attempts.push((await step('stepUp', other.access, true)).code)
        expect(attempts).toEqual([...Array.from({ length: 5 }, () => 'credentials_invalid'), 'rate_limited'])
        report('S10', name, `${steps} steps in ${steps} processes, each killed after its step`)
      } finally {
        await (await next).kill()
      }
    },
    LIMIT,
  )

  // The processes that share a SQLite file share a machine, and so a clock.
  if (name !== 'sqlite')
    it(
      'S15: processes whose clocks are two minutes wrong agree on reuse, revocation and logins in flight',
      async () => {
        const skews = [0, 120, -120]
        const nodes = await Promise.all(skews.map((skew) => startNode({ store: ground().spec, skew })))
        const [right, , slow] = nodes as [Node, Node, Node]
        try {
          for (const starter of nodes) {
            const { refresh } = (await starter.ask('login', 'alice')) as Required<Outcome>
            const sid = toSid(refresh)
            const answers = await Promise.all(nodes.map((node) => node.ask('refresh', refresh)))
            expect(answers.map(({ code }) => code)).toEqual(['ok', 'ok', 'ok'])
            expect(new Set(answers.map((answer) => answer.refresh)).size).toBe(1)
            const successor = answers[0]?.refresh ?? ''
            // Within the window nobody takes it for a reuse, whatever his clock; and each accepts what he has just given.
            for (const node of nodes) {
              expect((await node.ask('refresh', refresh)).code).toBe('ok')
              const kept = await node.ask('refresh', successor)
              expect([kept.code, kept.refresh]).toEqual(['ok', successor])
              expect(await node.ask('judge', kept.access ?? '', 'strict')).toBe('ok')
            }
            expect((await right.ask('row', sid))?.gen).toBe(1)
            // Once the successor goes on, every node does, however long ago it is by its own clock.
            await ground().age(sid, 61)
            const judge = nodes[(nodes.indexOf(starter) + 1) % 3] as Node
            expect((await judge.ask('refresh', successor)).code).toBe('ok')
            expect((await judge.ask('refresh', refresh)).code).toBe('refresh_reused')
            for (const node of nodes)
              expect((await node.ask('refresh', successor)).code).toBe('session_revoked')
          }
          for (const [index, node] of nodes.entries()) {
            const sub = `carol-${index}`
            const before = (await slow.ask('login', sub)) as Required<Outcome>
            expect(await nodes[(index + 1) % 3]?.ask('revokeSubject', sub)).toBe('ok')
            expect(await right.ask('judge', before.access, 'strict')).toBe('token_revoked')
            // The password was checked before the revocation by this node's clock.
            expect((await node.ask('login', sub, 5)).code, `skew ${skews[index]}`).toBe('session_revoked')
            // And after it, as soon as that is beyond doubt: how well a node knows the store's time depends on how quick an answer was.
            await vi.waitUntil(async () => (await node.ask('login', sub, 0)).code === 'ok', {
              timeout: 10_000,
            })
          }
          report(
            'S15',
            name,
            'clocks of 0, +120 and -120 s: one successor, one verdict on reuse, revocation, logins',
          )
        } finally {
          await Promise.all(nodes.map((node) => node.kill()))
        }
      },
      LIMIT,
    )
})
