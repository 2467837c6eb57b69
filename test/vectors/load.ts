/**
 * Where the vectors are: `../shared/vectors` beside the project, or the folder that TOKENWRIGHT_VECTORS names. They are not part
 * of the repository; where the folder is absent, the suites say so and skip.
 */
import { existsSync, readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const named = process.env['TOKENWRIGHT_VECTORS']
const FOLDER =
  named === undefined ? new URL('../../../shared/vectors/', import.meta.url) : pathToFileURL(`${named}/`)

/** Whether the vectors are there. */
export const HAVE_VECTORS = existsSync(FOLDER)

if (!HAVE_VECTORS) {
  console.warn(`\nNO VECTORS: ${FOLDER.href} is absent, so Wycheproof and the Python tokens are NOT tested\n`)
}

/** Reads one file of vectors; an empty stand-in when the folder is absent. */
export function loadVectors<T>(name: string, absent: T): T {
  return HAVE_VECTORS ? (JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')) as T) : absent
}
