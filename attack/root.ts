/** Where things are that are read, compiled or started: the library's package, and this one. */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** The folder of the package `tokenwright`, wherever it is installed. */
export const LIBRARY: string = dirname(createRequire(import.meta.url).resolve('tokenwright/package.json'))

/** The folder of this package: the next one above with a package.json. */
export const HOME: string = findHome(import.meta.dirname)

function findHome(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : findHome(dirname(folder))
}
