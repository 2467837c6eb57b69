/**
 * The location of this package, and the library's version. The server runs from `server/dist` or,
 * in tests, from `server`. Both find the same folder, whatever the current directory is.
 */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const require = createRequire(import.meta.url)

/** The folder of the server's own package.json. */
export const ROOT: string = findRoot(import.meta.dirname)

/** The library's version. */
export const VERSION: string = JSON.parse(
  readFileSync(require.resolve('tokenwright/package.json'), 'utf8'),
).version

function findRoot(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : findRoot(dirname(folder))
}
