/** Packages of the project that the command is called in. This package depends on no driver. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { UsageError } from './command.ts'

/**
 * Loads a package.
 *
 * @throws {UsageError} where it is not installed
 */
export async function loadPackage<M>(name: string): Promise<M> {
  const path = findPackage(name)
  if (path === null) throw new UsageError(`Expected the package ${name} in this project: npm install ${name}`)
  const loaded: { default?: unknown } = await import(pathToFileURL(path).href)
  return { ...Object(loaded.default), ...loaded } as M
}

/** The file that a package is loaded from; null where it is not installed. */
export function findPackage(name: string): string | null {
  try {
    return createRequire(join(process.cwd(), 'package.json')).resolve(name)
  } catch {
    return null
  }
}
