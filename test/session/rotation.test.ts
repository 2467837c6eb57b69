/** The rotation decision, word by word and at its edges. */
import { describe, expect, it } from 'vitest'
import {
  decideRotation,
  isWriting,
  type RotationRecord,
  toLate,
  toLateBefore,
  toReuseReason,
} from '../../src/session/rotation.ts'
import type { RotationPolicy, RotationWord } from '../../src/session/store.ts'

const POLICY: RotationPolicy = { overlap: 30, idle: 1000, rotation: true }
const STRICT: RotationPolicy = { ...POLICY, overlap: 0 }
const PLAIN: RotationPolicy = { ...POLICY, rotation: false }

const RECORD: RotationRecord = {
  gen: 5,
  rotatedAt: 1000,
  late: 0,
  lateBefore: 0,
  lastUsedAt: 1000,
  idleExpiresAt: 2000,
  absoluteExpiresAt: 3000,
  revokedAt: null,
}

const decide = (
  gen: number,
  now: number,
  changes: Partial<RotationRecord> = {},
  policy = POLICY,
): RotationWord => decideRotation({ ...RECORD, ...changes }, gen, now, policy)

describe('decideRotation', () => {
  it('is unknown without a row', () => {
    expect(decideRotation(null, 0, 0, POLICY)).toBe('unknown')
  })

  it.each<[string, RotationWord, number, number, Partial<RotationRecord>]>([
    ['revoked', 'revoked', 5, 1001, { revokedAt: 1000 }],
    ['revoked, also when it has expired', 'revoked', 5, 9000, { revokedAt: 1000 }],
    ['at its idle end', 'expired', 5, 2000, {}],
    ['before its idle end', 'rotated', 5, 1999.999, {}],
    ['at its absolute end', 'expired', 5, 1500, { absoluteExpiresAt: 1500 }],
    ['current, within twice the overlap', 'kept', 5, 1059.999, {}],
    ['current, at twice the overlap', 'rotated', 5, 1060, {}],
    ['current at the login', 'rotated', 0, 1001, { gen: 0 }],
    ['current, stepped up within the overlap', 'kept', 5, 1129.999, { lastUsedAt: 1100 }],
    ['current, stepped up before the overlap', 'rotated', 5, 1130, { lastUsedAt: 1100 }],
    ['the one before, at the end of the overlap', 'replayed', 4, 1030, {}],
    ['the one before, long after the overlap', 'replayed', 4, 1999, {}],
    ['the one before, late so often that no honest client is', 'reused', 4, 1030, { lateBefore: 330 }],
    ['the one before, a moment less late than that', 'replayed', 4, 1029.999, { lateBefore: 330 }],
    ['the one before, which came later before', 'reused', 4, 1001, { late: 30, lateBefore: 330 }],
    ['the one before, in time after many late ones', 'replayed', 4, 1005, { lateBefore: 355 }],
    ['two before', 'reused', 3, 1000, {}],
    ['newer than the row', 'healed', 6, 1000, {}],
    ['current, by a clock that went back', 'kept', 5, 900, {}],
  ])('of a token that is %s: %s', (...[, word, gen, now, changes]) => {
    expect(decide(gen, now, changes)).toBe(word)
  })

  it('forgives no reuse without an overlap', () => {
    expect([decide(5, 1000, {}, STRICT), decide(4, 1000, {}, STRICT)]).toEqual(['rotated', 'reused'])
  })

  it.each([0, 4, 5, 6])('keeps generation %i where rotation is off', (gen) => {
    expect(decide(gen, 1500, {}, PLAIN)).toBe('kept')
  })
})

describe('isWriting', () => {
  const words: readonly RotationWord[] = [
    'kept',
    'rotated',
    'replayed',
    'reused',
    'healed',
    'late',
    'expired',
    'revoked',
    'unknown',
  ]

  it('names the words that change the row', () => {
    expect(words.filter((word) => isWriting(word, POLICY))).toEqual(['rotated', 'reused', 'healed'])
    expect(words.filter((word) => isWriting(word, PLAIN))).toEqual(['kept', 'rotated', 'reused', 'healed'])
  })
})

describe('lateness', () => {
  it.each([
    [5, 0, 0],
    [5.001, 0, 5.001],
    [31, 0, 30],
    [6, 10, 10],
    [-5, 4, 4],
  ])('%d s after the rotation, with %d before: %d', (age, late, wanted) => {
    expect(toLate({ rotatedAt: 1000, late }, 1000 + age, POLICY)).toBeCloseTo(wanted, 9)
  })

  it('adds up over generations in a row, and falls by an overlap with each other one', () => {
    expect(toLateBefore({ late: 12, lateBefore: 30 }, POLICY)).toBe(42)
    expect(toLateBefore({ late: 0, lateBefore: 42 }, POLICY)).toBe(12)
    expect(toLateBefore({ late: 0, lateBefore: 12 }, POLICY)).toBe(0)
  })

  it('tells a shadowed session from a reused token', () => {
    expect(toReuseReason(RECORD, { ...POLICY, gen: 4 })).toBe('shadowed')
    expect(toReuseReason(RECORD, { ...POLICY, gen: 3 })).toBe('refresh_reused')
    expect(toReuseReason(RECORD, { ...STRICT, gen: 4 })).toBe('refresh_reused')
  })
})
