/** Generators and names of the attack cases' values. */
import { describe, expect, it } from 'vitest'
import {
  RawJson,
  resolve,
  type Scope,
  toDocument,
  toJson,
  Unsupported,
  type Value,
} from '../../attack/values.ts'

const SAVED: Readonly<Record<string, Value>> = {
  'A.access': 'aaa.bbb.ccc',
  our_iss: 'https://us',
  t: 'token',
}
const scope: Scope = {
  now: () => 1_000,
  lookup: (name, member) => SAVED[member === undefined ? name : `${name}.${member}`],
}
const text = async (value: Parameters<typeof resolve>[0]) => toJson(await resolve(value, scope))

describe('resolve', () => {
  it('reads saved values, whole and inside a text', async () => {
    expect(await resolve('$A.access', scope)).toBe('aaa.bbb.ccc')
    expect(await resolve('Basic $A.access', scope)).toBe('Basic aaa.bbb.ccc')
    expect(await resolve(['x$our_iss', '$our_iss/'], scope)).toEqual(['xhttps://us', 'https://us/'])
  })

  it('counts from the present', async () => {
    expect(await resolve('$now', scope)).toBe(1_000)
    expect(await resolve('$now+3600.5', scope)).toBe(4_600.5)
    expect(await resolve('$now_ms+5', scope)).toBe(1_000_005)
    expect(await resolve('{"exp":$now-10}', scope)).toBe('{"exp":990}')
  })

  it('generates', async () => {
    expect(await resolve('$repeat:a:b:3', scope)).toBe('a:ba:ba:b')
    expect(await text({ exp: '$raw:1e400', gone: '$delete', kept: 1 })).toBe('{"exp":1e400,"kept":1}')
    expect(await text('$depth:3')).toBe('[[[]]]')
    expect(JSON.parse(await text('$members:400'))).toHaveProperty('m399', 399)
    expect(String(await resolve('$jwe_dir', scope)).split('.')).toHaveLength(5)
    expect(await resolve('$rand', scope)).not.toBe(await resolve('$rand', scope))
  })

  it('keeps an own __proto__ an own member', async () => {
    expect(await text(JSON.parse('{"__proto__":{"admin":true},"b":[1]}'))).toBe(
      '{"__proto__":{"admin":true},"b":[1]}',
    )
  })

  it('refuses unknown names, so that the case is skipped', async () => {
    await expect(resolve('$nobody', scope)).rejects.toThrow(Unsupported)
    await expect(resolve('$A.nothing', scope)).rejects.toThrow('value $A.nothing')
    await expect(resolve('$repeat:a:99999999', scope)).rejects.toThrow(Unsupported)
  })
})

describe('toDocument', () => {
  const base = { sub: 'alice', exp: 5 }
  const document = (raw: Value) => toDocument(raw, base)

  it('puts the usual members where the dots are', () => {
    expect(document('{"sub":"x",...,"sub":"y"}').toString()).toBe(
      '{"sub":"x","sub":"alice","exp":5,"sub":"y"}',
    )
    expect(document('{...}{}').toString()).toBe('{"sub":"alice","exp":5}{}')
    expect(document('null').toString()).toBe('null')
  })

  it('writes what no JSON text holds', async () => {
    expect([...document('\\ufeff{...}').subarray(0, 4)]).toEqual([0xef, 0xbb, 0xbf, 0x7b])
    expect([...document(await resolve('$invalid_utf8', scope))]).toContain(0xff)
    expect([...document(await resolve('$utf16', scope)).subarray(0, 4)]).toEqual([0x7b, 0, 0x22, 0])
    expect(document(await resolve('$depth:2', scope)).toString()).toBe('{"sub":"alice","exp":5,"deep":[[]]}')
    expect(document(new RawJson('5')).toString()).toBe('5')
  })
})
