/** What callers see of a session: times of use that do not tell when it was refreshed. */
import { describe, expect, it } from 'vitest'
import { toSessionInfo } from '../../src/session/session-info.ts'
import type { SessionRow } from '../../src/session/session-row.ts'

const HOUR = 3600
const START = 500_000 * HOUR
const MINUTES = { accessTtl: 900, idle: 20 * 24 * HOUR }

/** A session that was last refreshed so many seconds after the hour at which `START` lies. */
function toRow(used: number, { idle, ...changes }: Partial<SessionRow> & { idle: number }): SessionRow {
  return {
    sid: 'sid',
    sub: 'alice',
    realm: null,
    gen: 7,
    rotatedAt: START + used,
    late: 3,
    lateBefore: 40,
    authTime: START - 5 * HOUR,
    acr: null,
    amr: null,
    scopes: [],
    data: {},
    brief: false,
    idleFor: null,
    metadata: {},
    label: null,
    lastIp: null,
    lastUserAgent: null,
    createdAt: START - 5 * HOUR - 1234,
    lastUsedAt: START + used,
    idleExpiresAt: START + used + idle,
    absoluteExpiresAt: START + 90 * 24 * HOUR,
    revokedAt: null,
    revokeReason: null,
    ip: null,
    userAgent: null,
    ...changes,
  }
}

const timesOf = (used: number, settings = MINUTES, changes: Partial<SessionRow> = {}): string => {
  const row = toRow(used, { idle: settings.idle, ...changes })
  const { rotatedAt, lastUsedAt, idleExpiresAt } = toSessionInfo(row, settings)
  return JSON.stringify([rotatedAt, lastUsedAt, idleExpiresAt].map((at) => at - START))
}

describe('the times of use of a session', () => {
  it('are an hour too early at most, and its idle end an hour too late', () => {
    expect(timesOf(0)).toBe(JSON.stringify([0, 0, HOUR + MINUTES.idle]))
    expect(timesOf(HOUR - 1)).toBe(timesOf(0))
    expect(timesOf(HOUR)).not.toBe(timesOf(0))
  })

  it.each([
    ['no whole hours', { accessTtl: 900, idle: 5000 }],
    ['access tokens of two hours', { accessTtl: 2 * HOUR, idle: 20 * 24 * HOUR }],
  ])('all move at the same refresh, of four at the most one: with %s', (_, settings) => {
    const { accessTtl } = settings
    let moved = 0
    for (let refresh = 0; refresh < 400; refresh++) {
      const [before, after] = [refresh, refresh + 1].map((count) => timesOf(count * accessTtl, settings))
      if (before !== after) moved += 1
    }
    expect(moved).toBe(100)
  })

  it('stay within the session', () => {
    const row = toRow(100, { idle: 1000, createdAt: START + 50, absoluteExpiresAt: START + 500 })
    const { rotatedAt, lastUsedAt, idleExpiresAt } = toSessionInfo(row, MINUTES)
    expect([rotatedAt, lastUsedAt, idleExpiresAt]).toEqual([START + 50, START + 50, START + 500])
  })

  it('come without what is counted of late predecessors', () => {
    expect(Object.keys(toSessionInfo(toRow(0, { idle: 1000 }), MINUTES))).not.toContain('late')
    expect(Object.keys(toSessionInfo(toRow(0, { idle: 1000 }), MINUTES))).not.toContain('lateBefore')
  })
})
