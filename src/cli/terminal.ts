/** What is written for people: colors, tables, and texts of strangers. */
import { styleText } from 'node:util'
import type { Terminal } from './progress-line.ts'

/** A color or weight. */
export type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'green'

/** Paints a text, on a terminal that is not told `NO_COLOR`. */
export type Paint = (style: Style, text: string) => string

/** Prepares the colors of a stream. */
export function createPaint(
  { isTTY }: Pick<Terminal, 'isTTY'>,
  { NO_COLOR, TERM }: Readonly<Record<string, string | undefined>> = process.env,
): Paint {
  const isPlain = isTTY !== true || (NO_COLOR !== undefined && NO_COLOR !== '') || TERM === 'dumb'
  return isPlain ? (_style, text) => text : (style, text) => styleText(style, text, { validateStream: false })
}

/** What a terminal would carry out, or turn round, or take for the end of the line. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/** A text of a stranger, such as a user agent, without effect on a terminal. */
export function toPrintable(text: string): string {
  return text.replace(UNPRINTABLE, (sign) => `\\u{${sign.codePointAt(0)?.toString(16)}}`)
}

/**
 * Rows under a heading, in columns.
 *
 * @param paint the colors of where it is printed
 */
export function formatTable(
  heading: readonly string[],
  rows: readonly (readonly string[])[],
  paint: Paint,
): string {
  const printable = [heading, ...rows].map((row) => row.map(toPrintable))
  const widths = heading.map((_, i) => Math.max(...printable.map((row) => row[i]?.length ?? 0)))
  const lines = printable.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  return [paint('bold', lines[0] ?? ''), ...lines.slice(1)].join('\n')
}
