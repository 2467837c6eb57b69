/** The runner on small cases of its own: that it passes what holds, fails what does not, and says what it cannot do. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { Attacker } from '../../attack/attacker.ts'
import { type AttackCase, type Json, readCases } from '../../attack/cases.ts'
import { createEnvironment } from '../../attack/environments.ts'
import { runInProcesses } from '../../attack/lanes.ts'
import { Progress } from '../../attack/progress.ts'
import { addCounts, countResults, fromSummary, toLines, toSummary } from '../../attack/report.ts'
import { runCases } from '../../attack/runner.ts'
import { Servers } from '../../attack/servers.ts'
import { perform } from '../../attack/steps.ts'
import { ADAPTERS } from '../../attack/target.ts'
import { shorten } from '../../attack/verdict.ts'

const folder = mkdtempSync(join(tmpdir(), 'attack-'))
afterAll(() => rmSync(folder, { recursive: true }))

const LOGIN = { login: { user: 'alice', save: 'A' } }
const NONE = {
  mutate: { from: 'A.access', fn: 'set_header', header: { alg: 'none' }, drop_signature: true, save: 't' },
}
const ASK = { request: { method: 'GET', path: '/protected', bearer: '$t' } }

function toFile(name: string, cases: Json): string {
  const file = join(folder, name)
  writeFileSync(file, JSON.stringify(cases))
  return file
}

function toCase(steps: Json[], expectation: Json, more: Record<string, Json> = {}): AttackCase {
  const { needs = [], ...rest } = more
  const raw = {
    id: 'T-1',
    category: 'alg',
    description: 'test',
    how: { needs, steps },
    expect: expectation,
    ...rest,
  }
  const [attack] = readCases(toFile('one.json', [raw]))
  if (attack === undefined) throw new Error('no case')
  return attack
}

async function run(steps: Json[], expectation: Json, more: Record<string, Json> = {}) {
  const [result] = await runCases([toCase(steps, expectation, more)])
  if (result === undefined) throw new Error('no result')
  return result
}

describe('runCases', () => {
  it.each(Object.keys(ADAPTERS))('passes a case whose attack is refused (%s)', async (adapter) => {
    const attack = toCase([LOGIN, NONE, ASK], {
      status: [401],
      error: ['token_malformed'],
      assert: ['default'],
    })
    expect(await runCases([attack], { adapter })).toMatchObject([{ outcome: 'passed', reasons: [] }])
  })

  it('fails a case whose attack ends otherwise, and says how', async () => {
    const status = await run([LOGIN, NONE, ASK], { status: [200] })
    expect(status).toMatchObject({
      outcome: 'failed',
      reasons: ['status 401 (token_malformed), expected 200'],
    })
    const error = await run([LOGIN, NONE, ASK], { status: [401], error: ['token_expired'] })
    expect(error.reasons).toEqual(['401 token_malformed, expected token_expired'])
  })

  it('fails a case when one of its combinations fails', async () => {
    const ask = {
      request: { path: '/protected', headers: { Authorization: ['Bearer $A.access', 'Basic x'] } },
    }
    const result = await run([LOGIN, ask], { status: [401] })
    expect(result.outcome).toBe('failed')
    expect(result.reasons).toEqual([
      'request.headers.Authorization="Bearer $A.access": status 200, expected 401',
    ])
  })

  it('fails an assertion that does not hold, and lists one that cannot be checked', async () => {
    const good = { request: { path: '/protected', bearer: '$A.access' } }
    const ran = await run([LOGIN, good], { assert: ['handler not executed', 'the moon is full'] })
    expect(ran.reasons).toEqual(['handler not executed: the handler ran'])
    expect(ran.unchecked).toEqual(['the moon is full'])
  })

  it('mints with the server’s key, moves the clock, rotates keys, refuses setups', async () => {
    const minted = { mint: { save: 't', claims: { exp: ['$now', '$raw:1e400', '$delete'] }, key: 'server' } }
    const statuses = { status: [401], error: ['token_expired', 'token_malformed'], assert: ['default'] }
    expect(await run([minted, ASK], statuses)).toMatchObject({ outcome: 'passed' })
    const mine = { request: { path: '/protected', bearer: '$A.access' } }
    expect(await run([LOGIN, { clock: { advance: 'access_ttl' } }, mine], statuses)).toMatchObject({
      outcome: 'passed',
    })
    const rotated = await run(
      [LOGIN, { rotate_key: {} }, mine],
      { status: [200] },
      { needs: ['key_rotation'] },
    )
    expect(rotated).toMatchObject({ outcome: 'passed', reasons: [] })
    const weak = { configure: { key: ['rsa1024', 'hmac31:HS256'] } }
    const setup = await run([weak], { status: ['config_error'], error: ['key_too_weak'] })
    expect(setup).toMatchObject({ outcome: 'passed', reasons: [] })
  })

  it.each<[string, Json[], Record<string, Json>, string]>([
    ['a step', [{ teleport: {} }], {}, "step 'teleport'"],
    [
      'a member of a step',
      [LOGIN, { request: { path: '/protected', quietly: true } }],
      {},
      "'quietly' in step 'request'",
    ],
    ['a value', [{ request: { bearer: '$nothing' } }], {}, 'value $nothing'],
    ['a mutation', [LOGIN, { mutate: { from: 'A.access', fn: 'x', save: 't' } }], {}, "mutation 'x'"],
    ['a key', [{ mint: { key: 'skeleton', save: 't' } }], {}, "key 'skeleton'"],
    ['a need', [LOGIN], { needs: ['telepathy'] }, 'needs telepathy'],
    ['a need for later', [LOGIN], { needs: ['redis_replica'] }, 'needs a Redis with replicas (later)'],
    [
      'a fault',
      [LOGIN, { fault: { target: 'moon', action: 'heal' } }],
      {},
      'unknown fault {"target":"moon","action":"heal"}',
    ],
    ['a sweep', [LOGIN, { sweep: { over: 'stars', do: {} } }], {}, 'sweep over "stars"'],
    ['an order', [LOGIN, { admin: 'promote alice' }], {}, 'admin: promote alice'],
  ])('skips what it does not know, with the reason: %s', async (_what, steps, more, reason) => {
    const result = await run(steps, { status: [200] }, more)
    expect(result.outcome).toBe('skipped')
    expect(result.reasons.join()).toContain(reason)
  })

  describe('expectations', () => {
    const HEAD = { request: { method: 'HEAD', path: '/protected', bearer: '$t' } }
    const challenge = (wanted: Json): Json => ({ status: 401, headers: { 'WWW-Authenticate': wanted } })

    it.each<[string, Json, string[]]>([
      ['a word', 'INVALID_token', []],
      ['a pattern', '/^Bearer error="invalid_token"/', []],
      ['a pattern with a flag', '/^BEARER /i', []],
      ['no such header', null, [expect.stringMatching(/^header www-authenticate: .*, expected none$/)]],
      ['another pattern', '/^Basic/', [expect.stringMatching(/^header .*, expected \/\^Basic\/$/)]],
      ['another word', 'Basic', [expect.stringMatching(/^header .*, expected Basic$/)]],
    ])('a header: %s', async (_what, wanted, reasons) => {
      expect((await run([LOGIN, NONE, ASK], challenge(wanted))).reasons).toEqual(reasons)
    })

    it('a header by a pattern that is no regular expression skips the case', async () => {
      expect(await run([LOGIN, NONE, ASK], challenge('/(/'))).toMatchObject({
        outcome: 'skipped',
        reasons: ['not runnable: invalid pattern /(/'],
      })
    })

    it('asks for no body and no code in the response to HEAD', async () => {
      const wanted = { status: 401, error: 'token_malformed', assert: ['default'] }
      expect(await run([LOGIN, NONE, HEAD], wanted)).toMatchObject({ outcome: 'passed', reasons: [] })
      expect((await run([LOGIN, NONE, HEAD], { status: 200 })).reasons).toEqual(['status 401, expected 200'])
    })

    const good = (own: Json): Json => ({
      request: { method: 'GET', path: '/protected', bearer: '$A.access', expect: own },
    })

    it.each<[string, Json]>([
      ['a status', 200],
      ['statuses', [200, 204]],
      ['an object', { status: 200, headers: { 'content-type': 'json' }, assert: 'no Set-Cookie' }],
    ])('that belong to one request are about no other: %s', async (_what, own) => {
      const wanted = { status: 401, error: 'token_malformed' }
      for (const steps of [
        [LOGIN, NONE, good(own), ASK],
        [LOGIN, NONE, ASK, good(own)],
      ]) {
        expect(await run(steps, wanted)).toMatchObject({ outcome: 'passed', reasons: [] })
      }
    })

    it('that belong to one request fail by themselves, and say which request', async () => {
      const own = {
        status: 401,
        error: 'token_expired',
        headers: { 'x-a': 'b' },
        assert: 'handler not executed',
      }
      expect((await run([LOGIN, good(own)], {})).reasons).toEqual([
        'GET /protected: status 200, expected 401',
        "GET /protected: header x-a: '', expected b",
        'GET /protected: handler not executed: the handler ran',
      ])
    })

    it('of a refresh belong to it alone', async () => {
      const steps = [LOGIN, { refresh: { from: 'A', expect: 200 } }, NONE, ASK]
      expect(await run(steps, { status: 401 })).toMatchObject({ outcome: 'passed', reasons: [] })
    })

    it('of a case of which each request has its own are none', async () => {
      expect(await run([LOGIN, good(200)], { status: 401 })).toMatchObject({ outcome: 'passed' })
    })
  })

  it.each<[string, Json]>([
    ['no such store', { store: 'mongodb', signal: 'SIGKILL' }],
    ['a proxy to no store', { proxy: 'latency' }],
    ['a proxy to no such store', { proxy: 'cut_sweep', store: 'constructor' }],
    ['no such disturbance', { inject: 'constructor' }],
    ['another signal', { signal: 'SIGHUP', store: 'redis' }],
    ['no action', {}],
    ['a number', 5],
  ])('skips a fault that it cannot make, with the reason: %s', async (_what, action) => {
    const result = await run([LOGIN, { fault: { target: 'store', action } }], { status: 503 })
    expect(result.outcome).toBe('skipped')
    expect(result.reasons.join()).toMatch(/^not runnable: unknown fault/)
  })

  it('refuses no step that a file can hold with an error of the runtime', { timeout: 60_000 }, async () => {
    const bodies: readonly Json[] = [null, 5, 'x', '$nothing', [5], {}, { a: { b: [] } }]
    const names =
      'login request refresh mint mutate raw_token clock configure serve asked dns key_file fault sweep admin run'
    const more =
      'restart tool tsc inspect repeat parallel bench sample flood rotate_key teleport toString __proto__'
    const servers = new Servers()
    const environment = await createEnvironment({ steps: [], target: { alg: 'HS256' }, servers, output: [] })
    const suite = { output: [], unhandled: [], secrets: new Set<string>(), refusals: new Set<string>() }
    try {
      for (const name of `${names} ${more}`.split(' ')) {
        for (const body of bodies) {
          const step: Json = JSON.parse(`{${JSON.stringify(name)}:${JSON.stringify(body)}}`)
          const attacker = new Attacker(toCase([], {}), environment, suite)
          const thrown: unknown = await perform(step, attacker).catch((error: unknown) => error)
          const isPlain =
            thrown === undefined || (thrown instanceof Error && thrown.constructor !== TypeError)
          expect.soft([isPlain, String(thrown)], JSON.stringify(step)).toEqual([true, expect.any(String)])
          expect.soft(String(thrown), JSON.stringify(step)).not.toMatch(/\w undefined|\[object/)
        }
      }
    } finally {
      await environment.close()
    }
  })

  it('counts', async () => {
    const passed = await run([LOGIN], { status: [200] })
    const counts = countResults([passed, passed, { ...passed, outcome: 'skipped' }])
    expect(toSummary(counts)).toBe('2 passed, 0 failed, 1 skipped')
    expect(fromSummary('2 passed, 0 failed, 1 skipped')).toEqual(counts)
    expect(fromSummary('failed   T-1  2 passed, 0 failed, 1 skipped')).toBeUndefined()
    expect(addCounts([counts, countResults([{ ...passed, outcome: 'failed' }])])).toEqual({
      passed: 2,
      failed: 1,
      skipped: 1,
    })
    expect(toLines({ ...passed, outcome: 'skipped', reasons: ['later'] }, true)).toEqual([
      'skipped  T-1  test -- later',
    ])
    expect(toLines({ ...passed, notes: ['a short form'] }, false)).toEqual([
      'passed   T-1  test',
      '         * a short form',
    ])
  })
})

describe('readCases', () => {
  const FOLDER = new URL('../../attack/cases', import.meta.url).pathname

  it('reads the files of a folder, each of their cases once', () => {
    const cases = readCases(FOLDER)
    expect(cases.length).toBeGreaterThan(115)
    expect(new Set(cases.map(({ id }) => id)).size).toBe(cases.length)
    expect(cases.filter(({ description }) => description === '')).toEqual([])
  })

  it('refuses a folder in which two files have one id', () => {
    const twice = mkdtempSync(join(folder, 'twice-'))
    const one = JSON.stringify([{ id: 'T-1', how: { steps: [] } }])
    for (const name of ['a.json', 'b.json']) writeFileSync(join(twice, name), one)
    expect(() => readCases(twice)).toThrow('expected one case T-1, got two')
  })
})

describe('npm run attack', { timeout: 60_000 }, () => {
  const attack = (...args: string[]) => {
    const options = { cwd: new URL('../..', import.meta.url), encoding: 'utf8' } as const
    return spawnSync(process.execPath, ['attack/dist/run.js', ...args], options)
  }
  const raw = (status: number) => ({
    id: 'T-1',
    how: { steps: [LOGIN, NONE, ASK] },
    expect: { status: [status] },
  })

  it('prints one line a case and the numbers, and exits 0', () => {
    const { stdout, status } = attack(toFile('good.json', [raw(401)]))
    expect(stdout).toMatch(/^passed {3}T-1/)
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('1 passed, 0 failed, 0 skipped')
    expect(status).toBe(0)
  })

  it('exits 1 when a case fails', () => {
    const { stdout, status } = attack(toFile('bad.json', [raw(401), raw(200)]))
    expect(stdout).toContain('1 passed, 1 failed, 0 skipped')
    expect(status).toBe(1)
  })

  it('says how far it came when a signal breaks it off', async () => {
    const cases = Array.from({ length: 3000 }, (_, i) => ({ ...raw(401), id: `T-${i + 1}` }))
    const file = toFile('long.json', cases)
    const child = spawn(process.execPath, ['attack/dist/run.js', file], {
      cwd: new URL('../..', import.meta.url),
    })
    let told = ''
    child.stderr.setEncoding('utf8').on('data', (part: string) => {
      told += part
    })
    child.stdout.once('data', () => child.kill('SIGINT'))
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(130)
    expect(told).toMatch(/^attack: broken off after [1-9]\d* of 3000 cases\n$/)
  })

  it('counts on a terminal, on a line that goes before others', () => {
    const shown: string[] = []
    const progress = new Progress(2, { isTTY: true, write: (text) => shown.push(text) })
    progress.note(() => shown.push('one\n'))
    progress.note(() => shown.push('two\n'))
    expect(shown.map((text) => text.replace('\u001b[K', '<clear>'))).toEqual([
      '\r<clear>',
      'one\n',
      '\r1 of 2 cases',
      '\r<clear>',
      'two\n',
    ])
  })

  it('exits 2 where there are no cases to read', () => {
    expect(attack(join(folder, 'absent.json'))).toMatchObject({ status: 2, stdout: '' })
    expect(attack(toFile('empty.json', []))).toMatchObject({ status: 2, stdout: '' })
    const empty = attack(mkdtempSync(join(folder, 'empty-')))
    expect(empty).toMatchObject({ status: 2, stdout: '' })
    expect(empty.stderr).toContain('expected at least one case')
    expect(attack(toFile('odd.json', { cases: [{ id: 5 }] })).stderr).toContain('case 1')
  })

  it('exits 2 for unknown names, and says the known ones', () => {
    const adapter = attack('--adapter', 'gin')
    expect(adapter).toMatchObject({ status: 2, stdout: '' })
    expect(adapter.stderr).toBe(
      "attack: unknown adapter 'gin': expected fetch, hono, express, express4, fastify, koa, nest or all\n",
    )
    const store = attack('--store', 'toString')
    expect(store).toMatchObject({ status: 2, stdout: '' })
    expect(store.stderr).toBe(
      "attack: unknown store 'toString': expected one of memory, redis, postgres, mysql, sqlite\n",
    )
    expect(attack('--cases', 'slow ones').stderr).toBe(
      "attack: unknown cases 'slow ones': expected one of quick, outside, slow, measured, all\n",
    )
    expect(attack('--door', 'fetch')).toMatchObject({ status: 2, stdout: '' })
  })

  it('attacks each adapter with the quick cases, and the first with the others, and adds them up', () => {
    const { how } = raw(401)
    const others = [
      { id: 'T-2', category: 'dos' },
      { id: 'T-3', how: { ...how, needs: ['key_file'] } },
      { id: 'T-4', how: { ...how, needs: ['store_control'] } },
    ].map((members) => ({ ...raw(401), ...members }))
    const { stdout, status } = attack(toFile('all.json', [raw(401), ...others]), '--adapter', 'all')
    for (const name of Object.keys(ADAPTERS))
      expect(stdout).toMatch(new RegExp(`== adapter ${name}: quick: \\d+ s\n`))
    expect(stdout.match(/^passed {3}T-1/gm)).toHaveLength(Object.keys(ADAPTERS).length)
    for (const id of ['T-2', 'T-3', 'T-4'])
      expect(stdout.match(new RegExp(`^passed {3}${id}`, 'gm'))).toHaveLength(1)
    const summary = `${Object.keys(ADAPTERS).length + 3} passed, 0 failed, 0 skipped`
    expect(stdout.match(/^.* passed, .*$/gm)).toEqual([summary])
    expect(status).toBe(0)
  })

  it('counts a process that ends without its numbers as failed, and says what it printed', async () => {
    const lines: string[] = []
    const lane = { title: 'adapter x', args: [join(folder, 'absent.json')] }
    const counts = await runInProcesses([lane], 2, (text) => void lines.push(text))
    expect(counts).toEqual([{ passed: 0, failed: 1, skipped: 0 }])
    expect(lines.join('\n')).toMatch(
      /== adapter x.*\nattack: .*absent\.json.*\nfailed {3}adapter x: its process ended with 2$/s,
    )
  })

  it('prints its help, with the names', () => {
    const { stdout, status } = attack('--help')
    expect(status).toBe(0)
    for (const name of [...Object.keys(ADAPTERS), 'sqlite', '--adapter']) expect(stdout).toContain(name)
  })

  it('says what is not runnable, counts it as skipped, and goes on', () => {
    const broken = { target: 'store', action: { gravity: 'off' } }
    const unknown = { id: 'T-0', description: 'test', how: { steps: [LOGIN, { fault: broken }] } }
    const { stdout, stderr, status } = attack(toFile('unknown.json', [unknown, raw(401)]))
    expect(stdout).toContain(`skipped  T-0  test -- not runnable: unknown fault ${JSON.stringify(broken)}\n`)
    expect(stdout).toContain('1 passed, 0 failed, 1 skipped')
    expect([stderr, status]).toEqual(['', 0])
  })
})

describe('the verbose report', () => {
  it('counts repeated statuses', () => {
    const statuses = [...Array(20).fill('401'), ...Array(980).fill('429')].join(',')
    expect(shorten(statuses)).toBe('401 (20 times), 429 (980 times)')
    expect(shorten('200')).toBe('200')
    expect(shorten('200,401')).toBe('200, 401')
    const changing = Array.from({ length: 50 }, (_, at) => (at % 2 === 0 ? '200' : '429')).join(',')
    expect(shorten(changing)).toBe('200, 429, 200, 429, 200, 429, 200, 429, ... 50 in all')
  })
})
