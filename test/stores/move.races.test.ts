/**
 * Processes of both phases side by side, every call of a store a step of its own, in random orders, and some processes that die at a
 * random step. A session is never in two stores, what was ended stays ended, what was not ended goes on, and what may be used once
 * is used once. Each run is named by its seed.
 */
import { describe, expect, it } from 'vitest'
import { decideRotation } from '../../src/session/rotation.ts'
import type { SessionRow } from '../../src/session/session-row.ts'
import type { Store } from '../../src/session/store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { copyStore, moveStore } from '../../src/stores/move.ts'
import { size } from '../invariants/size.ts'
import { toCall, toDraft } from './sql-databases.ts'

/** Random numbers from 0 to 1 by a seed: mulberry32. */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** A process that died: its calls go no further. */
class Dead extends Error {}

/** Lets calls wait until it is their turn, in a random order. */
class Turns {
  readonly #waiting: (() => void)[] = []
  readonly #random: () => number

  constructor(random: () => number) {
    this.#random = random
  }

  wait(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Runs until all work is done; checks after each step. */
  async run(work: Promise<unknown>, check: () => Promise<void>): Promise<void> {
    let isDone = false
    const end = (): void => {
      isDone = true
    }
    work.then(end, end)
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve))
      if (isDone) return
      const place = Math.floor(this.#random() * this.#waiting.length)
      const [next] = this.#waiting.splice(place, 1)
      // Someone may be resting.
      if (next === undefined) continue
      next()
      await new Promise((resolve) => setImmediate(resolve))
      await check()
    }
  }
}

/** A process: what it sees of a store, until it dies. */
class Process {
  readonly #turns: Turns
  readonly #dies: () => boolean
  #isDead = false

  constructor(turns: Turns, dies: () => boolean) {
    this.#turns = turns
    this.#dies = dies
  }

  wrap<T extends object>(store: T): T {
    const pairs = Object.entries(store).map(([name, member]: [string, unknown]) => {
      if (typeof member === 'object' && member !== null) return [name, this.wrap(member)]
      if (typeof member !== 'function' || name === 'knows') return [name, member]
      const call = async (...args: unknown[]): Promise<unknown> => {
        await this.#turns.wait()
        this.#isDead ||= this.#dies()
        if (this.#isDead) throw new Dead()
        const result: unknown = await member.apply(store, args)
        // What it was told, it may not live to tell.
        this.#isDead ||= this.#dies()
        if (this.#isDead) throw new Dead()
        return result
      }
      return [name, call]
    })
    return Object.fromEntries(pairs) as T
  }
}

/** Whether a store lets a session go on. */
const isLive = (row: SessionRow | null): boolean => row !== null && row.revokedAt === null

interface Run {
  readonly random: () => number
  readonly from: Store
  readonly to: Store
  readonly now: number
  pick<T>(items: readonly T[]): T
}

/** What became of the sessions of one run. */
interface Told {
  /** Sessions whose end was acknowledged, also by the end of all of their owner. */
  readonly ended: Set<string>
  /** Sessions that someone tried to end. */
  readonly doomed: Set<string>
  /** How often a generation was exchanged, by session and generation. */
  readonly exchanged: Map<string, number>
  /** How often something was redeemed that may be once. */
  redeemed: number
  /** The greatest generation that each client has. */
  readonly held: Map<string, number>
}

const OWNERS = ['ada', 'bob'].map((sub) => ({ sub, realm: null }))

/** Which processes run side by side: as the guide deploys them, and back again to the old store. */
const CREWS = [
  ['from', 'prepare'],
  ['prepare', 'move'],
  ['prepare', 'move', 'copy'],
  ['move', 'move', 'copy'],
  ['move', 'to'],
  ['prepare', 'back'],
  ['back', 'back', 'copy back'],
] as const
type Kind = (typeof CREWS)[number][number]

function toStore(kind: Kind, process: Process, { from, to }: Run): Store {
  const pair = { from: process.wrap(from), to: process.wrap(to) }
  if (kind === 'from' || kind === 'to') return pair[kind]
  if (kind === 'back') return moveStore({ from: pair.to, to: pair.from, phase: 'move' })
  return moveStore({ ...pair, phase: kind === 'prepare' ? 'prepare' : 'move' })
}

async function runOnce(seed: number, crew: readonly Kind[], overlap: number, mayDie: boolean): Promise<Told> {
  const random = createRandom(seed)
  const now = 1_800_000_000
  const clock = (): number => now
  const run: Run = {
    random,
    from: memoryStore({ clock }),
    to: memoryStore({ clock }),
    now,
    pick: (items) => items[Math.floor(random() * items.length)] as never,
  }
  const turns = new Turns(random)
  const told: Told = {
    ended: new Set(),
    doomed: new Set(),
    exchanged: new Map(),
    redeemed: 0,
    held: new Map(),
  }
  const owners = new Map<string, string>()
  /** Owners whose sessions are being ended; one that died while it did is not told apart. */
  const ending: string[] = []
  const inFlight = new Set<string>()
  const start = async (store: Store, sid: string): Promise<void> => {
    const owner = run.pick(OWNERS)
    const wasEnding = ending.includes(owner.sub)
    const row = await store.start(toDraft({ sid, ...owner, provedAt: now }), null)
    if (row === null) return
    // Beside an end of all sessions it may count as before it.
    if (wasEnding || ending.includes(owner.sub)) told.doomed.add(sid)
    owners.set(sid, owner.sub)
    told.held.set(sid, 0)
  }
  for (const sid of ['s1', 's2', 's3', 's4']) await start(run.from, sid)
  const isBack = crew.some((kind) => kind.endsWith('back'))
  if (crew.includes('to')) await copyStore(run.from, run.to, { move: true })
  if (isBack) {
    // Two of them have moved before, and one was on its way when a process died.
    for (const sid of ['s1', 's2'])
      await moveStore({ from: run.from, to: run.to, phase: 'move' }).rotate(toCall(sid, 9, { overlap }))
    for (const sid of ['s1', 's2']) told.held.set(sid, (await run.to.get(sid))?.gen ?? 0)
    await run.from.transfer?.release(['s3'], null)
  }
  const steps = { logTtl: 900, now: null, except: null, cutOff: null }
  const act = async (store: Store, name: string): Promise<void> => {
    const sid = run.pick([...owners.keys()])
    const choice = random()
    if (choice < 0.45) {
      const gen = told.held.get(sid) ?? 0
      const { word, row } = await store.rotate(toCall(sid, gen, { overlap })).catch((error: unknown) => {
        // What is used once may have been used: the next use ends the session.
        if (overlap === 0) told.doomed.add(sid)
        throw error
      })
      if (word === 'rotated') {
        const key = `${sid} ${gen}`
        told.exchanged.set(key, (told.exchanged.get(key) ?? 0) + 1)
      }
      if (word === 'reused') told.doomed.add(sid)
      if (row !== null && ['rotated', 'kept', 'replayed'].includes(word))
        told.held.set(sid, Math.max(row.gen, told.held.get(sid) ?? 0))
      if (!told.doomed.has(sid))
        expect(['rotated', 'kept', 'replayed', 'healed'], `${seed} ${sid}`).toContain(word)
    } else if (choice < 0.55) {
      told.doomed.add(sid)
      await store.end(sid, 'ended', steps)
      told.ended.add(sid)
    } else if (choice < 0.62) {
      const owner = run.pick(OWNERS)
      const there = [...owners].filter(([, sub]) => sub === owner.sub).map(([one]) => one)
      for (const one of there) told.doomed.add(one)
      // Logins that were in flight may come before it or after it.
      for (const draft of inFlight) told.doomed.add(draft)
      ending.push(owner.sub)
      await store.endAll(owner, 'ended', steps)
      ending.splice(ending.indexOf(owner.sub), 1)
      for (const one of there) told.ended.add(one)
    } else if (choice < 0.7) {
      inFlight.add(name)
      await start(store, name)
      inFlight.delete(name)
    } else if (choice < 0.8) {
      if ((await store.countAttempt('once', 1, 1000, null)).allowed) told.redeemed++
    } else if (choice < 0.9) {
      const wasDoomed = told.doomed.has(sid)
      const isRevoked = await store.isRevoked({
        ...{ sid, sub: owners.get(sid) ?? '', realm: null },
        ...{ jti: null, iat: null, now: null },
      })
      if (!told.doomed.has(sid)) expect(isRevoked, `${seed} ${sid}`).toBe(false)
      if (told.ended.has(sid) && wasDoomed) return
    } else {
      const row = await store.get(sid)
      if (!told.doomed.has(sid)) expect(isLive(row), `${seed} ${sid}`).toBe(true)
    }
  }
  const work: Promise<unknown>[] = []
  crew.forEach((kind, place) => {
    const deadly = mayDie ? 0.02 : 0
    const process = new Process(turns, () => random() < deadly)
    const survive = (error: unknown): void => {
      if (!(error instanceof Dead)) throw error
    }
    if (kind === 'copy' || kind === 'copy back') {
      const [one, other] = kind === 'copy' ? [run.from, run.to] : [run.to, run.from]
      const pair = [process.wrap(one), process.wrap(other)] as const
      work.push(copyStore(...pair, { move: true, batch: 2 }).catch(survive))
      return
    }
    const store = toStore(kind, process, run)
    for (let line = 0; line < 3; line++)
      work.push(
        (async () => {
          for (let i = 0; i < 4; i++) await act(store, `p${place}l${line}i${i}`).catch(passOutage)
        })().catch(survive),
      )
  })
  const sids = (): string[] => [...owners.keys()]
  const finished = Promise.all(work)
  finished.catch(() => undefined)
  await turns.run(finished, async () => {
    for (const sid of sids()) {
      const rows = [await run.from.get(sid), await run.to.get(sid)]
      expect(rows.filter(isLive).length, `${seed}: ${sid} is in two stores`).toBeLessThan(2)
    }
  })
  await finished
  const places = isBack ? { ...run, from: run.to, to: run.from } : run
  await checkAfter(places, told, owners, overlap)
  return told
}

/** A session that another process is just moving, or died while it did, is an outage for some. */
function passOutage(error: unknown): void {
  if (!/on its way/.test(String(error))) throw error
}

/** What a new process finds. */
async function checkAfter(run: Run, told: Told, owners: Map<string, string>, overlap: number): Promise<void> {
  const { from, to, now } = run
  const store = moveStore({ from, to, phase: 'move' })
  // What a process left on its way in the other direction.
  for (const [sid] of owners) await store.get(sid)
  const { changed } = await copyStore(from, to, { move: true })
  expect(changed).toBe(0)
  // From here on the new store is enough.
  for (const [sid, sub] of owners) {
    const query = { sid, jti: null, sub, realm: null, iat: null, now: null }
    const gen = told.held.get(sid) ?? 0
    const row = await to.get(sid)
    if (told.ended.has(sid)) {
      expect(isLive(row), `${sid} was ended`).toBe(false)
      expect(await to.isRevoked(query)).toBe(true)
      expect(['revoked', 'unknown']).toContain((await to.rotate(toCall(sid, gen, { overlap }))).word)
    }
    if (!told.doomed.has(sid)) {
      expect(isLive(row), `${sid} was not ended`).toBe(true)
      expect(await to.isRevoked(query)).toBe(false)
      const word = decideRotation(row, gen, now, { overlap: 10, idle: 100, rotation: true })
      expect(['rotated', 'kept', 'replayed']).toContain(word)
    }
    expect(await store.get(sid)).toEqual(row)
  }
  expect(told.redeemed).toBeLessThan(2)
  for (const [key, count] of told.exchanged) expect(count, key).toBe(1)
}

const RUNS = size(60, 5000)

describe.each(CREWS.map((crew) => [crew.join(', '), crew] as const))('%s', (_, crew) => {
  it.each([
    [10, false],
    [10, true],
    [0, false],
    [0, true],
  ])(
    `overlap %d, processes that die: %s, ${RUNS} orders`,
    async (overlap, mayDie) => {
      const seen = { ended: 0, lived: 0 }
      for (let seed = 1; seed <= RUNS; seed++) {
        const told = await runOnce(seed, crew, overlap, mayDie).catch((error: unknown) => {
          throw new Error(`seed ${seed}: ${String(error)}`, { cause: error })
        })
        seen.ended += told.ended.size
        seen.lived += told.held.size - told.doomed.size
      }
      expect(seen.ended).toBeGreaterThan(0)
      expect(seen.lived).toBeGreaterThan(0)
    },
    120_000,
  )
})
