/** Packages of the project that the command is called in. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { UsageError } from './command.ts'

/**
 * Loads a package of the project that the command is called in; this package depends on no driver.
 *
 * @throws {UsageError} where it is not installed
 */
export async function loadPackage<M>(name: string): Promise<M> {
  let path: string
  try {
    path = createRequire(join(process.cwd(), 'package.json')).resolve(name)
  } catch {
    throw new UsageError(`Expected the package ${name} in this project: npm install ${name}`)
  }
  const loaded: { default?: unknown } = await import(pathToFileURL(path).href)
  return { ...Object(loaded.default), ...loaded } as M
}
