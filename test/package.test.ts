/** What `npm publish` would send: only the built library and its papers, no install script, no dependency. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const ROOT = new URL('..', import.meta.url)
const manifest = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8'))

function packedFiles(): string[] {
  const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const report = JSON.parse(output)
  // npm 11 answers with a list, later ones with an object by package name.
  const [packed] = Object.values<{ files: { path: string }[] }>(report)
  return packed?.files.map((file) => file.path) ?? []
}

describe('the package', () => {
  const files = packedFiles()

  it('holds the built library and its papers, nothing else', () => {
    const papers = ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md']
    const strays = files.filter((path) => !papers.includes(path) && !/^dist\/src\/.+\.(js|d\.ts)$/.test(path))
    expect(strays).toEqual([])
    expect(papers.filter((path) => !files.includes(path))).toEqual([])
  })

  it('holds every file that "exports" names', () => {
    const targets = Object.values<string | Record<string, string>>(manifest.exports).flatMap((target) =>
      typeof target === 'string' ? [target] : Object.values(target),
    )
    expect(
      targets.map((target) => target.replace(/^\.\//, '')).filter((path) => !files.includes(path)),
    ).toEqual([])
  })

  it('holds nothing whose source is gone', () => {
    const sources = files
      .filter((path) => path.startsWith('dist/') && path.endsWith('.js'))
      .map((path) => path.replace(/^dist\//, '').replace(/\.js$/, '.ts'))
    const exists = (path: string): boolean => {
      try {
        readFileSync(new URL(path, ROOT))
        return true
      } catch {
        return false
      }
    }
    expect(sources.filter((path) => !exists(path))).toEqual([])
  })

  it('has one dependency, and every peer is optional', () => {
    // docs/decisions/0010: what counts failed logins.
    expect(Object.keys(manifest.dependencies)).toEqual(['rate-limiter-flexible'])
    expect(manifest).not.toHaveProperty('optionalDependencies')
    for (const peer of Object.keys(manifest.peerDependencies)) {
      expect(manifest.peerDependenciesMeta, peer).toMatchObject({ [peer]: { optional: true } })
    }
  })

  it('runs no script where it is installed', () => {
    const scripts = ['preinstall', 'install', 'postinstall', 'prepare', 'prepublish']
    expect(Object.keys(manifest.scripts).filter((name) => scripts.includes(name))).toEqual([])
  })

  it('has a lock file that names no address to download from', () => {
    const lock = JSON.parse(readFileSync(new URL('package-lock.json', ROOT), 'utf8'))
    const addressed = Object.entries<{ resolved?: string }>(lock.packages).filter(([, entry]) =>
      entry.resolved?.includes('://'),
    )
    expect(addressed.map(([path]) => path)).toEqual([])
  })
})
