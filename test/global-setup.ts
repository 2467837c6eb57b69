/**
 * Builds once before the tests, because some of them run what is in dist/ (examples, server, package).
 * A compile error fails the run but lets the tests speak first, so that one unfinished file does not hide the rest.
 * And keeps a folder for what workers leave behind: they are ended without a last word.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export default function prepare(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'tokenwright-test-'))
  process.env['TOKENWRIGHT_TEST_FOLDER'] = folder
  const isBuilt = build()
  return () => {
    rmSync(folder, { recursive: true, force: true })
    if (isBuilt) return
    complain()
    process.exitCode = 1
  }
}

function build(): boolean {
  const root = new URL('..', import.meta.url)
  const { status } = spawnSync('npm', ['run', '-s', 'build'], { cwd: root, stdio: 'inherit' })
  if (status !== 0) complain()
  return status === 0
}

function complain(): void {
  console.error('\nnpm run build reports errors (above): dist/ may be out of date\n')
}
