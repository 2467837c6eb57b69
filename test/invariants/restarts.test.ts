/**
 * S10 and S15 on every store that processes share: each step of a session's life is done by a process that has just started, and the one
 * before is killed; and processes whose clocks are two minutes wrong decide alike.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Commands, Outcome } from '../processes/node/messages.ts'
import { type Node, startNode } from '../processes/nodes.ts'
import { describeGrounds, SHARED } from './grounds.ts'
import { PROVE, report } from './size.ts'

const toPayload = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
const toSid = (token: string): string => String(toPayload(token)['sid'])

const LIMIT = PROVE ? 600_000 : 30_000

describeGrounds(SHARED, (ground, name) => {
  it(
    'S10: a process that is killed after every step, and a new one for the next, change nothing',
    async () => {
      let steps = 0
      let next = startNode({ store: ground().spec, overlap: 2 })
      /** Does one step in a process of its own, which dies at once. */
      const step = async <K extends keyof Commands>(
        command: K,
        ...args: Parameters<Commands[K]>
      ): Promise<ReturnType<Commands[K]>> => {
        const node = await next
        next = startNode({ store: ground().spec, overlap: 2 })
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
        await pause(4000)
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
        for (let i = 0; i < 6; i++) attempts.push((await step('stepUp', other.access)).code)
        expect(attempts).toEqual(['ok', 'ok', 'ok', 'ok', 'ok', 'rate_limited'])
        report('S10', name, `${steps} steps in ${steps} processes, each killed after its step`)
      } finally {
        await (await next).kill()
      }
    },
    LIMIT,
  )

  it(
    'S15: processes whose clocks are two minutes wrong agree on reuse, revocation and logins in flight',
    async () => {
      const skews = [0, 120, -120]
      const nodes = await Promise.all(
        skews.map((skew) => startNode({ store: ground().spec, skew, overlap: 1 })),
      )
      const [right, fast, slow] = nodes as [Node, Node, Node]
      try {
        // Started by the slow one, whose tokens every other accepts as to their times.
        for (const starter of [right, slow]) {
          const { refresh } = (await starter.ask('login', 'alice')) as Required<Outcome>
          const answers = await Promise.all([right, fast].map((node) => node.ask('refresh', refresh)))
          expect(answers.map(({ code }) => code)).toEqual(['ok', 'ok'])
          expect(new Set(answers.map((answer) => answer.refresh)).size).toBe(1)
          // Within the window nobody takes it for a reuse, whatever his clock.
          for (const node of [fast, right]) expect((await node.ask('refresh', refresh)).code).toBe('ok')
          await pause(1100)
          // After it everybody does.
          const judge = starter === right ? fast : right
          expect((await judge.ask('refresh', refresh)).code).toBe('refresh_reused')
        }
        for (const [index, node] of nodes.entries()) {
          const sub = `carol-${index}`
          const before = (await slow.ask('login', sub)) as Required<Outcome>
          expect(await nodes[(index + 1) % 3]?.ask('revokeSubject', sub)).toBe('ok')
          expect(await right.ask('judge', before.access, 'strict')).toBe('token_revoked')
          // The password was checked before the revocation by this node's clock, and after it.
          await pause(50)
          expect((await node.ask('login', sub, 5)).code, `skew ${skews[index]}`).toBe('session_revoked')
          expect((await node.ask('login', sub, 0)).code, `skew ${skews[index]}`).toBe('ok')
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

  // F3: a node whose clock is behind by more than the leeway refuses, by 401, every refresh token that is younger than that.
  it.fails(
    'S15: a process whose clock is two minutes behind refreshes what the others have issued',
    async () => {
      const [right, slow] = (await Promise.all(
        [0, -120].map((skew) => startNode({ store: ground().spec, skew })),
      )) as [Node, Node]
      try {
        const { refresh } = (await right.ask('login', 'dave')) as Required<Outcome>
        expect((await slow.ask('refresh', refresh)).code).toBe('ok')
      } finally {
        await Promise.all([right, slow].map((node) => node.kill()))
      }
    },
    LIMIT,
  )
})
