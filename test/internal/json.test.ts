import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { writeJson } from '../../src/internal/json.ts'

describe('writeJson', () => {
  it('writes what JSON.stringify writes, of any text, number, boolean and list of texts', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'grapheme-ascii' }),
      fc.constantFrom('', '"', '\\', '\u007f', '\u001f', '\n', '\ud800', '\u2028', '__proto__', '~ ![]#'),
    )
    const value = fc.oneof(text, fc.double(), fc.integer(), fc.boolean(), fc.array(text))
    fc.assert(
      fc.property(value, (value) => {
        expect(writeJson(value)).toBe(JSON.stringify(value))
      }),
    )
  })

  it('writes every character as JSON.stringify does', () => {
    for (let code = 0; code < 0x300; code++) {
      const text = `a${String.fromCharCode(code)}b`
      expect(writeJson(text)).toBe(JSON.stringify(text))
    }
  })
})
