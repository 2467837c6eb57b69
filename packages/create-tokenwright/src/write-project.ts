/** Writes the files of a project: all of them or none. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { UsageError } from './arguments.ts'

/** The name of the package in a folder. @throws {UsageError} where npm would refuse it */
export function packageNameOf(folder: string): string {
  const name = basename(resolve(folder))
  if (/^[a-z0-9][a-z0-9._-]{0,213}$/.test(name) && name !== 'node_modules') return name
  const better = name
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+|-+$/g, '')
  const hint = better === '' || better === 'node_modules' ? '' : `, such as ${better}`
  throw new UsageError(
    `The folder's name becomes the package's: write small letters, digits and - . _${hint}; got "${name}"`,
  )
}

/** @throws {UsageError} where something is there that a project would replace */
export function checkFree(folder: string): void {
  const target = resolve(folder)
  if (!existsSync(target)) return
  if (!statSync(target).isDirectory()) throw new UsageError(`${folder} is a file. Choose another folder`)
  const count = readdirSync(target).length
  if (count > 0)
    throw new UsageError(
      `${folder} is not empty (${count} ${count === 1 ? 'entry' : 'entries'}). Choose another folder`,
    )
}

/**
 * Writes into a temporary folder beside, and moves that, so that no one sees half a project. A
 * signal that comes while it writes is too late: milliseconds after it, all is there.
 *
 * @param files the content by path. `.env` is for the user alone
 */
export function writeProject(folder: string, files: Readonly<Record<string, string>>): void {
  const target = resolve(folder)
  const parent = dirname(target)
  mkdirSync(parent, { recursive: true })
  const ignore = (): void => {}
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, ignore)
  const half = mkdtempSync(join(parent, `.${basename(target)}-`))
  try {
    const made = join(half, 'project')
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(made, path)), { recursive: true })
      writeFileSync(join(made, path), content, { mode: path === '.env' ? 0o600 : 0o666 })
    }
    checkFree(folder)
    // An empty folder stays the one it is, as a shell may be in it.
    if (!existsSync(target)) renameSync(made, target)
    else for (const name of readdirSync(made)) renameSync(join(made, name), join(target, name))
  } finally {
    rmSync(half, { recursive: true, force: true })
    for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, ignore)
  }
}
