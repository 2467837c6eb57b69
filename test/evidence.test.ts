/**
 * The evidence is in the repository: each id in a test title is explained in one of its files, and the tables of documents
 * name test files that exist.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readCases } from '../attack/cases.ts'
import { at, ROOT, readSources, type Source, walk } from './architecture/source.ts'

/** Names of algorithms, encodings and protocols have the form of an id. */
const USUAL = /^(?:(?:HS|RS|ES|PS)\d{3}|UTF-\d+|SHA-\d+|P-\d{3}|HTTP\d|RESP\d)$/

/** What stands in parentheses, or before a colon at the start: `(CSR-08)`, `S13, S14: ...`. */
const PLACES = /\(([^()]*)\)|^([^:]{2,40}):/g
const ID = /^(?:REV-)?[A-Z]{1,4}-?\d{1,3}$/

function idsIn(text: string): string[] {
  return [...text.matchAll(PLACES)]
    .flatMap(([, inside = '', before = '']) => `${inside},${before}`.split(/[,;]\s*/))
    .filter((word) => ID.test(word) && !USUAL.test(word))
}

/** The literal texts of a source. */
function literalsOf({ program }: Source): { text: string; start: number }[] {
  return [...walk(program)].flatMap(({ node }) => {
    const { type, value, start } = node
    const raw = type === 'TemplateElement' ? Object(value).raw : value
    const isText = (type === 'Literal' || type === 'TemplateElement') && typeof raw === 'string'
    return isText ? [{ text: raw, start }] : []
  })
}

function textsOf(source: Source): string[] {
  return literalsOf(source).map(({ text }) => text)
}

/** The ids in the texts of a source, each with its place. */
function idsOf(source: Source): { id: string; place: string }[] {
  return literalsOf(source).flatMap(({ text, start }) =>
    idsIn(text).map((id) => ({ id, place: at(source, start) })),
  )
}

/** The ids that a file of attack cases has, and those that open a row of `docs/invariants.md`. */
function explainedIds(): Set<string> {
  const page = readFileSync(join(ROOT, 'docs/invariants.md'), 'utf8')
  const rows = [...page.matchAll(/^\| `([A-Z]+-?\d+)` /gm)].flatMap(([, id = '']) => id)
  return new Set([...readCases(join(ROOT, 'attack/cases')).map(({ id }) => id), ...rows])
}

describe('ids in test titles', () => {
  const used = readSources('test')
    .filter(({ path }) => path !== 'test/evidence.test.ts')
    .flatMap(idsOf)
  const explained = explainedIds()

  it('are each explained in docs/invariants.md or attack/cases/', () => {
    expect(used.length).toBeGreaterThan(100)
    expect(used.filter(({ id }) => !explained.has(id))).toEqual([])
  })

  it('are found in parentheses and before a colon', () => {
    expect(idsIn('a wrong value (CSR-02, CSR-04)')).toEqual(['CSR-02', 'CSR-04'])
    expect(idsIn('S13, S14: a process that slept')).toEqual(['S13', 'S14'])
    expect(idsIn('signs (RS256), in UTF-8: see RFC 7515 (REV-H1)')).toEqual(['REV-H1'])
  })
})

describe('the tables of docs/security/', () => {
  const rows = list('docs/security').flatMap((page) => {
    const text = readFileSync(join(ROOT, page), 'utf8')
    const lines = text.split('\n').filter((line) => /^\| .*\| (?:met|part|not|yours|n\/a) +\|/.test(line))
    return lines.map((line) => ({ page, line }))
  })

  it('have a test or a reason in each row', () => {
    expect(rows.length).toBeGreaterThan(60)
    const cells = rows.map(({ page, line }) => [page, line.split('|').at(-2)?.trim()] as const)
    expect(cells.filter(([, reason]) => !reason)).toEqual([])
  })

  it('name a test, an attack case or a page wherever a row says "met"', () => {
    const bare = rows.filter(
      ({ line }) => / met +\|/.test(line) && !/`test\/|[A-Z]{3}-\d\d|REV-[HML]\d|\]\(/.test(line),
    )
    expect(bare).toEqual([])
  })

  it('name the title of each test, and it exists', () => {
    const titles = new Map(readSources('test').map((source) => [source.path, textsOf(source)]))
    const named = rows.flatMap(({ line }) => [...line.matchAll(/`(test\/[^`]*)`(?: "([^"]+)")?/g)])
    expect(named.length).toBeGreaterThan(40)
    const missing = named.filter(([, path = '', title]) => {
      return title === undefined || !titles.get(path)?.some((text) => text.includes(title))
    })
    expect(missing.map(([text]) => text)).toEqual([])
  })

  it('name attack cases that exist', () => {
    const named = rows.flatMap(({ line }) => line.match(/\b(?:[A-Z]{3}-\d\d|REV-[HML]\d+)\b/g) ?? [])
    const explained = explainedIds()
    expect(named.filter((id) => !explained.has(id))).toEqual([])
  })
})

describe('documents', () => {
  const pages = ['SECURITY.md', 'attack/cases/README.md', 'docs/invariants.md', 'docs/threat-model.md']
  it.each([...pages, ...list('docs/security')])('%s names files that exist', (page) => {
    const text = readFileSync(join(ROOT, page), 'utf8')
    const named = [...text.matchAll(/`((?:test|src|attack|server|docs|scripts)\/[^`\s]*)`/g)]
    const missing = named.flatMap(([, path = '']) => (isThere(path) ? [] : [path]))
    expect(missing).toEqual([])
  })
})

function list(folder: string): string[] {
  return readdirSync(join(ROOT, folder)).map((name) => `${folder}/${name}`)
}

/** A star stands for the rest of a name. */
function isThere(path: string): boolean {
  const star = path.indexOf('*')
  if (star < 0) return existsSync(join(ROOT, path))
  const folder = path.slice(0, path.lastIndexOf('/', star))
  const [start = '', end = ''] = path.slice(folder.length + 1).split('*')
  return list(folder).some((name) => name.startsWith(`${folder}/${start}`) && name.endsWith(end))
}
