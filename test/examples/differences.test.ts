/** The decision page and the data that the replay works with are one list. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ROOT } from '../server/process.ts'
import { DIFFERENCES, RULES } from './differences.ts'

const PAGE = join(ROOT, 'docs/reference/differences.md')

/**
 * The page's sections: the rule that a heading names, and the exchanges that the paragraph
 * `Exchanges: ...` lists.
 */
const sections = new Map(
  readFileSync(PAGE, 'utf8')
    .split(/^#{2,3} /m)
    .flatMap((section) => {
      const rule = /^`([\w-]+)`\n/.exec(section)?.[1]
      const list = /^Exchanges: ([\s\S]*?)\n\n/m.exec(section)?.[1] ?? ''
      return rule === undefined ? [] : [[rule, list.match(/\d{3}\/[\w-]+/g) ?? []] as const]
    }),
)

/** The exchanges of a rule, as the page names them. */
function exchangesOf(rule: string): string[] {
  return Object.entries(DIFFERENCES).flatMap(([page, list]) =>
    Object.entries(list)
      .filter(([, { rules }]) => rules.some((name) => name === rule))
      .map(([id]) => `${page}/${id}`),
  )
}

describe('the page of differences', () => {
  it('has the rules of the data, in their order', () => {
    expect([...sections.keys()]).toEqual([...RULES])
  })

  it.each(RULES)('names every exchange of %s and no other', (rule) => {
    expect([...(sections.get(rule) ?? [])].sort()).toEqual(exchangesOf(rule).sort())
  })
})
