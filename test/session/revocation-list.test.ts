/** The revocations in memory: what hits a token, and until when. */
import { describe, expect, it } from 'vitest'
import { RevocationList, type TokenIdentity } from '../../src/session/revocation-list.ts'
import type { LogEntry } from '../../src/session/store.ts'

const LEEWAY = 5
const token = (changes: Partial<TokenIdentity> = {}): TokenIdentity => ({
  sid: undefined,
  jti: 'jti-1',
  sub: 'alice',
  iat: 100,
  ...changes,
})
const entry = (kind: LogEntry['kind'], key: string, at = 100, until = 200): LogEntry => ({
  kind,
  key,
  at,
  until,
})

function listOf(...entries: readonly LogEntry[]): RevocationList {
  const list = new RevocationList(LEEWAY)
  for (const each of entries) list.add(each)
  return list
}

describe('has', () => {
  it.each<[string, LogEntry, TokenIdentity, boolean]>([
    ['its identifier', entry('jti', 'jti-1'), token(), true],
    ['another identifier', entry('jti', 'jti-2'), token(), false],
    ['its session', entry('sid', 's'), token({ sid: 's' }), true],
    ['another session', entry('sid', 's'), token({ sid: 't' }), false],
    ['a subject, of a token without a session', entry('sub', 'alice', 100), token(), true],
    ['a subject, of a token with a session', entry('sub', 'alice', 100), token({ sid: 's' }), false],
    ['another subject', entry('sub', 'bob', 100), token(), false],
    ['a subject, of a token issued within the leeway', entry('sub', 'alice', 95), token(), true],
    ['a subject, of a token issued later', entry('sub', 'alice', 94), token(), false],
    ['a subject, of a token without iat', entry('sub', 'alice', 0), token({ iat: undefined }), true],
    ['an identifier, of a token without one', entry('jti', 'undefined'), token({ jti: undefined }), false],
  ])('%s', (_, given, asked, expected) => {
    expect(listOf(given).has(asked)).toBe(expected)
  })

  it('nothing in an empty list', () => {
    expect(listOf().has(token({ sid: 's' }))).toBe(false)
  })
})

describe('sweep', () => {
  it('deletes what has ended, and keeps the rest', () => {
    const list = listOf(entry('sid', 'a', 0, 10), entry('jti', 'b', 0, 10), entry('sub', 'c', 0, 10))
    list.add(entry('sid', 'd', 0, 11))
    list.sweep(9)
    expect(list.size).toBe(4)
    list.sweep(10)
    expect([list.size, list.has(token({ sid: 'd' }))]).toEqual([1, true])
  })

  it('keeps an entry that came again with a later end', () => {
    const list = listOf(entry('sid', 'a', 0, 10), entry('sid', 'b', 0, 15), entry('sid', 'a', 0, 30))
    list.sweep(20)
    expect([list.size, list.has(token({ sid: 'a' }))]).toEqual([1, true])
  })

  it('ignores an entry that came again with an earlier end', () => {
    const list = listOf(entry('sid', 'a', 0, 30), entry('sid', 'a', 0, 10))
    list.sweep(20)
    expect(list.has(token({ sid: 'a' }))).toBe(true)
  })

  it('keeps the latest cut-off and the latest end of a subject, in any order', () => {
    const list = listOf(entry('sub', 'alice', 100, 20), entry('sub', 'alice', 50, 30))
    list.sweep(25)
    expect([list.has(token()), list.size]).toEqual([true, 1])
  })
})

describe('a list that is full', () => {
  it('says that it is incomplete while an entry that found no place may apply', () => {
    const list = new RevocationList(0, 2)
    for (const [key, until] of [
      ['a', 100],
      ['b', 200],
      ['c', 150],
    ] as const)
      list.add({ kind: 'sid', key, at: 0, until })
    expect(list.size).toBe(2)
    expect(list.isIncomplete()).toBe(true)
    list.sweep(149)
    expect(list.isIncomplete()).toBe(true)
    list.sweep(150)
    expect(list.isIncomplete()).toBe(false)
    list.add({ kind: 'sid', key: 'd', at: 151, until: 300 })
    expect(list.isIncomplete()).toBe(false)
    expect(list.has({ sid: 'd', jti: undefined, sub: 'x', iat: 1 })).toBe(true)
  })
})
