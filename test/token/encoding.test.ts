/** Base64url and durations: two spellings that must have one meaning each. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  encodeText,
  equalInConstantTime,
  fromBase64Url,
  fromUtf8,
  randomId,
} from '../../src/internal/bytes.ts'
import { toSeconds } from '../../src/internal/duration.ts'
import { isWithinBounds, parseFlatObject } from '../../src/internal/json.ts'
import { complaintOf } from './forge.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

describe('an identifier', () => {
  it('has 128 bits, drawn anew each time, over many draws of the pool', () => {
    const ids = Array.from({ length: 1000 }, randomId)
    expect(new Set(ids).size).toBe(1000)
    for (const id of ids) {
      expect(id).toMatch(/^[\w-]{22}$/)
      expect(fromBase64Url(id)).toHaveLength(16)
    }
    // Each of 128 bits is set in about half of them: 20 deviations are beyond any chance.
    for (let bit = 0; bit < 128; bit++) {
      const set = ids.filter((id) => ((fromBase64Url(id)?.[bit >> 3] ?? 0) >> (bit & 7)) & 1).length
      expect(Math.abs(set - 500), `bit ${bit}`).toBeLessThan(320)
    }
  })
})

describe('base64url', () => {
  it('decodes what it encodes, without padding and in its alphabet', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const text = Buffer.from(bytes).toString('base64url')
        expect(text).toMatch(/^[\w-]*$/)
        expect(fromBase64Url(text)?.equals(bytes)).toBe(true)
      }),
    )
  })

  it('has one spelling for each byte string: whatever decodes encodes back to itself', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom(...ALPHABET, '=', '+', '/', ' ', '\n') }),
    )
    fc.assert(
      fc.property(text, (candidate) => {
        const bytes = fromBase64Url(candidate)
        return bytes === undefined || bytes.toString('base64url') === candidate
      }),
      { numRuns: 2000 },
    )
  })

  it('decodes exactly one of the 16 or 4 spellings of a last character', () => {
    for (const [prefix, wanted] of [
      ['A', 4],
      ['AA', 16],
    ] as const) {
      const decoded = [...ALPHABET].filter((last) => fromBase64Url(prefix + last) !== undefined)
      expect(decoded.length).toBe(wanted)
    }
  })

  it.each([
    'A',
    'AAAAA',
    'AA==',
    'AA=',
    'A A',
    'AA\n',
    'A+',
    'A/',
    'A.',
    '\0',
    'ÁA',
    '\u0141A',
    '\ud83d\ude00',
    '%41',
  ])('refuses %j', (text) => {
    expect(fromBase64Url(text)).toBeUndefined()
  })

  it('encodes text as UTF-8', () => {
    expect(encodeText('ü漢')).toBe(Buffer.from('ü漢').toString('base64url'))
  })
})

describe('bytes', () => {
  it('decodes UTF-8 strictly', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const text = fromUtf8(bytes)
        const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
        let theirs: string | undefined
        try {
          theirs = decoder.decode(bytes)
        } catch {}
        expect(text).toBe(theirs)
      }),
    )
  })

  it('compares texts by their value, of any characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        expect(equalInConstantTime(a, a)).toBe(true)
        // Lone surrogates all become U+FFFD in UTF-8; well-formed text is equal only to itself.
        if (a.isWellFormed() && b.isWellFormed()) expect(equalInConstantTime(a, b)).toBe(a === b)
      }),
    )
  })
})

describe('durations', () => {
  const bounds = { min: 0, max: 1e9 }
  it.each<[unknown, number]>([
    ['15m', 900],
    ['1s', 1],
    ['2h', 7200],
    ['20d', 1_728_000],
    ['1.5h', 5400],
    ['0s', 0],
    [900, 900],
    [0, 0],
    [1.5, 1.5],
    [{ minutes: 15 }, 900],
    ['1w', 604_800],
    [{ weeks: 2 }, 1_209_600],
    [{ days: 1, hours: 1, minutes: 1, seconds: 1 }, 90_061],
  ])('%j is %d seconds', (value, seconds) => {
    expect(toSeconds('x', value, bounds)).toBe(seconds)
  })

  it.each<unknown>([
    '120',
    '',
    'm',
    '15',
    '15 m',
    ' 15m',
    '15m ',
    '15M',
    '15min',
    '15ms',
    '15y',
    '2 days',
    '1 week',
    '1h30m',
    '-1m',
    '+1m',
    '1e3s',
    '.5h',
    '1.h',
    '０m',
    'Infinityd',
    Number.NaN,
    Number.POSITIVE_INFINITY,
    -1,
    1e10,
    null,
    undefined,
    true,
    [],
    [15],
    {},
    { minutes: '15' },
    { m: 15 },
    { months: 1 },
    { minutes: 15, extra: 1 },
    { minutes: Number.NaN },
    { constructor: 1 },
    new Date(),
    () => 5,
  ])('%j is refused with what was expected', async (value) => {
    expect(await complaintOf(() => toSeconds('access.expiresIn', value, bounds))).toMatch(
      /^ConfigurationError: Expected `access\.expiresIn` to be a duration such as '15m', \{ minutes: 15 \} or 900 \(seconds\), between 0 and 1000000000 seconds, got /,
    )
  })

  it('a bigint is refused', async () => {
    expect(await complaintOf(() => toSeconds('x', 5n, bounds))).toContain('got 5 (bigint)')
  })

  it('says what came: the documented example', async () => {
    expect(await complaintOf(() => toSeconds('access.expiresIn', '120', bounds))).toContain(
      'got 120 (string)',
    )
  })

  it('keeps to its bounds, both inclusive', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (value) => {
        const inside = value >= 5 && value <= 60
        try {
          return toSeconds('x', value, { min: 5, max: 60 }) === value && inside
        } catch {
          return !inside
        }
      }),
    )
  })

  it('means the same in every spelling', () => {
    const units = { s: 'seconds', m: 'minutes', h: 'hours', d: 'days' } as const
    fc.assert(
      fc.property(fc.nat({ max: 10_000 }), fc.constantFrom('s', 'm', 'h', 'd'), (amount, unit) => {
        const key = units[unit as 's']
        expect(toSeconds('x', `${amount}${unit}`, bounds)).toBe(toSeconds('x', { [key]: amount }, bounds))
      }),
    )
  })
})

describe('JSON from strangers', () => {
  it('a flat object is read when each name stands once, and only then', () => {
    const flat = fc.dictionary(
      fc.string(),
      fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null)),
    )
    fc.assert(
      fc.property(flat, fc.boolean(), (object, pretty) => {
        const text = JSON.stringify(object, null, pretty ? 2 : 0)
        expect(Object.fromEntries(parseFlatObject(text) ?? [])).toEqual({ ...object })
        const [name] = Object.keys(object)
        if (name === undefined) return
        expect(
          parseFlatObject(`${text.slice(0, text.lastIndexOf('}'))},${JSON.stringify(name)}:1}`),
        ).toBeUndefined()
      }),
    )
  })

  it('counts levels and members over all objects and lists', () => {
    const bounds = { depth: 2, members: 3 }
    const table: [object, boolean][] = [
      [{}, true],
      [{ a: 1, b: 2, c: 3 }, true],
      [{ a: 1, b: 2, c: 3, d: 4 }, false],
      [{ a: [1, 2] }, true],
      [{ a: [1, 2, 3] }, false],
      [{ a: {} }, true],
      [{ a: { b: {} } }, false],
      [{ a: [[]] }, false],
      [JSON.parse('{"a":{"__proto__":1}}'), false],
    ]
    for (const [value, answer] of table)
      expect(isWithinBounds(value, bounds), JSON.stringify(value)).toBe(answer)
  })
})
