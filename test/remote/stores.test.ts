/**
 * A service without the store, for each store that processes share: two processes over real HTTP have the store, and the service
 * follows one of them. Its cursor outlives that process, and a log that went back.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Auth } from '../../src/index.ts'
import { describeGrounds, SHARED } from '../invariants/grounds.ts'
import type { IssuerSpec } from './node/issuer.ts'
import { CREDENTIALS, codeOf, createService, ISSUER, KEY, until } from './services.ts'

const MAIN = new URL('../../dist/test/remote/node/issuer.js', import.meta.url).pathname

/** A process that has the store. */
interface IssuerProcess {
  readonly origin: string
  login(sub: string): Promise<string>
  endAll(sub: string): Promise<void>
  kill(): Promise<void>
}

async function startIssuer(store: IssuerSpec['store'], port = 0): Promise<IssuerProcess> {
  const spec: IssuerSpec = { store, key: KEY, issuer: ISSUER, client: CREDENTIALS, port }
  const env = { ...process.env, TOKENWRIGHT_ISSUER: JSON.stringify(spec) }
  const child: ChildProcess = fork(MAIN, [], { env, execArgv: [] })
  const origin = await new Promise<string>((resolve) =>
    child.once('message', (said) => resolve(String(said))),
  )
  return {
    origin,
    async login(username) {
      const body = JSON.stringify({ username, password: 'x', delivery: 'body' })
      const headers = { 'content-type': 'application/json' }
      const response = await fetch(`${origin}/auth/login`, { method: 'POST', headers, body })
      return ((await response.json()) as { access_token: string }).access_token
    },
    async endAll(sub) {
      await fetch(`${origin}/end-all/${sub}`, { method: 'POST' })
    },
    async kill() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** What the service was told: the cursor that it asked with, and the page. */
interface Told {
  readonly cursor: string | null
  readonly restarted: boolean
  readonly keys: readonly string[]
}

describeGrounds(SHARED, (ground, name) => {
  const told: Told[] = []
  let followed: IssuerProcess
  let other: IssuerProcess
  let service: Auth

  /** As `fetch`; notes each page. */
  const listen: typeof fetch = async (input, init) => {
    const response = await fetch(input, init)
    const { searchParams } = new URL(String(input))
    if (init?.method === 'GET' && response.status === 200) {
      const page = (await response.clone().json()) as { restarted: boolean; entries: { key: string }[] }
      const keys = page.entries.map(({ key }) => key)
      told.push({ cursor: searchParams.get('cursor'), restarted: page.restarted, keys })
    }
    return response
  }
  const verify = (token: string) => codeOf(() => service.verifyToken(token))

  beforeAll(async () => {
    const { spec } = ground()
    ;[followed, other] = await Promise.all([startIssuer(spec), startIssuer(spec)])
    service = createService(`${followed.origin}/auth/revocations`, {
      feed: { fetch: listen },
      revocation: { maxStale: '3s' },
    })
    await service.ready()
  })
  afterAll(async () => {
    await service.close()
    await Promise.all([followed.kill(), other.kill()])
  })

  it('is refused within a second of `endAll`, in whichever process', async () => {
    const bob = await followed.login('bob')
    for (const [round, ender] of [followed, other, followed, other].entries()) {
      const alice = await followed.login('alice')
      expect(await verify(alice)).toBe('accepted')
      await ender.endAll('alice')
      expect(await until('token_revoked', () => verify(alice)), `round ${round}`).toBeLessThan(1)
    }
    expect(await verify(bob)).toBe('accepted')
    // A strict route asks, and waits for no feed.
    await other.endAll('bob')
    expect(await codeOf(() => service.verifyToken(bob, { revocation: 'strict' }))).toBe('token_revoked')
  })

  it('is followed on from the same place after a restart of the process', async () => {
    const [alice, bob] = await Promise.all(['alice', 'bob'].map((sub) => followed.login(sub)))
    await followed.endAll('alice')
    await until('token_revoked', () => verify(alice ?? ''))
    const port = Number(new URL(followed.origin).port)
    await followed.kill()
    // What happens meanwhile is learned afterwards.
    await other.endAll('bob')
    expect(await verify(bob ?? '')).toBe('accepted')
    const begun = told.length
    followed = await startIssuer(ground().spec, port)
    expect(await until('token_revoked', () => verify(bob ?? ''))).toBeLessThan(5)
    expect(await verify(alice ?? '')).toBe('token_revoked')
    const since = told.slice(begun)
    expect(since.length).toBeGreaterThan(0)
    expect(since.every(({ cursor, restarted }) => cursor !== null && !restarted)).toBe(true)
    // Nothing of before is told again.
    const before = new Set(told.slice(0, begun).flatMap(({ keys }) => keys))
    expect(since.flatMap(({ keys }) => keys).filter((key) => before.has(key))).toEqual([])
  })

  it('goes on where the log was pruned behind it', async () => {
    const [alice, bob] = await Promise.all(['alice', 'bob'].map((sub) => followed.login(sub)))
    await followed.endAll('alice')
    await until('token_revoked', () => verify(alice ?? ''))
    const begun = told.length
    await ground().pruneLog()
    await other.endAll('bob')
    expect(await until('token_revoked', () => verify(bob ?? ''))).toBeLessThan(1)
    expect(await verify(alice ?? '')).toBe('token_revoked')
    expect(told.slice(begun).filter(({ restarted }) => restarted)).toEqual([])
  })

  it('keeps what it knows of a log that was lost, and follows the new one', async () => {
    const [alice, bob, carol] = await Promise.all(['alice', 'bob', 'carol'].map((sub) => followed.login(sub)))
    await followed.endAll('alice')
    await until('token_revoked', () => verify(alice ?? ''))
    const begun = told.length
    await ground().loseLog()
    await until('accepted', () => verify(carol ?? ''))
    const dora = await followed.login('dora')
    await followed.endAll('dora')
    expect(await until('token_revoked', () => verify(dora), 5)).toBeLessThan(5)
    expect(await verify(alice ?? '')).toBe('token_revoked')
    expect(await verify(bob ?? '')).toBe('accepted')
    expect(
      told.slice(begun).some(({ restarted }) => restarted),
      name,
    ).toBe(true)
  })

  it('refuses everything after `maxStale` without the process, and heals', async () => {
    const bob = await followed.login('bob')
    expect(await verify(bob)).toBe('accepted')
    const port = Number(new URL(followed.origin).port)
    await followed.kill()
    const seconds = await until('store_unavailable', () => verify(bob))
    expect(seconds).toBeGreaterThan(1)
    expect(seconds).toBeLessThan(4)
    await other.endAll('bob')
    followed = await startIssuer(ground().spec, port)
    expect(await until('token_revoked', () => verify(bob))).toBeLessThan(5)
  })
})
