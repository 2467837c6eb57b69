/**
 * Clients that sign in, refresh and sign out while a store fails under them, and what became of
 * each: what was acknowledged must hold afterwards, and nobody is signed out.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { waitFor } from '../stores/redis-server.ts'
import type { Application } from './application.ts'

/** What the clients saw. */
export interface Seen {
  /** How often each code came; `ok` among them. */
  readonly codes: Readonly<Record<string, number>>
  /** For how many seconds no call succeeded, at most. */
  readonly gap: number
  /** When the last call failed, by `performance.now()`; 0 for never. */
  readonly failedAt: number
}

/** Clients at work. */
export interface Crowd {
  /** Lets the calls that are under way come to their end. */
  stop(): Promise<Seen>
  /**
   * Resolves when calls succeed again: so many one after the other, all begun after this was called.
   * Rejects when that has not come after so many seconds.
   */
  recovered(seconds?: number): Promise<void>
  /** The last refresh token of each client that has not signed out. */
  readonly signedIn: () => readonly string[]
  /** An access token of each client whose end of session was acknowledged. */
  readonly signedOut: () => readonly string[]
}

/** How often a client calls before it signs out. */
const TURNS = 8

/** How many calls in a row show that a store works again. */
const IN_A_ROW = 20

interface Client {
  refresh: string
  access: string
  state: 'in' | 'asked' | 'out'
}

/** Starts them. Each signs out after some calls, and another one takes its place. */
export async function startCrowd(app: Application, size: number): Promise<Crowd> {
  const all: Client[] = []
  const codes: Record<string, number> = {}
  let isOver = false
  let good: { begunAt: number }[] = []
  let lastGood = performance.now()
  let gap = 0
  let failedAt = 0

  async function count(begunAt: number, work: () => Promise<string>): Promise<boolean> {
    const code = await work()
    codes[code] = (codes[code] ?? 0) + 1
    if (code !== 'ok') {
      good = []
      failedAt = performance.now()
      return false
    }
    gap = Math.max(gap, (performance.now() - lastGood) / 1000)
    lastGood = performance.now()
    good.push({ begunAt })
    return true
  }
  const codeOf = (error: unknown): string => String(Object(error).code)

  async function signIn(): Promise<Client | null> {
    let client: Client | null = null
    await count(performance.now(), async () => {
      try {
        const { access_token, refresh_token } = await app.login()
        client = { refresh: refresh_token, access: access_token, state: 'in' }
        return 'ok'
      } catch (error) {
        return codeOf(error)
      }
    })
    if (client !== null) all.push(client)
    return client
  }

  async function live(number: number): Promise<void> {
    for (let client = await signIn(), turn = number; !isOver; turn++) {
      await pause(20 + 40 * Math.random())
      if (client === null) {
        client = await signIn()
        continue
      }
      const { refresh } = client
      if (turn % TURNS === TURNS - 1) {
        client.state = 'asked'
        const isEnded = await count(performance.now(), () =>
          app.auth.sessions.end(app.sidOf(refresh)).then(() => 'ok', codeOf),
        )
        if (isEnded) client.state = 'out'
        client = null
        continue
      }
      const current = client
      await count(performance.now(), async () => {
        const { code, pair } = await app.refresh(refresh)
        if (pair !== null) Object.assign(current, { refresh: pair.refresh_token, access: pair.access_token })
        return code
      })
    }
  }

  const lives = Array.from({ length: size }, (_, number) => live(number))
  const select = (state: Client['state']): Client[] => all.filter((client) => client.state === state)
  return {
    async stop() {
      isOver = true
      await Promise.all(lives)
      return { codes, gap, failedAt }
    },
    async recovered(seconds = 30) {
      const since = performance.now()
      await waitFor(async () => good.filter(({ begunAt }) => begunAt >= since).length >= IN_A_ROW, seconds)
    },
    signedIn: () => select('in').map(({ refresh }) => refresh),
    signedOut: () => select('out').map(({ access }) => access),
  }
}
