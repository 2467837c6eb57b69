/**
 * Where the package lies, and its version. The server runs from `dist/server` or, in tests, from `server`:
 * both find the same root, from whatever directory they are started.
 */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of the package's own package.json; `server/package.json` is the workspace's and is passed by. */
export const ROOT: string = findRoot(dirname(fileURLToPath(import.meta.url)))

/** The package's version. */
export const VERSION: string = readManifest(ROOT).version ?? '0.0.0'

function findRoot(folder: string): string {
  if (readManifest(folder).name === 'tokenwright' || dirname(folder) === folder) return folder
  return findRoot(dirname(folder))
}

function readManifest(folder: string): { readonly name?: string; readonly version?: string } {
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  } catch {
    return {}
  }
}
