/** The runner on small cases of its own: that it passes what holds, fails what does not, and says what it cannot do. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type AttackCase, type Json, readCases } from '../../attack/cases.ts'
import { toLines, toSummary } from '../../attack/report.ts'
import { runCases } from '../../attack/runner.ts'
import { DOORS } from '../../attack/target.ts'

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
  it.each(Object.keys(DOORS))('passes a case whose attack is refused (door %s)', async (door) => {
    const attack = toCase([LOGIN, NONE, ASK], {
      status: [401],
      error: ['token_malformed'],
      assert: ['default'],
    })
    expect(await runCases([attack], { door })).toMatchObject([{ outcome: 'passed', reasons: [] }])
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

  it('fails an assertion that does not hold, and lists one that nobody can check', async () => {
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
    ['a fault', [LOGIN, { fault: { target: 'moon', action: 'heal' } }], {}, 'fault of "moon"'],
    ['a sweep', [LOGIN, { sweep: { over: 'stars', do: {} } }], {}, 'sweep over "stars"'],
    ['an order', [LOGIN, { admin: 'promote alice' }], {}, 'admin: promote alice'],
  ])('skips what it does not know, with the reason: %s', async (_what, steps, more, reason) => {
    const result = await run(steps, { status: [200] }, more)
    expect(result.outcome).toBe('skipped')
    expect(result.reasons.join()).toContain(reason)
  })

  it('counts', async () => {
    const passed = await run([LOGIN], { status: [200] })
    expect(toSummary([passed, passed, { ...passed, outcome: 'skipped' }])).toBe(
      '2 passed, 0 failed, 1 skipped',
    )
    expect(toLines({ ...passed, outcome: 'skipped', reasons: ['later'] }, true)).toEqual([
      'skipped  T-1  test -- later',
    ])
    expect(toLines({ ...passed, notes: ['a short form'] }, false)).toEqual([
      'passed   T-1  test',
      '         * a short form',
    ])
  })
})

describe('npm run attack', () => {
  const attack = (...args: string[]) => {
    const options = { cwd: new URL('../..', import.meta.url), encoding: 'utf8' } as const
    return spawnSync(process.execPath, ['dist/attack/run.js', ...args], options)
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

  it('exits 2 for a file that is none', () => {
    expect(attack(join(folder, 'absent.json'))).toMatchObject({ status: 2, stdout: '' })
    expect(attack(toFile('odd.json', { cases: [{ id: 5 }] })).stderr).toContain('case 1')
  })
})
