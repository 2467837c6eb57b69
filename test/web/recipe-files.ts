/** The recipes of a page of docs/guide: blocks that begin with `// name`, compiled and imported as they stand there. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect } from 'vitest'
import { compile } from './apps.ts'
import { find } from './packages.ts'

/** What a careful user compiles with. tRPC takes no `fetch` with exact optional properties. */
const SETTINGS = {
  target: 'es2023',
  lib: ['es2023', 'dom', 'dom.iterable'],
  module: 'esnext',
  moduleResolution: 'bundler',
  allowImportingTsExtensions: true,
  types: ['node'],
  strict: true,
  skipLibCheck: true,
}

/** The recipes of one page. */
export interface Recipes {
  /** Compiles all of them. Returns the complaints. */
  compile(): Promise<string>
  /**
   * Imports one.
   *
   * @param aliases modules to import in place of others
   */
  load<T>(name: string, aliases?: Readonly<Record<string, string>>): Promise<T>
}

/** Reads the recipes of a page, such as `client-frameworks.md`. */
export function readRecipes(page: string): Recipes {
  const text = readFileSync(new URL(`../../docs/guide/${page}`, import.meta.url), 'utf8')
  const blocks = [...text.matchAll(/```ts framework\n(\/\/ (\S+)\n[\s\S]*?)```/g)]
  const recipes = new Map(blocks.map(([, code = '', name = '']) => [name, code]))
  const folder = fileURLToPath(new URL(`./.cache/${page.replace('.md', '')}/`, import.meta.url))
  const write = (part: string, name: string, code: string): string => {
    mkdirSync(folder + part, { recursive: true })
    writeFileSync(`${folder}${part}/${name}`, code)
    return `${folder}${part}/${name}`
  }
  return {
    compile() {
      for (const [name, code] of recipes) write('compiled', name, code)
      write('compiled', 'tsconfig.json', JSON.stringify({ include: ['*.ts'], compilerOptions: SETTINGS }))
      return compile(`${folder}compiled`)
    },
    load(name, aliases = {}) {
      let code = recipes.get(name) ?? ''
      expect(code.split('\n').length, name).toBeGreaterThan(5)
      expect(code.split('\n').length, name).toBeLessThan(100)
      for (const [from, to] of Object.entries(aliases)) code = code.replaceAll(`'${from}'`, `'${to}'`)
      return import(/* @vite-ignore */ write('run', name, code))
    },
  }
}

/** Imports the CommonJS half of a package of `test/web`, or its only one. */
export const importPackage = (specifier: string) =>
  import(/* @vite-ignore */ pathToFileURL(find(specifier)).href)

/** Imports a package of `test/web` as the recipes do: the same copy. */
export function importModule(specifier: string) {
  const folder = fileURLToPath(new URL('./.cache/modules/', import.meta.url))
  const path = `${folder}${specifier.replaceAll('/', '+')}.ts`
  mkdirSync(folder, { recursive: true })
  writeFileSync(path, `export * from '${specifier}'\n`)
  return import(/* @vite-ignore */ path)
}
