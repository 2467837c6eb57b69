/**
 * Files from elsewhere: whatever a case says, in the form of `attack/cases/README.md` or near it,
 * it is run or skipped with a plain reason, and the cases after it are run.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type AttackCase, type Json, readCases } from '../../attack/cases.ts'
import { runCases } from '../../attack/runner.ts'
import { ADAPTERS } from '../../attack/target.ts'

const folder = mkdtempSync(join(tmpdir(), 'attack-forms-'))
afterAll(() => rmSync(folder, { recursive: true }))

const LOGIN = { login: { user: 'alice', save: 'A' } }
const GOOD = { path: '/protected', bearer: '$A.access' }
const BAD = { path: '/protected', bearer: 'x.y.z' }

function read(cases: Json): AttackCase[] {
  const file = join(folder, 'cases.json')
  writeFileSync(file, JSON.stringify(cases))
  return readCases(file)
}

const toRaw = (steps: Json[], expectation: Json, more: Record<string, Json> = {}): Json => ({
  id: 'T-1',
  description: 'test',
  how: { steps, ...(more['needs'] !== undefined && { needs: more['needs'] }) },
  expect: expectation,
  ...(more['id'] !== undefined && { id: more['id'] }),
})

async function run(steps: Json[], expectation: Json, more: Record<string, Json> = {}) {
  const [result] = await runCases(read([toRaw(steps, expectation, more)]))
  if (result === undefined) throw new Error('no result')
  return result
}

const PASSED = { outcome: 'passed', reasons: [] }

describe('a case from elsewhere', () => {
  it.each<[string, Json]>([
    ['a pattern', '/^Bearer .*invalid_token/'],
    ['a pattern with the flag g, twice', '/Bearer/g'],
    ['one of several', ['Basic', '/^bearer/i']],
    ['absent, or one of several', [null, 'Bearer']],
  ])('expects of a header %s', async (_what, wanted) => {
    const steps = [LOGIN, { request: { ...BAD, expect: { headers: { 'WWW-Authenticate': wanted } } } }]
    const expectation = { status: 401, headers: { 'www-authenticate': wanted } }
    expect(await run([...steps, { request: BAD }], expectation)).toMatchObject(PASSED)
  })

  it('says which of several values of a header were expected', async () => {
    const result = await run([{ request: BAD }], { headers: { 'X-None': ['a', '/b/'] } })
    expect(result.reasons).toEqual(["header x-none: '', expected a or /b/"])
  })

  it.each(Object.keys(ADAPTERS))('sends HEAD, whose response has no body (%s)', async (adapter) => {
    const head = (request: Json) => ({ request: { method: 'HEAD', ...(request as object) } }) as Json
    const wanted = { status: 401, error: 'token_malformed', assert: ['default', 'handler not executed'] }
    const good = head({ ...GOOD, expect: { status: 200, headers: { 'content-type': 'json' } } })
    const cases = read([toRaw([LOGIN, good, head(BAD)], wanted)])
    expect(await runCases(cases, { adapter })).toMatchObject([PASSED])
  })

  it('holds each of parallel requests to their own expectation', async () => {
    const parallel = (own: Json) => ({ parallel: { n: 2, request: { ...GOOD, expect: own } } })
    expect(await run([LOGIN, parallel(200), { request: BAD }], { status: 401 })).toMatchObject(PASSED)
    const failed = await run([LOGIN, parallel(403), { request: BAD }], { status: 401 })
    const reason = 'GET /protected: status 200, expected 403'
    expect(failed.reasons).toEqual([reason, reason])
  })

  it('holds a repeated request to its own expectation', async () => {
    const steps = [LOGIN, { repeat: { n: 2, step: { request: { ...GOOD, expect: 403 } } } }]
    const reason = 'GET /protected: status 200, expected 403'
    expect((await run(steps, {})).reasons).toEqual([reason, reason])
  })

  it('holds a request with its own expectation to it, and the case to the others', async () => {
    const own = { request: { ...GOOD, expect: { status: 200 } } }
    expect(await run([LOGIN, { request: BAD }, own], { status: 401 })).toMatchObject(PASSED)
  })

  it('starts the application with other options, which may be a group', async () => {
    const short = { configure: { options: { realm: 'staff', access: { expiresIn: 60 } } } }
    const steps = [short, LOGIN, { clock: { advance: 61 } }, { request: GOOD }, { refresh: { from: 'A' } }]
    expect(await run(steps.slice(0, 4), { status: 401, error: 'token_expired' })).toMatchObject(PASSED)
    expect(await run(steps, { status: 200 })).toMatchObject(PASSED)
  })

  it('expects options to be refused, and fails if they are accepted', async () => {
    const expectation = { status: 'config_error' }
    const bad = { configure: { options: [{ jwtSecret: 'x' }, { realm: 5 }] } }
    expect(await run([bad], expectation)).toMatchObject(PASSED)
    const good = await run([{ configure: { options: { realm: 'staff' } } }], expectation)
    expect(good.reasons).toEqual(['no response and no refused setup, expected config_error'])
  })

  it('repeats a list of steps, each with its alternatives', async () => {
    const steps = [{ clock: { advance: 300 } }, { request: GOOD }]
    expect(await run([LOGIN, { repeat: { n: 2, steps } }], { status: 200 })).toMatchObject(PASSED)
    expect(await run([LOGIN, { repeat: { n: 4, steps } }], { status: 401 })).toMatchObject(PASSED)
    const both = { request: { path: '/protected', bearer: ['x.y.z', '$A.access'] } }
    const result = await run([LOGIN, { repeat: { n: 1, steps: [both] } }], { status: 200 })
    expect(result.reasons).toEqual([expect.stringMatching(/bearer="x.y.z": status 401/)])
  })

  it('may say one need without a list', async () => {
    const result = await run([LOGIN], {}, { needs: 'telepathy' })
    expect(result.reasons).toEqual(['not runnable: needs telepathy, which this runner does not know'])
  })

  it.each<[string, Json[], Record<string, Json>, RegExp]>([
    ['an unknown fault', [{ fault: { target: 'store', action: { gravity: 'off' } } }], {}, /fault/],
    [
      'an unknown signal',
      [{ fault: { target: 'store', action: { signal: 'SIGHUP', store: 'sqlite' } } }],
      {},
      /fault/,
    ],
    [
      'an unknown store',
      [{ fault: { target: 'store', action: { signal: 'SIGKILL', store: 'etcd' } } }],
      {},
      /etcd/,
    ],
    [
      'an unknown use of a proxy',
      [{ fault: { target: 'store', action: { proxy: 'latency', store: 'redis' } } }],
      {},
      /latency|redis/,
    ],
    ['an unknown target of a fault', [{ fault: { target: 'disk', action: { fill: true } } }], {}, /disk/],
    ['a heal without a fault', [{ fault: { target: 'store', action: 'heal' } }], {}, /no fault has begun/],
    ['an unknown step', [{ load: { n: 5 } }], {}, /step 'load'/],
    [
      'a step with the name of a built-in',
      [{ constructor: {} } as unknown as Json],
      {},
      /step 'constructor'/,
    ],
    ['a text for such a step', [{ constructor: 'x' } as unknown as Json], {}, /step 'constructor'/],
    ['too many repetitions', [{ repeat: { n: 1e10, every: 1, step: { request: GOOD } } }], {}, /'n' must be/],
    ['too many requests', [{ parallel: { n: 1e9, request: GOOD } }], {}, /'n' must be/],
    [
      'no time between repetitions',
      [{ repeat: { until: 60, every: 0, step: { request: GOOD } } }],
      {},
      /'until'/,
    ],
    [
      'an unknown member of a parallel request',
      [{ parallel: { n: 1, request: { ...GOOD, trailer: 1 } } }],
      {},
      /trailer/,
    ],
    ['a need with the name of a built-in', [LOGIN], { needs: ['constructor'] }, /needs constructor/],
    ['an unknown algorithm', [LOGIN], { needs: ['asymmetric_server:XS256'] }, /XS256/],
    [
      'an unknown configuration',
      [{ configure: { toString: 'x' } } as unknown as Json],
      {},
      /'toString' in step 'configure'/,
    ],
    ['an invalid pattern', [{ configure: { iss_regexp: '/(/' } }], {}, /invalid pattern/],
    [
      'an unknown generator',
      [{ raw_token: { value: '$jwe_constructor', save: 't' } }],
      {},
      /jwe_constructor/,
    ],
  ])('is not runnable because of %s', async (_what, steps, more, reason) => {
    const cases = [toRaw(steps, { status: 503 }, more), toRaw([LOGIN, { request: GOOD }], { status: 200 })]
    const [unknown, next] = await runCases(read(cases))
    expect(unknown).toMatchObject({ outcome: 'skipped', reasons: [expect.stringMatching(/^not runnable: /)] })
    expect(unknown?.reasons[0]).toMatch(reason)
    expect(unknown?.reasons[0]).not.toMatch(/undefined|\[object|=>|native code/)
    expect(next).toMatchObject(PASSED)
  })

  it('is not runnable with too many combinations', async () => {
    const many = Array.from({ length: 100 }, (_, index) => index)
    const result = await run([{ mint: { claims: { a: many, b: many }, save: 't' } }], { status: 401 })
    expect(result).toMatchObject({
      outcome: 'skipped',
      reasons: ['not runnable: 10000 combinations, at most 5000 are run'],
    })
  })

  it('may have the id of a built-in', async () => {
    expect(await run([LOGIN], {}, { id: 'constructor' })).toMatchObject(PASSED)
  })

  it('is run in the combinations that are known, and names the others once', async () => {
    const fns = ['truncate', 'teleport', 'levitate']
    const steps = [
      LOGIN,
      { mutate: { from: 'A.access', fn: fns, save: 't' } },
      { request: { ...BAD, bearer: '$t' } },
    ]
    const failed = await run(steps, { status: 200 })
    expect(failed).toMatchObject({ outcome: 'failed', reasons: [expect.stringContaining('truncate')] })
    expect(failed.notes).toEqual([
      expect.stringMatching(/^SKIPPED .*teleport/),
      expect.stringMatching(/^SKIPPED .*levitate/),
    ])
    const unknown = await run([LOGIN, { mutate: { from: 'A.access', fn: 'x|y', save: 't' } }], {})
    expect(unknown).toMatchObject({ outcome: 'skipped', reasons: ["not runnable: unknown mutation 'x|y'"] })
  })
})
