/** Where the project is, for what is read, compiled or started from there. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** The project's root: where its package.json is. */
export function projectRoot(): string {
  let folder = import.meta.dirname
  while (!existsSync(join(folder, 'package.json')) && folder !== join(folder, '..'))
    folder = join(folder, '..')
  return folder
}
