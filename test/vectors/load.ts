/**
 * Reads the test vectors. Our own recordings are in `test/vectors/data/`. Those of Project Wycheproof are other people's:
 * `npm run vectors` fetches them. Where they are absent, the suite says so and skips.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The file without which there are no Wycheproof vectors. */
const FIRST = 'json_web_signature_test.json'

/** Where the Wycheproof vectors may be; the first folder that has them counts. TOKENWRIGHT_VECTORS names another one. */
const FOLDERS = ['wycheproof', '../../../shared/vectors'].map((path) => join(import.meta.dirname, path))

const named = process.env['TOKENWRIGHT_VECTORS']
const folder = (named === undefined ? FOLDERS : [named]).find((one) => existsSync(join(one, FIRST)))

/** Whether the Wycheproof vectors are there. */
export const HAVE_WYCHEPROOF = folder !== undefined

/** Reads one file of Wycheproof; an empty stand-in where there is none, so that a skipped suite can be collected. */
export function loadWycheproof<T>(name: string, absent: T): T {
  return HAVE_WYCHEPROOF ? (JSON.parse(loadWycheproofText(name)) as T) : absent
}

/** Reads the text of one file of Wycheproof. */
export function loadWycheproofText(name: string): string {
  return readFileSync(join(folder ?? '', name), 'utf8')
}

/** Reads one of our own files in `test/vectors/data/`. */
export function loadRecording<T>(name: string): T {
  return JSON.parse(readFileSync(join(import.meta.dirname, 'data', name), 'utf8')) as T
}
