/**
 * What services without the store cost the one that has it, by their number: while nothing is
 * revoked, and with five revocations a second; and how soon they refuse.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import {
  type Auth,
  createAuth,
  createKeyRing,
  generateKey,
  isAuthError,
  type Jwk,
  remoteFeed,
} from 'tokenwright'
import type { Usage } from './issuer.ts'

/** One row of the table; lengths in seconds. */
export interface FollowersResult extends Usage {
  /** How many services follow. */
  readonly followers: number
  /** Revocations per second. */
  readonly revocations: number
  /** How long after the response of `endAll` the last of all services refused: median and most. */
  readonly delay: { readonly median: number; readonly most: number } | null
}

/** How long each row is measured, in seconds. */
const LENGTH = 20

/** Revocations per second in the second row of each number. */
const REVOCATIONS = 5

/** Measures each number of followers. */
export async function measureFollowers(counts = [0, 1, 10, 100]): Promise<readonly FollowersResult[]> {
  const results: FollowersResult[] = []
  for (const count of counts) results.push(...(await measureCount(count)))
  return results
}

async function measureCount(followers: number): Promise<readonly FollowersResult[]> {
  const key = generateKey('ES256')
  const main = new URL('./issuer.js', import.meta.url)
  const child = fork(main, { env: { ...process.env, BENCH_KEY: JSON.stringify(key) } })
  const port = await reply<number>(child)
  const { d: _, ...published } = key
  const services = Array.from({ length: followers }, () => follow(port, published))
  await Promise.all(services.map((service) => service.ready()))
  await pause(1000)
  const idle = await measure(child, async () => {
    await pause(LENGTH * 1000)
    return null
  })
  const busy = await measure(child, () => revokeAll(child, services))
  await Promise.all(services.map((service) => service.close()))
  child.disconnect()
  return [
    { followers, revocations: 0, ...idle },
    { followers, revocations: REVOCATIONS, ...busy },
  ]
}

function follow(port: number, key: Jwk): Auth {
  return createAuth({
    keys: createKeyRing({ verifying: [key] }),
    issuer: 'https://auth.example',
    audience: 'api',
    revocation: {
      source: remoteFeed({
        url: `http://127.0.0.1:${port}/auth/revocations`,
        credentials: { id: 'bench', secret: 'bench-secret' },
      }),
    },
  })
}

/** The usage per second during some work. */
async function measure(
  child: ChildProcess,
  work: () => Promise<FollowersResult['delay']>,
): Promise<Omit<FollowersResult, 'followers' | 'revocations'>> {
  const before = await ask<Usage>(child, 'usage')
  const begun = performance.now()
  const delay = await work()
  const after = await ask<Usage>(child, 'usage')
  const seconds = (performance.now() - begun) / 1000
  const rate = (name: keyof Usage): number => (after[name] - before[name]) / seconds
  return {
    requests: rate('requests'),
    reads: rate('reads'),
    processor: rate('processor'),
    bytes: rate('bytes'),
    delay,
  }
}

async function revokeAll(child: ChildProcess, services: readonly Auth[]): Promise<FollowersResult['delay']> {
  const delays: number[] = []
  for (let i = 0; i < LENGTH * REVOCATIONS; i++) {
    const begun = performance.now()
    const token = await ask<string>(child, 'start')
    await ask(child, { end: 'user' })
    delays.push(await waitUntilRefused(token, services))
    await pause(Math.max(0, 1000 / REVOCATIONS - (performance.now() - begun)))
  }
  if (services.length === 0) return null
  const sorted = delays.toSorted((a, b) => a - b)
  return { median: sorted[Math.floor(sorted.length / 2)] ?? 0, most: sorted.at(-1) ?? 0 }
}

/** How long until every service refuses a token, in seconds. */
async function waitUntilRefused(token: string, services: readonly Auth[]): Promise<number> {
  const begun = performance.now()
  let left = services
  while (left.length > 0) {
    const accepted: Auth[] = []
    for (const service of left) if (await accepts(service, token)) accepted.push(service)
    left = accepted
    if (left.length > 0) await pause(5)
  }
  return (performance.now() - begun) / 1000
}

async function accepts(service: Auth, token: string): Promise<boolean> {
  try {
    await service.verifyToken(token)
    return true
  } catch (error) {
    if (isAuthError(error) && error.code === 'token_revoked') return false
    throw error
  }
}

function ask<T>(child: ChildProcess, question: object | string): Promise<T> {
  child.send(question)
  return reply<T>(child)
}

function reply<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve) => child.once('message', (message) => resolve(message as T)))
}
