/** The steps and sentences of sessions and faults, on small cases: that they pass what holds, and fail what does not. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AttackCase, Json } from '../../attack/cases.ts'
import { startProxy } from '../../attack/proxy.ts'
import { send } from '../../attack/raw-http.ts'
import { runCases } from '../../attack/runner.ts'
import { type ServerKind, startServer } from '../../attack/servers.ts'
import { Absent } from '../../attack/values.ts'

const LOGIN = { login: { user: 'alice', save: 'A' } }
const REFRESH = { refresh: { from: 'A', save: 'B' } }
const REUSE = [
  LOGIN,
  REFRESH,
  { clock: { advance: '2*grace+1' } },
  { refresh: { from: 'B', save: 'C' } },
  { refresh: { from: 'A' } },
]

function toCase(steps: readonly Json[], expect: Partial<AttackCase['expect']>): AttackCase {
  const expectation = { status: [], error: [], assert: [], headers: {}, ...expect }
  return { id: 'T-1', category: 'refresh', description: 'test', needs: [], steps, expect: expectation }
}

async function run(steps: readonly Json[], expectation: Partial<AttackCase['expect']>, store?: ServerKind) {
  const [result] = await runCases([toCase(steps, expectation)], store && { store })
  if (result === undefined) throw new Error('no result')
  return result
}

describe('families', () => {
  it('are revoked by reuse, and a case that says otherwise fails', async () => {
    const good = await run(REUSE, { error: ['refresh_reused'], assert: ['default', 'family revoked'] })
    expect(good).toMatchObject({ outcome: 'passed', reasons: [], unchecked: [] })
    const bad = await run(REUSE.slice(0, 4), { assert: ['family revoked', 'reuse reported once'] })
    expect(bad.reasons).toEqual(['family revoked: the row says live', 'reuse reported once: 0 reports'])
  })

  it('are the same on a store of a file', async () => {
    const result = await run(REUSE, { error: ['refresh_reused'], assert: ['family revoked'] }, 'sqlite')
    expect(result.outcome === 'skipped' || result.reasons).toEqual([])
  })

  it('are dead after a logout among refreshes, and alive without', async () => {
    const mixed = [
      { n: 5, refresh: 'A' },
      { n: 1, logout: 'A' },
    ]
    const assert = ['every refresh token returned by any 200 is dead']
    const good = await run([LOGIN, { parallel: { mixed } }], { status: [200, 401], assert })
    expect(good.reasons).toEqual([])
    const alive = await run([LOGIN, { parallel: { mixed: mixed.slice(0, 1) } }], { status: [401], assert })
    expect(alive.reasons.slice(0, 5)).toEqual(Array.from({ length: 5 }, () => 'status 200, expected 401'))
    expect(alive.reasons[5]).toContain('/protected gets 200')
  })

  it('bring out a client whose response was lost', async () => {
    const assert = ['a retry inside the grace gives 200 and the same successor']
    const lost = { refresh: { from: 'A', drop_response: true } }
    expect((await run([LOGIN, lost], { assert })).reasons).toEqual([])
    expect((await run([LOGIN], { assert })).reasons).toEqual([`${assert[0]}: nothing was checked`])
  })

  it('end on time, and a refusal at another time fails', async () => {
    // A predecessor is forgiven until its successor goes on.
    const spent: Json[] = [
      LOGIN,
      { refresh: { from: 'A', save: 'B' } },
      { clock: { advance: '2*grace+1' } },
      { refresh: { from: 'B', save: 'C' } },
    ]
    const old = { refresh: { from: 'A' } }
    const steps = (every: string): Json[] => [...spent, { repeat: { n: 1, every, step: old } }]
    expect((await run(steps('grace+1'), { error: ['refresh_reused'] })).reasons).toEqual([])
    expect((await run(steps('grace+1'), { error: ['token_expired'] })).reasons).toContain(
      '401 refresh_reused, expected token_expired',
    )
  })

  it('outlive forgeries: the genuine token is tried, and not taken for the forgery', async () => {
    const forged = [
      LOGIN,
      { mutate: { from: 'A.refresh', fn: ['gen+1', '$repeat:a:20'], save: 't' } },
      { request: { method: 'POST', path: '/refresh', refresh: '$t' } },
      REFRESH,
    ]
    const assert = [
      'the genuine token still works',
      "an unauthenticated forgery never revokes alice's family (no remote logout)",
    ]
    expect((await run(forged, { status: [401], assert })).reasons).toEqual([])
    const ended = [
      ...forged.slice(0, 2),
      { request: { method: 'POST', path: '/logout', bearer: '$A.access' } },
    ]
    const dead = await run([...ended, REFRESH], { assert })
    expect(dead.reasons).toContain('mutate.fn="gen+1": the genuine token still works: its refresh gets 401')
    expect(dead.reasons.join()).toContain('the row says ended')
  })

  it('take rights away at refresh', async () => {
    const ask = { request: { path: '/protected?need=admin', bearer: '$B.access' } }
    const demoted = [LOGIN, { admin: 'demote alice' }, REFRESH, ask]
    expect((await run(demoted, { status: [403], error: ['scope_missing'] })).reasons).toEqual([])
  })
})

describe('faults', () => {
  const outage = (signal: string): Json[] => [
    LOGIN,
    { fault: { target: 'store', action: { signal, store: 'redis' } } },
    { request: { method: 'GET', path: '/protected', bearer: '$A.access' } },
    { fault: { target: 'store', action: 'heal' } },
    { refresh: { from: 'A' } },
  ]

  it('of a store get 503 in time and heal', async () => {
    const assert = [
      'strict mode: 503 + Retry-After within the deadline (default 2 s), never 200, never 401 that logs the client out',
      'stateless mode: 200',
      'after heal: 200 without restart, within 5 s',
    ]
    const result = await run(outage('SIGKILL'), { status: [503], error: ['store_unavailable'], assert })
    expect(result.outcome === 'skipped' || result.reasons).toEqual(result.outcome === 'skipped' ? true : [])
  }, 30_000)

  it.each([
    ['a 503 is about the responses during it', [503]],
    ['another status is about those after it', [200]],
    ['both are about both', [200, 503]],
  ])('of a store: %s', { timeout: 60_000 }, async (_what, status) => {
    const result = await run(outage('SIGKILL'), { status })
    expect(result.outcome === 'skipped' || result.reasons).toEqual(result.outcome === 'skipped' ? true : [])
  })

  it('of a feed are told from a feed that works', async () => {
    const steps = (inject: string): Json[] => [
      LOGIN,
      { fault: { target: 'store', action: { inject } } },
      { request: { method: 'GET', path: '/protected', bearer: '$A.access' } },
    ]
    const assert = [
      'after maxStale without contact the other guards answer 503 (or go on where whenStale is allow)',
    ]
    expect((await run(steps('feed_down'), { status: [503], assert })).reasons).toEqual([])
    expect((await run(steps('feed_dup'), { status: [401], assert })).reasons).toEqual([])
    expect((await run(steps('feed_gone'), {})).reasons).toEqual([
      'not runnable: unknown fault {"target":"store","action":{"inject":"feed_gone"}}',
    ])
  }, 30_000)
})

describe('startServer', () => {
  it('skips what this machine lacks, with the name of the program', async () => {
    const path = process.env['PATH']
    process.env['PATH'] = '/nowhere'
    try {
      await expect(startServer('redis')).rejects.toThrow(
        new Absent('no redis server program on this machine'),
      )
    } finally {
      process.env['PATH'] = path
    }
  })
})

describe('startProxy', () => {
  let server: Server
  beforeAll(async () => {
    server = createServer((_request, response) => response.end('x'.repeat(1_000))).listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterAll(() => void server.close())
  const ask = (port: number) => send(port, { method: 'GET', path: '/', headers: [] })

  it('lets pass, counts, and cuts once at a byte of one direction', async () => {
    const proxy = await startProxy((server.address() as AddressInfo).port)
    try {
      expect((await ask(proxy.port)).body).toHaveLength(1_000)
      const total = proxy.passed.filter(({ direction }) => direction === 'down')
      expect(total.reduce((sum, { bytes }) => sum + bytes, 0)).toBeGreaterThan(1_000)
      proxy.arm({ direction: 'down', after: 0 })
      await expect(ask(proxy.port)).rejects.toThrow('no HTTP response (0 bytes)')
      expect(proxy.swallowed).toContain('HTTP/1.1 200 OK')
      proxy.arm({ direction: 'down', after: 10 })
      await expect(ask(proxy.port)).rejects.toThrow('no HTTP response (10 bytes)')
      proxy.arm({ direction: 'up', after: 5 })
      await expect(ask(proxy.port)).rejects.toThrow('no HTTP response (0 bytes)')
      expect((await ask(proxy.port)).status).toBe(200)
    } finally {
      await proxy.close()
    }
  })
})
