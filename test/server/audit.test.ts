/** The lines of the audit log, as JSON and as text. */

import { describe, expect, it } from 'vitest'
import { createAudit } from '../../server/audit.ts'
import { createAuth, isAuthError } from '../../src/index.ts'

function setUp(format: 'json' | 'text') {
  const lines: string[] = []
  const failures: string[] = []
  let now = 0
  const audit = createAudit({
    format,
    write: (line) => lines.push(line),
    complain: (line) => failures.push(line),
    now: () => now,
    date: () => new Date(1_700_000_000_000),
    request: () => ({
      request: 'r-1',
      method: 'POST',
      route: '/auth/login',
      address: '192.0.2.7',
      agent: 'curl/8',
    }),
  })
  const auth = createAuth({ secret: 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu', on: audit.on })
  const pass = (seconds: number): void => {
    now += seconds
  }
  const refuse = (headers: Record<string, string> = {}): Promise<unknown> =>
    auth.authenticate(new Request('http://localhost/x?token=secret', { headers })).catch((error: unknown) => {
      if (!isAuthError(error)) throw error
    })
  return { audit, lines, failures, pass, refuse, auth }
}

describe('a line of JSON', () => {
  it('has the time, the level, the event, its facts and the request', () => {
    const { audit, lines } = setUp('json')
    audit.on.ended?.({ sid: 's-1', sub: 'alice', reason: 'limit', count: 1 })
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      {
        time: '2023-11-14T22:13:20.000Z',
        level: 'info',
        event: 'ended',
        request: 'r-1',
        method: 'POST',
        route: '/auth/login',
        address: '192.0.2.7',
        agent: 'curl/8',
        sid: 's-1',
        sub: 'alice',
        why: 'limit',
        count: 1,
      },
    ])
  })

  it('says what an outage is and what to do, as an error', () => {
    const { audit, failures } = setUp('json')
    audit.failed('sessions', Object.assign(new Error('hunter2'), { code: 'READONLY' }))
    expect(JSON.parse(failures[0] ?? '')).toMatchObject({
      level: 'error',
      part: 'sessions',
      cause: 'READONLY',
      reason: 'it is a read-only replica',
      advice: 'give the store a client of the primary',
    })
    expect(failures.join()).not.toContain('hunter2')
  })

  it('cannot be added to, and takes no control character', () => {
    const { audit, lines } = setUp('json')
    const sub = 'eve"}\n{"event":"ended"}\r\u001b[31m\u2028\u0085\u202e'
    audit.on.started?.({ sid: 's', sub })
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(/^[\x20-\x7e]+$/)
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ event: 'started', sub })
  })

  it('holds no query, which may be a token', async () => {
    const { lines, refuse } = setUp('json')
    await refuse({ 'user-agent': 'x'.repeat(10_000) })
    const line = JSON.parse(lines[0] ?? '')
    expect(line).toMatchObject({ event: 'refused', code: 'token_missing', route: '/x', level: 'info' })
    expect(line.agent).toHaveLength(256)
  })
})

describe('floods', () => {
  it('of refusals are one line a second, which counts the others', async () => {
    const { lines, refuse, pass } = setUp('json')
    for (let i = 0; i < 5; i++) await refuse()
    pass(1)
    await refuse()
    expect(lines.map((line) => JSON.parse(line).more)).toEqual([undefined, 4])
  })

  it('of wrong passwords are a line each', () => {
    const { audit, lines } = setUp('json')
    const event = { code: 'credentials_invalid', method: 'POST', route: '/auth/login', time: 0 } as const
    const where = { address: '192.0.2.7', network: '192.0.2.7', userAgent: null, sub: null, cause: undefined }
    for (const account of ['a', 'b', 'c']) audit.on.refused?.({ ...event, ...where, account })
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { account: 'a', level: 'warn' },
      { account: 'b', level: 'warn' },
      { account: 'c', level: 'warn' },
    ])
  })
})

describe('a line of text', () => {
  it('is short, and quotes what could be read as something else', () => {
    const { audit, lines } = setUp('text')
    audit.on.started?.({ sid: 's-1', sub: 'eve\naudit ended' })
    expect(lines).toEqual(['audit started sid=s-1 sub="eve\\naudit ended" request=r-1'])
  })
})
