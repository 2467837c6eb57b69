/**
 * Every combination of choices is a project that compiles, strictly, and that the formatter of
 * this repository would leave alone. `npm run check:create` installs and runs them.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { allChoices, type Choices } from '../../../packages/create-tokenwright/src/choices.ts'
import { createProject } from '../../../packages/create-tokenwright/src/project.ts'
import { ROOT } from '../../architecture/source.ts'
import { HAS_WEB } from '../../web/packages.ts'

const combinations = allChoices()
const nameOf = (choices: Choices): string => Object.values(choices).join('-').replace('+', '-')
const projects = combinations.map((choices) => ({
  choices,
  name: nameOf(choices),
  files: createProject(nameOf(choices), choices, '1.0.0'),
}))

/** In the repository, where its packages are found. */
let folder: string

beforeAll(() => {
  mkdirSync(join(ROOT, '.cache'), { recursive: true })
  folder = mkdtempSync(join(ROOT, '.cache/create-'))
  for (const { name, files } of projects) {
    for (const [path, content] of Object.entries(files)) {
      if (!/\.tsx?$/.test(path)) continue
      mkdirSync(dirname(join(folder, name, path)), { recursive: true })
      writeFileSync(join(folder, name, path), content)
    }
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What the compiler says of the projects of some frameworks, in one program. */
function compile(frameworks: readonly Choices['framework'][]): string {
  const some = projects.filter(({ choices }) => frameworks.includes(choices.framework))
  const { compilerOptions } = JSON.parse(some[0]?.files['tsconfig.json'] ?? '{}')
  const next = '../../test/web/node_modules/next'
  const config = {
    compilerOptions: {
      ...compilerOptions,
      noEmit: true,
      rootDir: '../..',
      paths: { next: [next], 'next/*': [`${next}/*`] },
    },
    include: some.map(({ name }) => name),
  }
  const file = join(folder, `${frameworks[0]}.json`)
  writeFileSync(file, JSON.stringify(config))
  const { stdout, stderr } = spawnSync(join(ROOT, 'node_modules/.bin/tsc'), ['-p', file], {
    encoding: 'utf8',
  })
  return `${stdout}${stderr}`.split('\n').slice(0, 10).join('\n')
}

describe('every combination', () => {
  it('is one of six by four by two by three', () => expect(combinations).toHaveLength(144))

  it.each([[['hono', 'express', 'fastify', 'koa']], [['nest']]] as const)(
    'of %j compiles',
    (frameworks) => {
      expect(compile(frameworks)).toBe('')
    },
    120_000,
  )

  it.skipIf(!HAS_WEB)('of Next.js compiles', () => expect(compile(['next'])).toBe(''), 120_000)
})
