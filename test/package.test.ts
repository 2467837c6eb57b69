/**
 * What `npm publish` would send: only the built library and its papers, no install script, no
 * dependency.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const ROOT = new URL('..', import.meta.url)
const manifest = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8'))

/** What may be in the package beside its papers. */
const ALLOWED: readonly RegExp[] = [
  /^dist\/esm\/.+\.js$/,
  /^dist\/src\/.+\.d\.ts$/,
  /^dist\/cjs\/.+\.(js|d\.ts)$/,
  /^dist\/cjs\/package\.json$/,
  /^docs\/.+\.(md|json|ya?ml|svg)$/,
  /^docs\/step-up\.gif$/,
  /^examples\/(shared\/)?[\w-]+\.ts$/,
  /^examples\/[\w.-]+\.conf$/,
  /^bench\/[\w-]+\.md$/,
  /^packages\/[\w-]+\/README\.md$/,
  /^attack\/cases\/README\.md$/,
  /^(CONTRIBUTING|GOVERNANCE|SECURITY)\.md$/,
  /^src\/auth\/authenticate\.ts$/,
]

const OTHERS = ['store-suite', 'refresh-races', 'create-tokenwright'].map((name) => `./packages/${name}`)

/** The files of each package: the library, and then those of OTHERS. */
function packedFiles(): string[][] {
  const output = execFileSync('npm', ['pack', '.', ...OTHERS, '--dry-run', '--json', '--ignore-scripts'], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const report = JSON.parse(output)
  // npm 11 answers with a list, later ones with an object by package name.
  const packed = Object.values<{ files: { path: string }[] }>(report)
  return packed.map(({ files }) => files.map((file) => file.path))
}

/** The files that a module imports, and itself. */
function filesOf(file: URL, seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(file.href)) return seen
  seen.add(file.href)
  for (const [, path] of readFileSync(file, 'utf8').matchAll(/^(?:import|\}).*"(\.[^"]+)";$/gm))
    filesOf(new URL(path ?? '', file), seen)
  return seen
}

const [files = [], ...others] = packedFiles()

describe('the other packages', () => {
  it.each(OTHERS.map((name, index) => [name, others[index] ?? []] as const))(
    '%s holds its program and its papers, nothing else',
    (_name, paths) => {
      const papers = ['LICENSE', 'README.md', 'package.json']
      expect(papers.filter((path) => !paths.includes(path))).toEqual([])
      const program = paths.filter((path) => !papers.includes(path))
      expect(program.length).toBeGreaterThan(0)
      expect(program.filter((path) => !/^dist\/.+\.(js|d\.ts)$/.test(path))).toEqual([])
    },
  )
})

describe('the package', () => {
  it('holds the built library and its papers, nothing else', () => {
    const papers = ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md']
    const strays = files.filter((path) => !papers.includes(path) && !ALLOWED.some((form) => form.test(path)))
    expect(strays).toEqual([])
    expect(papers.filter((path) => !files.includes(path))).toEqual([])
  })

  it('holds every file that "exports" names', () => {
    const targets = [...JSON.stringify(manifest.exports).matchAll(/"\.\/(dist\/[^"]+)"/g)].map(
      ([, path]) => path,
    )
    expect(targets.length).toBeGreaterThan(0)
    // dist/cjs is built for packing only; `npm run check:package` loads every file of it.
    expect(targets.filter((path) => !path?.startsWith('dist/cjs/') && !files.includes(path ?? ''))).toEqual(
      [],
    )
  })

  it('holds nothing whose source is gone', () => {
    const sources = files
      .filter((path) => path.startsWith('dist/') && /\.(?:js|d\.ts)$/.test(path))
      .filter((path) => !path.startsWith('dist/esm/chunks/'))
      .map((path) => path.replace(/^dist\/(cjs|esm|src)\//, 'src/').replace(/(?:\.d\.ts|\.js)$/, '.ts'))
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

  it('is imported in few files, and in one for browsers', () => {
    const counts = ['index', 'adapters/express', 'routes', 'client', 'react'].map((name) => [
      name,
      filesOf(new URL(`dist/esm/${name}.js`, ROOT)).size,
    ])
    expect(counts).toEqual([
      ['index', 3],
      ['adapters/express', 5],
      ['routes', 5],
      ['client', 1],
      ['react', 1],
    ])
  })

  it('has no dependency, and every peer is optional', () => {
    expect(manifest).not.toHaveProperty('dependencies')
    expect(manifest).not.toHaveProperty('optionalDependencies')
    for (const peer of Object.keys(manifest.peerDependencies)) {
      expect(manifest.peerDependenciesMeta, peer).toMatchObject({ [peer]: { optional: true } })
    }
    // A range would keep out those who use another entry point: npm refuses them beside `redis@4`.
    expect(new Set(Object.values(manifest.peerDependencies))).toEqual(new Set(['*']))
  })

  it('says the same to compilers that do not read "exports"', () => {
    const exported = Object.entries<{ require?: { types: string } }>(manifest.exports).flatMap(
      ([name, { require }]) => (require === undefined ? [] : [[name.slice(2), [require.types]] as const]),
    )
    const { '': main, ...others } = Object.fromEntries(exported)
    expect(manifest.types).toBe(main?.[0])
    expect(manifest.typesVersions).toEqual({ '*': others })
  })

  it('says nowhere where the project lives until check-release.mjs has entered it everywhere', () => {
    const check = spawnSync(process.execPath, ['scripts/check-release.mjs'], { cwd: ROOT, encoding: 'utf8' })
    const homes = ['homepage', 'bugs', 'repository'].filter((name) => name in manifest)
    expect({ status: check.status, homes }).toEqual(
      homes.length === 0
        ? { status: 1, homes: [] }
        : { status: 0, homes: ['homepage', 'bugs', 'repository'] },
    )
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
