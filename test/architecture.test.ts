/**
 * The rules of the architecture: each is a pure function over parsed sources that lists what breaks it as `file:line reason`.
 * The first half runs them on this repository, the second half on small bad sources, so that each rule is seen to fail.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkDocumented } from './architecture/documentation.ts'
import { checkExportedOnce, checkRoot } from './architecture/exports.ts'
import { checkCycles, checkEntryPoints, checkLayers, entryPointsOf, layerOf } from './architecture/layers.ts'
import {
  checkDecisionNumbers,
  checkLinks,
  checkRetiredWords,
  checkWidths,
  type TextFile,
  titlesOf,
} from './architecture/prose.ts'
import {
  checkAny,
  checkAugmentation,
  checkChallengeWriter,
  checkFiles,
  checkFunctions,
  checkMilliseconds,
  checkMisuse,
  checkNames,
  checkOpenings,
  checkParameters,
  checkSpread,
  checkWords,
} from './architecture/shape.ts'
import { parseSource, ROOT, readSources, type Source } from './architecture/source.ts'

const library = readSources('src')
const server = readSources('server')
const paths = library.map((source) => source.path)
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))

/** Put together here, so that this file does not say the words itself. */
const forbiddenWords = [
  ['', 'work', ''].join('/'),
  ['registry', 'npmjs', 'org'].join('.'),
  ['registry', 'yarnpkg', 'com'].join('.'),
  ['deb', 'debian', 'org'].join('.'),
]

function expectClean(problems: readonly string[]): void {
  expect(problems, `\n${problems.join('\n')}\n`).toHaveLength(0)
}

describe('the library', () => {
  it('has sources', () => expect(library.length).toBeGreaterThan(0))
  it('imports only downwards', () => expectClean(checkLayers(library)))
  it('has no cycle of imports, type-only imports included', () => expectClean(checkCycles(library)))
  it('has one "exports" entry per entry point', () => expectClean(checkEntryPoints(paths, manifest.exports)))
  it('names files in kebab-case, with no catch-alls', () => expectClean(checkNames(paths)))
  it('has no long file', () => expectClean(checkFiles([...library, ...server])))
  it('has no long function', () => expectClean(checkFunctions([...library, ...server])))
  it('keeps the usual file and function short', () => expectClean(checkSpread(library)))
  it('takes at most four parameters', () => expectClean(checkParameters([...library, ...server])))
  it('documents every symbol and member that a user reaches', () => {
    expectClean(checkDocumented(library, entryPointsOf(paths)))
  })
  it('opens every file with what it is', () => expectClean(checkOpenings(library)))
  it('has no any', () => expectClean(checkAny(library)))
  it('augments no other package’s types', () => expectClean(checkAugmentation(library)))
  it('writes WWW-Authenticate in one place', () => expectClean(checkChallengeWriter(library)))
  it('marks its errors for wrong calls', () => expectClean(checkMisuse(library)))
  it('counts in seconds', () => expectClean(checkMilliseconds(library)))
  it('exports a name once', () => expectClean(checkExportedOnce(library)))
  it('has only entry points at its root', () => expectClean(checkRoot(paths, manifest)))
  it('never names a path of a machine or a host of a registry', () => {
    expectClean(checkWords(trackedFiles(), forbiddenWords))
  })
})

describe('prose', () => {
  const files = [...trackedFiles()]
  const isProse = ({ path }: TextFile): boolean =>
    /^(src|server|packages|attack|bench|examples|scripts|site|docs)\/|^[A-Z]+\.md$/.test(path) &&
    !path.endsWith('package-lock.json')
  const titles = files.filter(({ path }) => /^test\/.*\.ts$/.test(path)).map(titlesOf)

  it('is wrapped at 100 columns', () => expectClean(checkWidths(files.filter(isProse))))
  it('uses the words of the field', () => expectClean(checkRetiredWords(files.filter(isProse))))
  it('uses them in the titles of tests', () => expectClean(checkRetiredWords(titles)))
  it('links to files that exist', () => {
    expectClean(checkLinks(trackedFiles(), (path) => existsSync(join(ROOT, path))))
    expectClean(checkDecisionNumbers(trackedFiles()))
  })
})

describe('the main entry point', () => {
  const main = library.find((source) => source.path === 'src/index.ts')

  it('only re-exports', () => {
    const body = main?.program['body'] as { type: string; source?: unknown }[] | undefined
    expect(
      body?.filter((statement) => statement.type !== 'ExportNamedDeclaration' || !statement.source),
    ).toEqual([])
  })
})

describe('the rules themselves', () => {
  const source = (path: string, text: string): Source => parseSource(path, text)
  const lines = (count: number): string => '  now()\n'.repeat(count)

  it.each([
    ['src/token/a.ts', "import { b } from '../http/b.ts'", 'token may not import anything from http'],
    ['src/session/a.ts', "import type { B } from '../http/b.ts'", 'session may not import types from http'],
    [
      'src/token/a.ts',
      "let b: import('../auth/authenticate.ts').Guard",
      'token may not import types from auth',
    ],
    ['src/errors.ts', "export { b } from './token/b.ts'", 'errors may not import anything from token'],
    [
      'src/adapters/a.ts',
      "import { createAuth } from '../auth/create-auth.ts'",
      'anything but types (import type) from auth',
    ],
    [
      'src/adapters/a.ts',
      "import { type Auth } from '../auth/create-auth.ts'",
      'anything but types (import type) from auth',
    ],
    ['src/adapters/a.ts', "import { b } from './b.ts'", 'no entry point is imported from within'],
    ['src/routes.ts', "import { b } from './adapters/guards.ts'", 'no entry point is imported from within'],
    ['src/http/a.ts', "import { b } from '../adapters/guards.ts'", 'no entry point is imported from within'],
    [
      'src/stores/a.ts',
      "import { b } from '../session/sessions.ts'",
      'stores may not import anything from session',
    ],
    ['src/client.ts', "import { b } from './errors.ts'", 'client may not import anything but types'],
    ['src/client.ts', "import { hash } from 'node:crypto'", 'the client runs in browsers'],
    ['src/react.ts', "import { a } from './client.ts'", 'no entry point is imported from within'],
    ['src/react.ts', "import { a } from './client/calls.ts'", 'no entry point is imported from within'],
    ['src/adapters/hono.ts', "import { Hono } from 'hono'", 'imports the package hono at run time'],
    ['src/token/a.ts', "import type { JWK } from 'jose'", 'imports the package jose'],
    ['src/token/a.ts', "import { hash } from 'crypto'", 'write node:crypto'],
    ['src/auth/options.ts', "import { b } from './requirement.ts'", 'stands after it in the order of auth/'],
    ['src/auth/other.ts', "import { b } from './options.ts'", 'not in the declared order of auth/'],
    ['src/utils.ts', '', 'is in no layer'],
    ['src/token.ts', '', 'is in no layer'],
  ])('layers: %s with %s', (path, text, reason) => {
    expect(checkLayers([source(path, text)])).toEqual([expect.stringContaining(reason)])
  })

  it('layers: what the table allows', () => {
    const good = [
      source(
        'src/stores/sql.ts',
        "import type { Store } from '../session/store.ts'\nimport type { Kysely } from 'kysely'",
      ),
      source('src/adapters/nest.ts', "import { createParamDecorator } from '@nestjs/common'"),
      source('src/adapters/koa.ts', "import { prepareGuard } from './guards.ts'"),
      source('src/adapters/nest/guard.ts', "import { prepareGuard } from '../guards.ts'"),
      source(
        'src/adapters/hono.ts',
        "import type { Auth } from '../auth/create-auth.ts'\nimport { createErrorResponse } from '../http/error-response.ts'",
      ),
      source('src/token/key-ring.ts', "import { hash } from 'node:crypto'\nimport { jws } from './jws.ts'"),
    ]
    expect(checkLayers(good)).toEqual([])
    expect(layerOf('src/token/key-ring.ts')).toBe('token')
  })

  it('cycles: also through type-only imports', () => {
    const cycle = [
      source('src/token/a.ts', "import type { B } from './b.ts'"),
      source('src/token/b.ts', "export { c } from './c.ts'"),
      source('src/token/c.ts', "let a: import('./a.ts').A"),
    ]
    expect(checkCycles(cycle)).toEqual([
      expect.stringContaining('a.ts -> src/token/b.ts -> src/token/c.ts -> src/token/a.ts'),
    ])
    expect(checkCycles(cycle.slice(0, 2))).toEqual([])
  })

  it('entry points: a missing entry, a stray entry and a wrong file', () => {
    const entry = (name: string): object => {
      const esm = { types: `./dist/src/${name}.d.ts`, default: `./dist/esm/${name}.js` }
      const cjs = { types: `./dist/cjs/${name}.d.ts`, default: `./dist/cjs/${name}.js` }
      return { 'module-sync': esm, require: cjs, default: esm }
    }
    const [main, store] = [entry('index'), entry('stores/sql')]
    const files = ['src/index.ts', 'src/stores/sql.ts', 'src/auth/create-auth.ts', 'src/cli.ts']
    expect(
      checkEntryPoints(files, { '.': main, './stores/sql': store, './package.json': './package.json' }),
    ).toEqual([])
    expect(checkEntryPoints(files, { '.': main, './hono': main })).toEqual([
      expect.stringContaining('should have "./stores/sql"'),
      expect.stringContaining('has ./hono, but no file'),
    ])
    expect(checkEntryPoints(['src/index.ts'], { '.': store })).toEqual([
      expect.stringContaining('should have "."'),
    ])
  })

  it('names', () => {
    expect(
      checkNames([
        'src/internal/utils.ts',
        'src/lib/jws.ts',
        'src/token/KeyRing.ts',
        'src/token/key-ring.ts',
      ]),
    ).toEqual([
      expect.stringContaining('"utils" is a catch-all'),
      expect.stringContaining('"lib" is a catch-all'),
      expect.stringContaining('"KeyRing" is not kebab-case'),
    ])
  })

  it('sizes', () => {
    const long = source('src/a.ts', `function f(): void {\n${lines(79)}}\n`)
    const fine = source('src/b.ts', `const f = () => {\n${lines(78)}}\n`)
    expect(checkFunctions([long, fine])).toEqual(['src/a.ts:1 a function of 81 lines, the most is 80'])
    expect(checkFiles([source('src/a.ts', lines(351)), source('src/b.ts', lines(350))])).toHaveLength(1)
    expect(checkSpread([long])).toEqual([expect.stringMatching(/90th percentile of functions has 81 lines/)])
    expect(checkSpread([source('src/a.ts', lines(131))])).toEqual([
      expect.stringMatching(/median file has 131 lines/),
    ])
    expect(checkSpread([source('src/a.ts', lines(130))])).toEqual([])
  })

  it('parameters', () => {
    const text =
      'const f = (a, b, c, d, e) => a\nfunction g(this: X, a, b, c, d) {}\ninterface I { m(a, b, c, d, e): void }'
    expect(checkParameters([source('src/a.ts', text)])).toEqual([
      expect.stringContaining('src/a.ts:1 takes 5 parameters'),
      expect.stringContaining('src/a.ts:3 takes 5 parameters'),
    ])
  })

  it.each([
    ['export const a = 1', 'a.ts:1 a has no'],
    ['/* no doc */\nexport function f() {}', 'a.ts:2 f has no'],
    ['/** doc */\n\nconst x = 1\nexport function f() {}', 'a.ts:4 f has no'],
    ['const a = 1\nexport { a }', 'a.ts:1 a has no'],
    ['export default function f() {}', 'f has no'],
    ['/** doc */\nexport interface I {\n  a: string }', 'a.ts:3 I.a has no'],
    ['/** doc */\nexport type T = { /** doc */ a?: { b: string }[] }', 'T.b has no'],
    ['/** doc */\nexport type T = Readonly<{ a: string }>', 'T.a has no'],
    ['/** doc */\nexport class C { m() {} }', 'C.m has no'],
  ])('documentation: %j', (text, reason) => {
    expect(checkDocumented([source('src/a.ts', text)], ['src/a.ts'])).toEqual([
      expect.stringContaining(reason),
    ])
  })

  it('documentation: what needs none', () => {
    const text = `
      const a = 1
      export { b } from './b.ts'
      /** doc */
      export function f(a: string): void
      export function f(a: number): void
      export function f(a: unknown): void {}
      /** doc */
      export class C { #a = 1; private b = 2; constructor() {} override readonly name = 'C' }
      /** doc */
      export type G = Handler<{ Variables: { auth: string } }> | { kind: 'one' }`
    expect(checkDocumented([source('src/a.ts', text)], ['src/a.ts'])).toEqual([])
  })

  it('documentation: what users reach through types and re-exports, and no further', () => {
    const files = [
      source('src/index.ts', "export { f } from './a.ts'"),
      source(
        'src/a.ts',
        `
        import type { Row } from './b.ts'
        import { hidden } from './c.ts'
        /** doc */
        export function f(options: Options): Row { return hidden() }
        interface Options extends Base { name: string }
        /** doc */
        interface Base { other: number }
        export function g() {}`,
      ),
      source('src/b.ts', '/** doc */\nexport type Row = Partial<{ id: string }>\nexport const b = 1'),
      source('src/c.ts', 'export function hidden() {}'),
    ]
    expect(checkDocumented(files, ['src/index.ts']).map((problem) => problem.split(' has ')[0])).toEqual([
      'src/a.ts:6 Options',
      'src/a.ts:6 Options.name',
      'src/a.ts:8 Base.other',
      'src/b.ts:2 Row.id',
    ])
  })

  it('exports: a name that means two things, and a stray file at the root', () => {
    const files = [
      source('src/a.ts', 'export const read = 1\nexport function guards() {}'),
      source('src/b.ts', 'function read() {}\nexport { read }'),
      source('src/c.ts', "export { read } from './a.ts'\nimport { read as r } from './a.ts'\nexport { r }"),
      source('src/adapters/a.ts', 'export function guards() {}'),
      source('src/adapters/b.ts', 'export function guards() {}'),
    ]
    expect(checkExportedOnce(files)).toEqual(['src/a.ts:1 exports read, and so does src/b.ts'])
    const manifest = {
      exports: { '.': { default: './dist/esm/index.js' } },
      bin: { tokenwright: './dist/esm/cli.js' },
    }
    expect(
      checkRoot(['src/index.ts', 'src/cli.ts', 'src/errors.ts', 'src/x.ts', 'src/http/y.ts'], manifest),
    ).toEqual(['src/x.ts:1 lies at the root of src/ and is no entry point'])
  })

  it('widths: comments and Markdown, but no code, table, fence or address', () => {
    const long = 'x'.repeat(101)
    const ts = `// ${long}\nconst a = '${long}'\n/**\n * ${long}\n */\nconst b = 1 // ${long}\n`
    expect(checkWidths([{ path: 'a.ts', text: ts }]).map((problem) => problem.split(' ')[0])).toEqual([
      'a.ts:1',
      'a.ts:4',
      'a.ts:6',
    ])
    const md = `${long}\n| ${long} |\n\`\`\`ts\n${long}\n\`\`\`\n[a](${long})\nhttps://${long}\n${long}`
    expect(checkWidths([{ path: 'a.md', text: md }]).map((problem) => problem.split(' ')[0])).toEqual([
      'a.md:1',
      'a.md:8',
    ])
    expect(checkWidths([{ path: 'a.md', text: 'ä'.repeat(100) }])).toEqual([])
  })

  it('links: relative ones of Markdown pages', () => {
    const text = '[a](b.md#c) [d](../e/) [f](https://example.com/x.md)\n[g](#h) [i](gone.md)'
    const exists = (path: string): boolean => ['docs/b.md', 'e/'].includes(path)
    const numbers = 'See [decision 7](../decisions/0007-a.md) and [decision\n31](../decisions/0030-b.md).'
    expect(checkDecisionNumbers([{ path: 'docs/a.md', text: numbers }])).toEqual([
      'docs/a.md calls decision 30 number 31',
    ])
    expect(checkLinks([{ path: 'docs/a.md', text }], exists)).toEqual([
      'docs/a.md:2 links to docs/gone.md, which is not there',
    ])
  })

  it('retired words: in prose and inside names, but not where they mean what they usually mean', () => {
    const said = (path: string, text: string): string[] =>
      checkRetiredWords([{ path, text }]).map((problem) => problem.replace(/:\d+ says "(\w+)".*/, ' $1'))
    expect(said('a.md', 'The door.\nIt answers that Nobody came, for ever.')).toEqual([
      'a.md door',
      'a.md Nobody',
      'a.md:2 says "for ever": write forever, without limit',
      'a.md answers',
    ])
    expect(said('a.ts', 'const toDoorUrl = 1\nlet NEED: Need')).toEqual(['a.ts Door', 'a.ts Need'])
    expect(
      said('a.ts', 'Math.floor(1) // carried out, indoors, draft-ietf-oauth-v2-1, what we need'),
    ).toEqual([])
    expect(
      checkRetiredWords([titlesOf({ path: 'a.test.ts', text: "it('opens the door', () => door())" })]),
    ).toEqual(['a.test.titles:1 says "door": write entry point'])
  })

  it('any, augmentation, challenge, milliseconds, opening, words', () => {
    const why = '// biome-ignore lint/suspicious/noExplicitAny: the framework says so'
    expect(checkAny([source('src/a.ts', `let a: any\n${why}\nlet b: any`)])).toEqual(['src/a.ts:1 any'])
    expect(checkAugmentation([source('src/a.ts', 'declare global {}\ndeclare module "x" {}')])).toHaveLength(
      2,
    )
    const writer = "set('WWW-Authenticate', `x`) // WWW-Authenticate"
    expect(checkChallengeWriter([source('src/http/error-response.ts', writer)])).toEqual([])
    expect(checkChallengeWriter([source('src/http/a.ts', writer)])).toHaveLength(1)
    expect(checkChallengeWriter([source('src/http/a.ts', 'let a = `www-authenticate: x`')])).toHaveLength(1)
    expect(checkMisuse([source('src/a.ts', "throw new TypeError('x')")])).toHaveLength(1)
    expect(checkMisuse([source('src/a.ts', "throw misuse('x')")])).toEqual([])
    expect(checkMilliseconds([source('src/a.ts', 'const ttlMs = 1')])).toEqual([
      'src/a.ts:1 "ttlMs" counts milliseconds',
    ])
    expect(
      checkOpenings([source('src/a.ts', '// a\nlet a'), source('src/b.ts', '/** A room. */\nlet a')]),
    ).toHaveLength(1)
    const files = [{ path: 'a.md', text: `fine\nsee ${forbiddenWords[0]}main` }]
    expect(checkWords(files, forbiddenWords)).toEqual([expect.stringContaining('a.md:2 says')])
  })
})

/** Every text file that is in the repository or would be added by `git add`. */
function* trackedFiles(): Generator<{ path: string; text: string }> {
  const command = ['ls-files', '--cached', '--others', '--exclude-standard', '-z']
  const listed = execFileSync('git', command, { cwd: ROOT, encoding: 'utf8' })
  for (const path of new Set(listed.split('\0').filter(Boolean))) {
    let text: string
    try {
      text = readFileSync(join(ROOT, path), 'utf8')
    } catch {
      continue // deleted in the work tree, or a link to nowhere
    }
    if (!text.includes('\0')) yield { path, text }
  }
}
