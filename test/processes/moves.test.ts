/**
 * A move from SQLite to PostgreSQL to Redis while four processes serve logins and refreshes: each is replaced by one of the next step
 * as in a rolling deployment, and killed amid its requests. Clients go on all the time, sometimes with one token at two processes.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, it, vi } from 'vitest'
import type { RecordPage } from '../../src/session/transfer.ts'
import { copyStore } from '../../src/stores/move.ts'
import { readUnverified } from '../../src/token/jws.ts'
import type { Ground } from '../invariants/ground.ts'
import { GROUNDS } from '../invariants/grounds.ts'
import { report } from '../invariants/size.ts'
import type { StoreSpec } from './node/connect.ts'
import type { Outcome } from './node/messages.ts'
import { type Node, startNode } from './nodes.ts'

const NODES = 4
const CLIENTS = 8
const IDLE = 10
/** How many rounds each client goes through between two replacements. */
const ROUNDS = 2
/** How long a client waits between two rounds, in milliseconds. */
const PAUSE = 60

const WAYS = ['api', 'http'] as const
const KINDS = ['sqlite', 'postgres', 'redis'] as const
const grounds = KINDS.map((kind) => GROUNDS.find(({ name }) => name === kind))
const hasAll = grounds.every((ground) => ground?.reason === null)

type Tokens = Required<Outcome>

/** Tokens that are over: of a session that has ended, or an access token that was revoked by itself. */
interface Ended extends Tokens {
  readonly isWhole: boolean
}

const newSubject = (): string => `user-${randomBytes(6).toString('hex')}`
const toSid = (token: string): string => String(readUnverified(token)?.payload['sid'])

/** The processes, and what is known of the sessions. */
class Deployment {
  nodes: Node[] = []
  /** How many rounds each client has gone through. */
  readonly rounds: number[] = Array(CLIENTS).fill(0)
  /** What must not be, in words. */
  readonly problems: string[] = []
  /** Tokens that were ended or revoked, and must stay so. */
  readonly ended: Ended[] = []
  /** How often a request was sent again, by the reason. */
  readonly again: Record<string, number> = {}
  isOver = false
  #next = 0

  /** Two processes, others each time. */
  pick(): readonly [Node, Node] {
    this.#next += 1
    const [one, other] = [this.#next, this.#next + 1 + (this.#next % (NODES - 1))]
    return [this.nodes[one % NODES] as Node, this.nodes[other % NODES] as Node]
  }

  /** Sends a request, and again to another process where that one dies or a store is busy. */
  async request<T>(ask: (node: Node) => Promise<T>, first = this.pick()[0]): Promise<T> {
    for (let node = first; ; node = this.pick()[0]) {
      const result = await ask(node).catch((error: Error) => {
        if (!/has died|EPIPE|ERR_IPC|channel closed/i.test(String(error))) throw error
        return null
      })
      const { code = '' } = Object(result) as { readonly code?: string }
      if (result !== null && !/^(?:503 )?store_unavailable$/.test(code)) return result
      if (this.isOver) throw new Error('No process is left')
      await pause(20)
      const reason = result === null ? 'died' : 'store_unavailable'
      this.again[reason] = (this.again[reason] ?? 0) + 1
    }
  }

  async login(): Promise<Tokens> {
    const outcome = await this.request((node) => node.ask('login', newSubject()))
    if (outcome.code !== 'ok') this.problems.push(`login: ${outcome.code}`)
    return outcome as Tokens
  }

  /** Refreshes at one process, or at two at once: then both give the same token. */
  async refresh({ refresh }: Tokens, round: number): Promise<Tokens> {
    const nodes = this.pick().slice(0, round % 3 === 0 ? 2 : 1)
    const way = WAYS[round % 2]
    const outcomes = await Promise.all(
      nodes.map((node) => this.request((each) => each.ask('refresh', refresh, way), node)),
    )
    const refused = outcomes.find(({ code }) => code !== 'ok')
    if (refused !== undefined) this.problems.push(`refresh: ${refused.code}`)
    if (new Set(outcomes.map((outcome) => outcome.refresh)).size > 1)
      this.problems.push('two tokens follow one')
    return outcomes[0] as Tokens
  }

  /** Revokes a client's access token, or ends its session or all of its subject; it logs in again. */
  async end(tokens: Tokens, round: number): Promise<Tokens> {
    const sub = String(readUnverified(tokens.access)?.payload['sub'])
    const way = round % 3
    const code = await this.request((node) => {
      if (way === 0) return node.ask('revoke', tokens.access)
      return way === 1 ? node.ask('end', toSid(tokens.refresh)) : node.ask('revokeSubject', sub)
    })
    if (code !== 'ok') this.problems.push(`end: ${code}`)
    this.ended.push({ ...tokens, isWhole: way > 0 })
    return way === 0 ? tokens : this.login()
  }

  async checkEnded({ refresh, access, isWhole }: Ended): Promise<void> {
    if (isWhole) {
      const { code } = await this.request((node) => node.ask('refresh', refresh))
      if (code === 'ok') this.problems.push('an ended session was refreshed')
    }
    const verdict = await this.request((node) => node.ask('judge', access, 'strict'))
    if (!/^(?:token_revoked|store_unavailable)$/.test(verdict)) this.problems.push(`ended: ${verdict}`)
  }

  /** A client, until the deployment is over or something went wrong. */
  async live(client: number): Promise<Tokens> {
    let tokens = await this.login()
    for (let round = client; !this.isOver && this.problems.length === 0; round++) {
      tokens = await this.refresh(tokens, round)
      const verdict = await this.request((node) => node.ask('judge', tokens.access, 'strict'))
      if (!/^(?:ok|store_unavailable)$/.test(verdict)) this.problems.push(`strict: ${verdict}`)
      if (round % 7 === 0) tokens = await this.end(tokens, round)
      const ended = this.ended[(round * 7) % (this.ended.length || 1)]
      if (ended !== undefined) await this.checkEnded(ended)
      this.rounds[client] = (this.rounds[client] ?? 0) + 1
      // The processes that start have the same cores.
      await pause(PAUSE)
    }
    return tokens
  }

  /** Waits until each client has gone through some rounds more. */
  async goOn(): Promise<void> {
    const before = [...this.rounds]
    await vi.waitUntil(
      () =>
        this.problems.length > 0 ||
        this.rounds.every((rounds, client) => rounds >= (before[client] ?? 0) + ROUNDS),
      { timeout: 60_000, interval: 5 },
    )
    expect(this.problems).toEqual([])
  }

  /** Starts processes beside those that run, and puts one after the other in their places. */
  async roll(store: StoreSpec): Promise<void> {
    const fresh = await Promise.all(Array.from({ length: NODES }, () => startNode({ store })))
    for (const [index, node] of fresh.entries()) {
      expect(await node.ask('ready')).toBe('ok')
      const old = this.nodes[index]
      this.nodes[index] = node
      if (old === undefined) continue
      await check(old)
      await old.kill()
      if (index % 2 === 1) await this.goOn()
    }
  }

  /** Whether every process knows all that has ended, also by what it has heard of and does not ask for. */
  async checkFeeds(): Promise<void> {
    const ended = [...this.ended]
    for (const { access } of ended) {
      const isKnown = async (node: Node) => (await node.ask('judge', access, 'feed')) === 'token_revoked'
      await vi.waitUntil(async () => (await Promise.all(this.nodes.map(isKnown))).every(Boolean), {
        timeout: 10_000,
        interval: 20,
      })
    }
  }
}

/** No process has seen a token that was used twice, or one that is ahead of its session; nothing went uncaught. */
async function check(node: Node): Promise<void> {
  const { events, uncaught } = await node.ask('seen')
  expect([events['reused'] ?? 0, events['healed'] ?? 0, uncaught]).toEqual([0, 0, []])
}

/** How many sessions a store would let go on. */
async function countLive({ store }: Ground): Promise<number> {
  let count = 0
  let place: string | null = null
  do {
    const page: RecordPage | undefined = await store.transfer?.read(place, 500)
    for (const record of page?.records ?? [])
      if (record.kind === 'session' && record.row.revokedAt === null) count += 1
    place = page?.place ?? null
  } while (place !== null)
  return count
}

it.skipIf(!hasAll)(
  'a move under load, twice: no one is signed out, and what has ended stays ended in every process',
  async () => {
    const opened = await Promise.all(grounds.map((ground) => ground?.open()))
    const [sqlite, postgres, redis] = opened as [Ground, Ground, Ground]
    const deployment = new Deployment()
    let stopped: Promise<Tokens[]> = Promise.resolve([])
    try {
      await deployment.roll(sqlite.spec)
      const idle = await Promise.all(Array.from({ length: IDLE }, () => deployment.login()))
      stopped = Promise.all(Array.from({ length: CLIENTS }, (_, client) => deployment.live(client)))
      await deployment.goOn()
      for (const [from, to] of [
        [sqlite, postgres],
        [postgres, redis],
      ] as const) {
        const pair = { kind: 'moving', from: from.spec, to: to.spec } as const
        await deployment.roll({ ...pair, phase: 'prepare' })
        await deployment.roll({ ...pair, phase: 'move' })
        expect((await copyStore(from.store, to.store, { move: true })).changed).toBe(0)
        await deployment.checkFeeds()
        expect(await countLive(from)).toBe(0)
      }
      await deployment.roll(redis.spec)
      await deployment.goOn()
      deployment.isOver = true
      const last = [...(await stopped), ...idle]
      for (const tokens of last) {
        expect((await deployment.request((node) => node.ask('refresh', tokens.refresh))).code).toBe('ok')
        expect((await redis.store.get(toSid(tokens.refresh)))?.revokedAt).toBeNull()
      }
      for (const tokens of deployment.ended) await deployment.checkEnded(tokens)
      expect(deployment.problems).toEqual([])
      await deployment.checkFeeds()
      await Promise.all(deployment.nodes.map(check))
      const rounds = deployment.rounds.reduce((sum, each) => sum + each, 0)
      report(
        'move',
        KINDS.join(' to '),
        `${rounds} rounds of ${CLIENTS} clients, ${deployment.ended.length} ended, sent again: ${JSON.stringify(deployment.again)}`,
      )
    } finally {
      deployment.isOver = true
      await stopped.catch(() => undefined)
      await Promise.all(deployment.nodes.map((node) => node.kill()))
      await Promise.all(opened.map((ground) => ground?.close()))
    }
  },
  180_000,
)
