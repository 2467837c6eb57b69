/**
 * The page of options is what `scripts/options-page.mjs` writes from the source, and the comments
 * state the defaults that the tables have.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { REQUIREMENT_DEFAULTS } from '../src/auth/requirement.ts'
import { DEFAULTS } from '../src/auth/resolve-options.ts'
import { ROOT, readSources } from './architecture/source.ts'

type ToPage = (files: readonly { path: string; text: string }[], defaults: object) => string

const { toOptionsPage }: { toOptionsPage: ToPage } = await import(join(ROOT, 'scripts/options-page.mjs'))
const sources = readSources('src').map(({ path, text }) => ({ path, text }))
const tables = { options: DEFAULTS, requirement: REQUIREMENT_DEFAULTS }

/** The sources with one text replaced. */
function change(path: string, from: string, to: string): typeof sources {
  return sources.map((file) => {
    if (file.path !== path) return file
    expect(file.text).toContain(from)
    return { path, text: file.text.replace(from, to) }
  })
}

describe('docs/reference/options.md', () => {
  it('is what `npm run docs:options` writes', () => {
    const page = readFileSync(join(ROOT, 'docs/reference/options.md'), 'utf8')
    expect(page, 'run `npm run docs:options`').toBe(toOptionsPage(sources, tables))
  })

  it('has every option and every requirement, with its default', () => {
    const page = toOptionsPage(sources, tables)
    for (const name of Object.keys(DEFAULTS)) expect(page).toContain(`\n| \`${name}\` |`)
    for (const name of Object.keys(REQUIREMENT_DEFAULTS)) expect(page).toContain(`\n| \`${name}\` |`)
    expect(page).toMatch(/^\| `leeway` \|.*\| `'5s'` \|$/m)
    expect(page).toMatch(/^\| `cookies\.carry` \|.*\| `\['access', 'refresh'\]` \|$/m)
  })

  it('changes with the comment of an option', () => {
    const from = 'The name and the scheme of the header.'
    const files = change('src/http/token-sources.ts', from, 'Another text.')
    expect(toOptionsPage(files, tables)).toContain('| `header` | [options](#header) | Another text. |')
  })
})

describe('the generator', () => {
  it('refuses a comment that states another default than the table', () => {
    const options = { ...DEFAULTS, leeway: '6s' }
    expect(() => toOptionsPage(sources, { ...tables, options })).toThrow(
      "The comment of leeway must state the default '6s'",
    )
    const files = change('src/http/csrf.ts', " Default `'both'`.", '')
    expect(() => toOptionsPage(files, tables)).toThrow(
      "The comment of csrf.mode must state the default 'both'",
    )
  })

  it('refuses an option without a comment', () => {
    const files = change('src/auth/options.ts', '/** The lifetime of access tokens. */', '')
    expect(() => toOptionsPage(files, tables)).toThrow('The option access has no comment')
  })

  it('refuses a default that belongs to no option', () => {
    const options = { ...DEFAULTS, sessions: { ...DEFAULTS.sessions, former: 1 } }
    expect(() => toOptionsPage(sources, { ...tables, options })).toThrow(
      'The default of sessions.former belongs to no option',
    )
  })
})
