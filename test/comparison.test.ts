/** The comparison: evidence for each row of ours, a dated version for each rival, and the README's copy. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = new URL('..', import.meta.url).pathname
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

/** The cells of the table whose first header is this one, header first, without the rule below it. */
function tableOf(text: string, header: string): string[][] {
  const lines = text.split('\n')
  const start = lines.findIndex((line) => line.startsWith(`| ${header}`))
  if (start < 0) throw new Error(`No table starts with "${header}"`)
  const length = lines.slice(start).findIndex((line) => !line.startsWith('|'))
  return lines
    .slice(start, start + length)
    .filter((_, index) => index !== 1)
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
}

const page = read('docs/comparison.md')
const [header = [], ...rows] = tableOf(page, 'what happens')

/** What our cells are: a verdict, and the test that shows it. */
const LINK = /^yes: \[`((?:test|packages|attack)\/.+)`\]\(\.\.\/\1\)$/

describe('the comparison', () => {
  it('has eight rows against six rivals, and no empty cell', () => {
    expect(header).toHaveLength(8)
    expect(rows).toHaveLength(8)
    expect(rows.map((row) => row.length)).toEqual(Array(8).fill(8))
    for (const cell of rows.flatMap((row) => row.slice(2)))
      expect(cell).toMatch(/^(yes|part|no|not checked)\b/)
  })

  it('leads from each row of ours to a test file', () => {
    const paths = rows.map(([, ours = '']) => LINK.exec(ours)?.[1])
    expect(paths.filter((path) => path === undefined || !existsSync(join(ROOT, path)))).toEqual([])
  })

  it('gives a version and the date of the check for each rival', () => {
    const [, ...versions] = tableOf(page, 'package ')
    const names = ['better-auth', 'supertokens-node', 'next-auth', 'iron-session', '@fastify/jwt']
    expect(versions.map(([name]) => name)).toEqual([...names, 'jsonwebtoken', 'express-jwt'])
    for (const [name, version, published, checked] of versions) {
      expect(version, name).toMatch(/^\d+\.\d+\.\d+$/)
      expect(published, name).toMatch(/^\d{4}-\d\d-\d\d$/)
      expect(checked, name).toMatch(/^\d{4}-\d\d-\d\d$/)
    }
  })

  it('is the same in the README, without the words after the verdict, and leads to the same tests', () => {
    const short = rows.map(([what, ours = '', ...cells]) => [
      what,
      `[yes](${LINK.exec(ours)?.[1]})`,
      ...cells.map((cell) => cell.split(':')[0]),
    ])
    expect(tableOf(read('README.md'), 'what happens')).toEqual([header, ...short])
  })
})
