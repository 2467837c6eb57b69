/**
 * Honest clients and thieves for the rule on late predecessors (decision 21), by themselves and
 * fast: one session each, in virtual time, over `session/rotation.ts` alone. Ten thousand sessions
 * of twenty days take about a minute. `refresh-races` has the races over HTTP; here are the clients
 * that send a predecessor late: slow networks, lost responses, suspended and crashed programs.
 */
import { createRandom, type Random } from '../../packages/refresh-races/src/random.ts'
import { decideRotation, type RotationRecord, toLate, toLateBefore } from '../../src/session/rotation.ts'
import type { RotationPolicy } from '../../src/session/store.ts'

/** The rules of the simulated sessions, in seconds: the defaults. */
export const POLICY: RotationPolicy = { overlap: 30, idle: Number.POSITIVE_INFINITY, rotation: true }

/**
 * The life of an access token in seconds, and the share of it that the jitter takes off at most.
 */
const LIFE = 900
const JITTER = 0.1

const DAY = 86_400

/** How a client and its surroundings are; seconds, and shares of 1. */
export interface Conditions {
  /** Tabs, workers or instances that share one token. */
  readonly tabs: number
  /**
   * Over what time they notice that the access token has ended; a third of them up to a minute
   * later where `throttled`.
   */
  readonly spread: number
  readonly throttled: boolean
  /** How long the way to the server takes, and the way back. */
  readonly latency: (random: Random) => number
  /** The share of requests that are lost, and the share of responses. */
  readonly lost: number
  /**
   * After how long a tab gives a request up and sends again, at least; twice and four times as long
   * the next times.
   */
  readonly timeout: number
  /**
   * The share of refreshes during which the client is suspended or crashes: the server carries them
   * out, and no one hears of it.
   */
  readonly cut: number
  /** How long it is away then, on average. */
  readonly away: number
  /** How long others may still read the old token after one has stored a new one. */
  readonly lag: number
  /**
   * How long a request may wait between the reading of the token and its sending, as while an
   * instance starts.
   */
  readonly hold: (random: Random) => number
  /**
   * How far the client's clock is ahead: it takes access tokens for ended so much earlier. Less
   * than 0 for one that is behind.
   */
  readonly ahead: number
  /** Whether it sleeps eight hours a day. */
  readonly nights: boolean
  /** Whether the server needs 20 to 60 s for each response, ten minutes a day. */
  readonly slowServer: boolean
}

const exponential = (random: Random, mean: number): number => -Math.log(1 - random()) * mean
const none = (): number => 0

/** One tab on a good network, on a machine that sleeps at night. */
const USUAL: Conditions = {
  tabs: 1,
  spread: 2,
  throttled: false,
  latency: (random) => 0.02 + 0.1 * random(),
  lost: 0.002,
  timeout: 10,
  cut: 0,
  away: 0,
  lag: 0,
  hold: none,
  ahead: 0,
  nights: false,
  slowServer: false,
}

const slow = (random: Random): number => 0.5 + exponential(random, 1.5)
const awful = (random: Random): number => 1 + 7 * random()

/** The clients. Each kind has the same share of the sessions. */
export const CLIENTS: Readonly<Record<string, Conditions>> = {
  'one tab': USUAL,
  'two tabs': { ...USUAL, tabs: 2 },
  'five tabs, throttled in the background': { ...USUAL, tabs: 5, throttled: true, nights: true },
  'one tab, slow network (2 s each way)': { ...USUAL, latency: slow },
  'two tabs, slow network': { ...USUAL, tabs: 2, latency: slow },
  'five tabs, slow network': { ...USUAL, tabs: 5, latency: slow },
  'two tabs, 1 to 8 s each way': { ...USUAL, tabs: 2, latency: awful, timeout: 30 },
  'five tabs, 1 to 8 s each way': { ...USUAL, tabs: 5, latency: awful, timeout: 30 },
  '5 % of requests and of responses lost': { ...USUAL, tabs: 2, lost: 0.05 },
  '10 % lost': { ...USUAL, lost: 0.1, timeout: 20 },
  '20 % lost': { ...USUAL, lost: 0.2 },
  'five tabs, slow network, 10 % lost': { ...USUAL, tabs: 5, latency: slow, lost: 0.1 },
  'phone, suspended in 5 % of refreshes': { ...USUAL, cut: 0.05, away: 3600, nights: true },
  'phone, suspended in 10 %': { ...USUAL, cut: 0.1, away: 3600, nights: true },
  'phone, suspended in 20 %': { ...USUAL, cut: 0.2, away: 1800, nights: true, lost: 0.02 },
  'program that crashes in 10 % and restarts': { ...USUAL, cut: 0.1, away: 20 },
  'clock ahead by twenty minutes': { ...USUAL, tabs: 2, ahead: 1200 },
  'clock behind by ten minutes': { ...USUAL, tabs: 2, ahead: -600 },
  'service worker and page': { ...USUAL, tabs: 2, spread: 0.5, lag: 1 },
  'six serverless instances': {
    ...USUAL,
    tabs: 6,
    lag: 0.5,
    hold: (random) => (random() < 0.1 ? 6 : 1) * random(),
  },
  'six instances, half of them cold': {
    ...USUAL,
    tabs: 6,
    hold: (random) => (random() < 0.5 ? 1 + 5 * random() : 2 * random()),
  },
  'two tabs, server slow for ten minutes a day': { ...USUAL, tabs: 2, slowServer: true },
}

/** A refresh token and how long the access token beside it lives. */
interface Tokens {
  readonly gen: number
  readonly life: number
}

/** One session in virtual time. */
export class SimulatedSession {
  readonly random: Random
  /** How old each generation was when its predecessor came for the last time; 0 for never. */
  readonly ages: number[] = []
  /**
   * In which generation the rule ended the session; null for none. It goes on then, so that `ages`
   * has the whole.
   */
  shadowedAt: number | null = null
  /** How often a token was refused that is older than the predecessor. */
  refused = 0
  onRotated: (() => void) | null = null
  now = 0
  /** Whether it stops when the rule has ended the session. */
  #stops: boolean
  readonly #events: { readonly at: number; readonly act: () => void }[] = []
  #record: RotationRecord = {
    gen: 0,
    rotatedAt: 0,
    late: 0,
    lateBefore: 0,
    lastUsedAt: 0,
    idleExpiresAt: Number.POSITIVE_INFINITY,
    absoluteExpiresAt: Number.POSITIVE_INFINITY,
    revokedAt: null,
  }
  #age = 0

  constructor(seed: number, { stops = false } = {}) {
    this.random = createRandom(seed)
    this.#stops = stops
  }

  after(seconds: number, act: () => void): void {
    const at = this.now + Math.max(0, seconds)
    let place = this.#events.length
    while (place > 0 && (this.#events[place - 1] as { at: number }).at <= at) place -= 1
    this.#events.splice(place, 0, { at, act })
  }

  run(until: number): void {
    for (let next = this.#events.pop(); next !== undefined && next.at <= until; next = this.#events.pop()) {
      this.now = next.at
      next.act()
      if (this.#stops && this.shadowedAt !== null) return
    }
  }

  /** A refresh, as a store carries it out. */
  refresh(gen: number): Tokens | null {
    const record = this.#record
    const word = decideRotation(record, gen, this.now, POLICY)
    const isPredecessor = gen === record.gen - 1
    if (word === 'reused' && isPredecessor) this.shadowedAt ??= this.ages.length
    if (word === 'reused' && !isPredecessor) {
      this.refused += 1
      return null
    }
    if (isPredecessor) {
      this.#age = Math.max(this.#age, this.now - record.rotatedAt)
      const late = word === 'reused' ? 0 : toLate(record, this.now, POLICY)
      this.#record = { ...record, late, ...(word === 'reused' && { lateBefore: 0 }) }
    }
    if (word === 'rotated') {
      this.ages.push(this.#age)
      this.#age = 0
      const lateBefore = toLateBefore(record, POLICY)
      this.#record = { ...record, gen: gen + 1, rotatedAt: this.now, late: 0, lateBefore }
      this.onRotated?.()
    }
    return { gen: this.#record.gen, life: LIFE * (1 - JITTER * this.random()) }
  }
}

/** A client's life: its tabs refresh whenever the access token has ended. */
export class SimulatedClient {
  readonly #session: SimulatedSession
  readonly #conditions: Conditions
  /** What the tabs share. */
  #gen = 0
  #former = 0
  #storedAt = Number.NEGATIVE_INFINITY
  #until = LIFE
  /** The tabs that wait for a response: a tab sends one refresh at a time. */
  readonly #busy = new Set<number>()
  #isAway = false
  #isSignedOut = false

  constructor(session: SimulatedSession, conditions: Conditions) {
    this.#session = session
    this.#conditions = conditions
    session.after(this.#left(), () => this.#live())
  }

  /** The token that the client has. */
  get gen(): number {
    return this.#gen
  }

  /** Seconds until the client takes its access token for ended. */
  #left(): number {
    return this.#until - this.#conditions.ahead - this.#session.now
  }

  #live(): void {
    if (this.#isSignedOut) return
    const { random } = this.#session
    const wait = this.#toWait()
    if (wait === null) this.#wakeTabs()
    const { spread, ahead } = this.#conditions
    // A clock that is far ahead: every use refreshes.
    const pause = ahead > LIFE ? 600 * random() : 60
    this.#session.after(wait ?? spread + pause, () => this.#live())
  }

  /** How long there is nothing to do; null where tabs look for a new access token. */
  #toWait(): number | null {
    const { now, random } = this.#session
    const { nights, ahead } = this.#conditions
    const hour = (now % DAY) / 3600
    if (this.#isAway) return 60
    if (nights && hour >= 16) return (24 - hour + random()) * 3600
    return ahead <= LIFE && this.#left() > 0.001 ? this.#left() : null
  }

  #wakeTabs(): void {
    const { random } = this.#session
    const { tabs, spread, throttled } = this.#conditions
    const isAtOnce = random() < 0.2
    for (let tab = 0; tab < tabs; tab++) {
      const later = throttled && random() < 0.33 ? 60 * random() : 0
      this.#session.after((isAtOnce ? 0 : spread * random()) + later, () => this.#notice(tab))
    }
  }

  /** A tab notices that the access token has ended, unless another one has replaced it. */
  #notice(tab: number): void {
    if (this.#busy.has(tab) || this.#toWait() !== null) return
    const { random } = this.#session
    const sent = this.#read()
    if (random() < this.#conditions.cut) {
      this.#vanish(sent)
      return
    }
    this.#busy.add(tab)
    this.#session.after(this.#conditions.hold(random), () => this.#send(tab, sent, 0))
  }

  /** Reads the shared token: for a while after a change the former one may be read. */
  #read(): number {
    const { now, random } = this.#session
    return now - this.#storedAt < this.#conditions.lag * random() ? this.#former : this.#gen
  }

  #send(tab: number, sent: number, tries: number): void {
    const { random } = this.#session
    const { latency, lost, timeout } = this.#conditions
    let isOver = false
    this.#session.after(timeout * 2 ** Math.min(tries, 2) * (1 + random()), () => {
      if (isOver || this.#isSignedOut) return
      isOver = true
      if (!this.#isAway) this.#send(tab, this.#gen, tries + 1)
    })
    const [isSent, isReturned] = [random() >= lost, random() >= lost]
    if (!isSent) return
    const [before, after] = this.#serverTimes()
    this.#session.after(latency(random) + before, () => {
      const tokens = this.#session.refresh(sent)
      if (tokens === undefined) return
      if (tokens === null) this.#isSignedOut = true
      if (tokens === null || !isReturned) return
      this.#session.after(after + latency(random), () => {
        if (isOver || this.#isAway) return
        isOver = true
        this.#busy.delete(tab)
        this.#store(sent, tokens)
      })
    })
  }

  /** A response wins over what is there, where it brings another token than was sent. */
  #store(sent: number, { gen, life }: Tokens): void {
    const { now } = this.#session
    this.#until = now + life
    if (gen === sent) return
    this.#former = this.#gen
    this.#gen = gen
    this.#storedAt = now
  }

  /** The refresh goes out; the client is gone when the response comes. */
  #vanish(sent: number): void {
    const { random } = this.#session
    this.#isAway = true
    this.#busy.clear()
    this.#session.after(this.#conditions.latency(random), () => this.#session.refresh(sent))
    this.#session.after(1 + exponential(random, this.#conditions.away), () => {
      this.#isAway = false
      this.#until = Number.NEGATIVE_INFINITY
    })
  }

  /** How long the server takes, before it carries out the refresh and afterwards. */
  #serverTimes(): [number, number] {
    const { now, random } = this.#session
    const isSlow = this.#conditions.slowServer && now % DAY > 40_000 && now % DAY < 40_600
    if (!isSlow) return [0, 0]
    const [share, total] = [random() / 3, 20 + 40 * random()]
    return [share * total, (1 - share) * total]
  }
}

/** Lets an honest client live for some days. */
export function simulateClient(conditions: Conditions, seed: number, days: number): SimulatedSession {
  const session = new SimulatedSession(seed)
  new SimulatedClient(session, conditions)
  session.run(days * DAY)
  return session
}

/**
 * When a thief sends the token that he has: seconds after each rotation by the victim, or by the
 * end of his access token.
 */
export type Reaction = ((random: Random) => number) | 'blind'

/** A thief, his victim, and for how long they are watched. */
export interface Theft {
  readonly conditions: Conditions
  readonly reaction: Reaction
  readonly seed: number
  readonly days: number
  /** Whether the simulation stops when the rule has ended the session. */
  readonly stops: boolean
}

/** Lets a victim and a thief share a session. */
export function simulateThief({ conditions, reaction, seed, days, stops }: Theft): SimulatedSession {
  const session = new SimulatedSession(seed, { stops })
  const { random } = session
  const victim = new SimulatedClient(session, conditions)
  let token = 0
  const steal = (): void => {
    token = victim.gen
    if (reaction === 'blind') session.after(LIFE * random(), goBlind)
    else session.onRotated = () => session.after(reaction(random), act)
  }
  const act = (): Tokens | null => {
    const tokens = session.refresh(token)
    if (tokens !== null) token = tokens.gen
    return tokens
  }
  const goBlind = (): void => {
    const tokens = act()
    // He expects the victim when he would refresh himself.
    if (tokens !== null) session.after(tokens.life, goBlind)
  }
  session.after(3.5 * LIFE, steal)
  session.run(days * DAY)
  return session
}
