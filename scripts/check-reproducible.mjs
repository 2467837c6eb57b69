// npm run check:reproducible: builds and packs the published packages twice, in two folders, with
// another time zone and language, and compares the packages byte for byte. Ends with
// "N passed, N failed, 0 skipped". `-- --to <folder>` keeps the packages of the first build.
//
// The file mask is set: npm packs the modes of files as they are.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { count, ROOT, run, tally } from './check-package/project.mjs'

const PACKAGES = ['.', './packages/store-suite', './packages/refresh-races', './packages/create-tokenwright']
const WORLDS = [
  { TZ: 'UTC', LC_ALL: 'C' },
  { TZ: 'Asia/Tokyo', LC_ALL: 'C.UTF-8' },
]
const { values } = parseArgs({ options: { to: { type: 'string' } } })
const folder = mkdtempSync(join(tmpdir(), 'tokenwright-reproducible-'))

/** The files of the commit and of the work tree, without what is ignored. */
function copyTree(home) {
  const list = ['ls-files', '--cached', '--others', '--exclude-standard', '-z']
  const paths = execFileSync('git', list, { cwd: ROOT, encoding: 'utf8' }).split('\0').filter(Boolean)
  for (const path of new Set(paths)) cpSync(join(ROOT, path), join(home, path), { preserveTimestamps: false })
}

/** The installed packages, by links; those of the workspaces lead to this copy. */
function linkModules(home) {
  const installed = join(ROOT, 'node_modules')
  mkdirSync(join(home, 'node_modules'))
  for (const name of readdirSync(installed)) {
    const isWorkspace = lstatSync(join(installed, name)).isSymbolicLink()
    const target = join(home, 'node_modules', name)
    if (isWorkspace) cpSync(join(installed, name), target, { verbatimSymlinks: true })
    else symlinkSync(join(installed, name), target)
  }
}

/** Builds and packs in a folder of its own. Returns the digests by name. */
function build(env, index) {
  const home = join(folder, `build-${index}`, 'a'.repeat(index))
  const packed = join(folder, `packed-${index}`)
  mkdirSync(home, { recursive: true })
  mkdirSync(packed)
  copyTree(home)
  linkModules(home)
  const command = `umask 022 && npm run -s build:package && npm pack --ignore-scripts --pack-destination '${packed}' ${PACKAGES.join(' ')}`
  const { isRight, output } = run(home, 'sh', ['-ec', command], env)
  count(`build ${index + 1}, ${env.TZ}`, isRight, output)
  return new Map(readdirSync(packed).map((name) => [name, digest(join(packed, name))]))
}

function digest(file) {
  return createHash('sha512').update(readFileSync(file)).digest('base64')
}

try {
  const [first, second] = WORLDS.map(build)
  count(`${PACKAGES.length} packages`, first.size === PACKAGES.length, [...first.keys()].join('\n'))
  for (const [name, hash] of first)
    count(`${name} sha512-${hash}`, second.get(name) === hash, `the second is sha512-${second.get(name)}`)
  if (values.to !== undefined) {
    mkdirSync(values.to, { recursive: true })
    for (const name of first.keys()) copyFileSync(join(folder, 'packed-0', name), join(values.to, name))
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
console.log(`${tally.passed} passed, ${tally.failed} failed, 0 skipped`)
process.exitCode = tally.failed === 0 ? 0 : 1
