/** What the build of the documentation site does with text; `npm run check:site` checks what comes out. */
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ROOT } from './architecture/source.ts'

const load = (name: string) => import(/* @vite-ignore */ join(ROOT, `site/pages/${name}.mjs`))
const { forgeOf } = await load('forge')
const { linkNamedFiles } = await load('links')
const { summaryOf } = await load('repository')
const { divide } = await load('topics')

describe('the forge', () => {
  it('is the home that check-release.mjs writes, at the tag of the version', () => {
    const repository = { type: 'git', url: 'git+https://forge.example/owner/name.git' }
    const files = 'https://forge.example/owner/name/blob/v1.2.3/'
    expect(forgeOf({ version: '1.2.3', repository })).toEqual({ revision: 'v1.2.3', files })
  })

  it('needs a home', () => expect(forgeOf({ version: '1.2.3' })).toBeUndefined())
})

describe('files that a page names', () => {
  const toForge = (file: string) => `https://forge.example/${file}`
  const link = (text: string): string => linkNamedFiles(text, toForge)
  const file = 'test/site.test.ts'

  it('become links', () =>
    expect(link(`| yes: \`${file}\` |`)).toBe(`| yes: [\`${file}\`](https://forge.example/${file}) |`))

  it('stay as they are in links, in blocks of code, and where there is no such file', () => {
    for (const text of [
      `[see \`${file}\`](other.md)`,
      `\`\`\`sh\n\`${file}\`\n\`\`\``,
      '`test/no-such.test.ts`',
      '`test/a.test.ts --watch`',
    ])
      expect(link(text)).toBe(text)
  })
})

describe('the summary of a page', () => {
  it('is its first text, without code and marks', () =>
    expect(
      summaryOf('# A\n\n```ts\ncode()\n\nmore()\n```\n\n`a:*` is **one** [link](b.md).\n\nMore.\n'),
    ).toBe('a:* is one link.'))

  it('is that of a decision', () =>
    expect(summaryOf('# 1. A\n\nDate: 2026-11-21.\n\n**Summary.** What is\ndone.\n\n## Context\n')).toBe(
      'What is done.',
    ))
})

describe('the topics of an entry point', () => {
  const section = (name: string, text = 'What it is. More.') =>
    `<a id="${name.toLowerCase()}"></a>\n\n### ${name}\n\n${text}\n\n<a id="${name.toLowerCase()}-a"></a>\n\n#### Part\n`
  const filler = 'word '.repeat(10_000)
  const text = [
    '## Classes\n\n',
    section('Key'),
    '\n***\n\n',
    section('Other', filler),
    '\n## Functions\n\n',
    section('createKey()'),
  ].join('')
  const files = new Map([
    ['Key', 'token/jwk.ts'],
    ['Other', 'elsewhere.ts'],
    ['createKey', 'token/key-ring.ts'],
  ])

  it('are pages by the files of the exports, each with its kinds', () => {
    const { pages } = divide(text, files)
    const found = pages.map(({ topic, exports }: { topic: string; exports: { name: string }[] }) => [
      topic,
      exports.map(({ name }) => name),
    ])
    expect(found).toEqual([
      ['keys', ['Key', 'createKey']],
      ['others', ['Other']],
    ])
    expect(pages[0].exports[0].summary).toBe('What it is.')
    expect(pages[0].text.match(/^##+ .*$/gm)).toEqual([
      '## Classes',
      '### Key',
      '#### Part',
      '## Functions',
      '### createKey()',
      '#### Part',
    ])
  })

  it('know the page of each anchor', () => {
    const { topicOfAnchor } = divide(text, files)
    expect([topicOfAnchor.get('key-a'), topicOfAnchor.get('other')]).toEqual(['keys', 'others'])
  })

  it('do not divide a short one', () => expect(divide(section('Key'), files)).toBeUndefined())

  it('refuse a section that is no export', () => expect(() => divide(text, new Map())).toThrow('"Key"'))
})
