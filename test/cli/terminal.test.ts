/** What the command writes for people. */
import { expect, it } from 'vitest'
import { createPaint, formatTable, toPrintable } from '../../src/cli/terminal.ts'

it('paints on a terminal that is not told otherwise, and nowhere else', () => {
  expect(createPaint({ isTTY: true }, {})('red', 'x')).toBe('\u001b[31mx\u001b[39m')
  for (const [stream, env] of [
    [{}, {}],
    [{ isTTY: false }, {}],
    [{ isTTY: true }, { NO_COLOR: '1' }],
    [{ isTTY: true }, { TERM: 'dumb' }],
  ] as const)
    expect(createPaint(stream, env)('red', 'x')).toBe('x')
  expect(createPaint({ isTTY: true }, { NO_COLOR: '' })('red', 'x')).not.toBe('x')
})

it('lays out columns, and carries out nothing of what strangers wrote', () => {
  const paint = createPaint({})
  expect(
    formatTable(
      ['a', 'b'],
      [
        ['long', 'x\u001b[2J'],
        ['1', ''],
      ],
      paint,
    ),
  ).toBe('a     b\nlong  x\\u{1b}[2J\n1')
  expect(toPrintable('a\nb\u202e\u0085')).toBe('a\\u{a}b\\u{202e}\\u{85}')
})
