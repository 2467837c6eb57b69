/**
 * Builds once before the tests, because some of them run what is in dist/ (examples, server, package).
 * A compile error fails the run but lets the tests speak first, so that one unfinished file does not hide the rest.
 */
import { spawnSync } from 'node:child_process'

export default function build(): (() => void) | undefined {
  const root = new URL('..', import.meta.url)
  const { status } = spawnSync('npm', ['run', '-s', 'build'], { cwd: root, stdio: 'inherit' })
  if (status === 0) return undefined
  const complain = (): void =>
    console.error('\nnpm run build reports errors (above): dist/ may be out of date\n')
  complain()
  return () => {
    complain()
    process.exitCode = 1
  }
}
