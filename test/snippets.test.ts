/**
 * Every snippet of README.md, docs/, the doc comments of src/ and the page of the reference server
 * compiles against the built package, under strict.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { DEMOS, SETUP, SNIPPETS } from '../server/web/snippets.ts'
import { type Snippet, snippetsOfPage, snippetsOfSource } from './architecture/snippets.ts'
import { ROOT, readSources } from './architecture/source.ts'

const WORKSHOP = join(ROOT, '.cache/snippets')
const SELF_TEST = snippetsOfPage(
  'self-test.md',
  [
    '# A page',
    '```ts',
    "import { createAuth } from 'tokenwright'",
    'const wrong: number = createAuth',
    '```',
  ].join('\n'),
)

/** What a careful user compiles with. Unused names and `process.env.NAME` are fine in a snippet. */
const SETTINGS = {
  compilerOptions: {
    target: 'es2023',
    lib: ['es2023', 'dom', 'dom.iterable'],
    module: 'nodenext',
    moduleDetection: 'force',
    types: ['node'],
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    verbatimModuleSyntax: true,
    experimentalDecorators: true,
    skipLibCheck: true,
    noEmit: true,
  },
}

const pages = markdownPages().map((path) => snippetsOfPage(path, readFileSync(join(ROOT, path), 'utf8')))
const examples = readSources('src').flatMap((source) => snippetsOfSource(source.path, source.text))
const snippets = [...pages.flatMap((page) => page.snippets), ...examples, ...snippetsOfServer()]
/** The middleware of the MCP SDK gives every request of Express an `auth` of its own. */
const augments = ({ code }: Snippet): boolean => code.includes('/middleware/bearerAuth.js')
const complaints = [
  ...compile([...snippets, ...SELF_TEST.snippets].filter((snippet) => !augments(snippet))),
  ...compile([...snippets.filter(augments), ...snippetsBesideSdk()]),
]

describe('the snippets of the documentation', () => {
  const shown = new Set(snippets.map((snippet) => snippet.page))
  const unchecked = pages.reduce((sum, page) => sum + page.unchecked, 0)

  it.each([...shown])('compile: %s', (page) => {
    const problems = complaints.filter((complaint) => complaint.startsWith(`${page}:`))
    expect(problems, `\n${problems.join('\n')}\n`).toHaveLength(0)
  })

  it(`are ${snippets.length} that compile, and ${unchecked} marked no-check`, () => {
    expect(unchecked).toBeLessThanOrEqual(Math.ceil(snippets.length / 3))
  })

  it('are marked as those of a framework only on the pages that `test/web` compiles', () => {
    const marked = markdownPages().filter((_, index) => (pages[index]?.elsewhere ?? 0) > 0)
    const compiled = ['client-frameworks', 'full-stack', 'graphql-trpc']
    expect(marked).toEqual(compiled.map((name) => `docs/guide/${name}.md`))
  })

  it('are compiled against a built package', () => {
    const general = complaints.filter((complaint) => !/^\S+:\d+ /.test(complaint))
    expect(general, `\n${general.join('\n')}\n`).toHaveLength(0)
  })
})

describe('the check itself', () => {
  it('compiles guards of Express beside the types of the MCP SDK', () => {
    const problems = complaints.filter((complaint) => complaint.startsWith('beside the MCP SDK:'))
    expect(problems, `\n${problems.join('\n')}\n`).toHaveLength(0)
  })

  it('complains about a wrong snippet, with the line of the page', () => {
    const own = complaints.filter((complaint) => complaint.startsWith('self-test.md:'))
    expect(own).toEqual([expect.stringMatching(/^self-test\.md:4 error TS2322/)])
  })

  it('keeps line numbers, joins what continues, and counts what is not checked', () => {
    const text =
      'a\n```ts\none()\n```\n```ts no-check\n???\n```\n```ts framework\n???\n```\n```json\n{}\n```\n```ts continue\ntwo()\n```\n'
    const page = snippetsOfPage('a.md', text)
    expect([page.unchecked, page.elsewhere]).toEqual([1, 1])
    expect(page.snippets).toEqual([{ page: 'a.md', line: 3, code: `\n\none()\n${'\n'.repeat(11)}two()\n` }])
  })

  it('finds examples in doc comments, fenced and plain', () => {
    const fenced = '/**\n * A door.\n * @example\n * ```ts\n * open()\n * ```\n * @see RFC\n */\nlet a'
    const plain = '\n/**\n * @example\n * open()\n * @see RFC\n */\nlet a'
    expect(snippetsOfSource('a.ts', fenced)).toEqual([{ page: 'a.ts', line: 5, code: '\n\n\n\nopen()\n' }])
    expect(snippetsOfSource('b.ts', plain)).toEqual([{ page: 'b.ts', line: 4, code: '\n\n\nopen()\n' }])
  })
})

/** Guards of Express in a program with the types of the MCP SDK: what must compile, and what must not. */
function snippetsBesideSdk(): Snippet[] {
  const code = `
    import '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
    import express, { type Request } from 'express'
    import { createAuth, type TokenPayload } from 'tokenwright'
    import { guards } from 'tokenwright/express'
    const auth = createAuth()
    const guard = guards(auth)
    const app = express()
    app.get('/a', guard.access((req) => { const date: Date = req.auth.expiresAt }))
    app.get('/b', guard.optional((req) => { const payload: TokenPayload | null = req.auth }))
    app.get('/c/:id', guard.fresh(), (req) => { const id: string = req.params.id; guard.payload(req).sub })
    app.get('/d', guard.token({ optional: true, scopes: ['a'] }, (req) => { req.auth?.sub }))
    app.get('/e', (req: Request) => { const theirs: string | undefined = req.auth?.clientId })
    // @ts-expect-error: it may be null
    app.get('/f', guard.optional((req) => { req.auth.sub }))
    // @ts-expect-error: it is no AuthInfo
    app.get('/g', guard.access((req) => { req.auth.clientId }))
  `
  return [{ page: 'beside the MCP SDK', line: 1, code }]
}

/** What the page of the reference server shows: the setup of each side, and the rest after it. */
function snippetsOfServer(): Snippet[] {
  const page = 'server/web/snippets.ts'
  const yours = `
    declare function findUser(login: { username: string; password: string }): Promise<{ subject: string } | null>
    declare function savePassword(user: string, body: unknown): Promise<void>
    declare function warnUser(user: string, session: string | null): void
  `
  const setup = { server: yours + SETUP.server, client: SETUP.client }
  return [SETUP, ...Object.values(SNIPPETS), ...Object.values(DEMOS)].flatMap((snippet) =>
    (['server', 'client'] as const).map((side) => {
      const code = snippet === SETUP ? setup[side] : `${setup[side]}\n{\n${snippet[side]}\n}\n`
      return { page, line: 1, code }
    }),
  )
}

function markdownPages(): string[] {
  const docs = existsSync(join(ROOT, 'docs'))
    ? readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    : []
  const nested = docs
    .filter((path) => path.endsWith('.md'))
    .map((path) => `docs/${path.replaceAll('\\', '/')}`)
  return ['README.md', ...nested.sort()].filter((path) => existsSync(join(ROOT, path)))
}

/** The compiler's complaints as `page:line error ...`; those about no snippet come as they are. */
function compile(all: readonly Snippet[]): string[] {
  rmSync(WORKSHOP, { recursive: true, force: true })
  mkdirSync(WORKSHOP, { recursive: true })
  const names = new Map<string, Snippet>(all.map((snippet, index) => [`${index}.ts`, snippet]))
  for (const [name, snippet] of names) writeFileSync(join(WORKSHOP, name), snippet.code)
  writeFileSync(join(WORKSHOP, 'tsconfig.json'), JSON.stringify(SETTINGS))
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc')
  const { stdout, stderr } = spawnSync(process.execPath, [compiler, '-p', '.', '--pretty', 'false'], {
    cwd: WORKSHOP,
    encoding: 'utf8',
  })
  const lines = `${stdout}${stderr}`.split('\n').filter((line) => line !== '')
  return lines.flatMap((line) => {
    if (line.startsWith(' ')) return [] // the details of the complaint before
    const [, name = '', at = '', text = ''] = /^(\d+\.ts)\((\d+),\d+\): (.*)$/.exec(line) ?? []
    const snippet = names.get(name)
    return snippet ? `${snippet.page}:${at} ${text}` : line
  })
}
