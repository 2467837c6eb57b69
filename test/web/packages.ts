/** The packages of `test/web/package.json`, by `npm ci --prefix test/web`. Without them their tests say so and skip. */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { build as esbuild } from 'esbuild'

const require = createRequire(new URL('./package.json', import.meta.url))

export const HAS_WEB: boolean = existsSync(new URL('./node_modules/.package-lock.json', import.meta.url))

if (!HAS_WEB) console.log('NOT INSTALLED, NOT TESTED: npm ci --prefix test/web')

/** Loads a CommonJS module of a package, by its name or by a path in it. */
export function load<T>(specifier: string): T {
  return require(specifier) as T
}

/** Where a module of a package is. */
export function find(specifier: string): string {
  return require.resolve(specifier)
}

/** Where a program of a package is, such as `vite`: a module for Node. */
export function findProgram(name: string): string {
  return fileURLToPath(new URL(`./node_modules/.bin/${name}`, import.meta.url))
}

/** Makes a module of a TypeScript file and those beside it, for Node 20, which cannot read the types. */
export async function bundle(folder: string, file: string): Promise<void> {
  const entryPoints = [`${folder}${file}`]
  const settings = { bundle: true, packages: 'external', platform: 'node', format: 'esm' } as const
  await esbuild({ ...settings, entryPoints, outfile: `${folder}${file.replace('.ts', '.mjs')}` })
}
