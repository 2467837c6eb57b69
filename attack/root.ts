/** The folders of the library's package and of this one. */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** The folder of the package `tokenwright`. */
export const LIBRARY: string = dirname(createRequire(import.meta.url).resolve('tokenwright/package.json'))

/** The folder of this package: the nearest one with a package.json. */
export const HOME: string = findHome(import.meta.dirname)

function findHome(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : findHome(dirname(folder))
}
