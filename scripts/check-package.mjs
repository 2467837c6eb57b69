// npm run check:package: packs the library as `npm publish` would, then uses it as its users do.
// Prints one line per check and ends with "N passed, N failed, 0 skipped".
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const doors = Object.keys(manifest.exports)
  .filter((door) => door !== './package.json')
  .map((door) => door.replace('.', manifest.name))
const folder = mkdtempSync(join(tmpdir(), 'tokenwright-package-'))
const user = join(folder, 'user')
const tally = { passed: 0, failed: 0 }

/** Runs a program to its end; counts it, and shows its output when it fails. */
function check(title, command, ...args) {
  const options = { cwd: user, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } }
  const { status, stdout, stderr, error } = spawnSync(command, args, options)
  const right = status === 0
  tally[right ? 'passed' : 'failed']++
  console.log(`${right ? 'ok    ' : 'FAILED'} ${title}`)
  if (!right) console.log(`${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`)
  return right
}

function bin(name) {
  return join(root, 'node_modules/.bin', name)
}

function tarball() {
  const name = readdirSync(folder).find((file) => file.endsWith('.tgz'))
  return name ? join(folder, name) : join(folder, 'missing.tgz')
}

/** The peers come from our own node_modules: the check is about our package, and runs without a network. */
function linkPeers() {
  const peers = Object.keys(manifest.peerDependencies)
  const types = peers
    .map((peer) => `@types/${peer}`)
    .filter((name) => existsSync(join(root, 'node_modules', name)))
  for (const peer of [...peers, ...types, '@types/node', 'undici-types']) {
    const link = join(user, 'node_modules', peer)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(root, 'node_modules', peer), link)
  }
}

function writePrograms() {
  const names = doors.map((door, index) => [door, `door${index}`])
  const imports = names.map(([door, name]) => `import * as ${name} from '${door}'\n`).join('')
  const uses = names.map(([, name]) => `console.log(Object.keys(${name}).length)\n`).join('')
  writeFileSync(join(user, 'modules.mjs'), `${imports}${uses}`)
  writeFileSync(join(user, 'program.ts'), `${imports}${uses}`)
  writeFileSync(join(user, 'required.cjs'), doors.map((door) => `require('${door}')\n`).join(''))
  const deep = `import('${manifest.name}/dist/src/auth/create-auth.js').then(() => process.exit(1), (e) => process.exit(e.code === 'ERR_PACKAGE_PATH_NOT_EXPORTED' ? 0 : 1))`
  writeFileSync(join(user, 'deep.mjs'), deep)
}

/** Complaints about our own declarations, which `skipLibCheck` would hide. Other people's are not ours to mend. */
function checkDeclarations() {
  const args = ['program.ts', '--noEmit', '--strict', '--exactOptionalPropertyTypes', '--module', 'nodenext']
  const options = { cwd: user, encoding: 'utf8' }
  const { stdout, error } = spawnSync(bin('tsc'), [...args, '--target', 'es2023', '--types', 'node'], options)
  const ours = `${stdout ?? ''}${error?.message ?? ''}`
    .split('\n')
    .filter((line) => line.startsWith(`node_modules/${manifest.name}/`) || line.startsWith('program.ts'))
  tally[ours.length === 0 && !error ? 'passed' : 'failed']++
  console.log(
    `${ours.length === 0 && !error ? 'ok    ' : 'FAILED'} a strict program compiles against every door`,
  )
  for (const line of ours) console.log(line)
}

try {
  mkdirSync(user)
  writeFileSync(join(user, 'package.json'), JSON.stringify({ name: 'user', private: true, type: 'module' }))
  if (check('npm pack', 'npm', 'pack', root, '--pack-destination', folder, '--ignore-scripts')) {
    check('publint --strict', bin('publint'), 'run', tarball(), '--strict')
    check(
      'are the types wrong (esm-only)',
      bin('attw'),
      tarball(),
      '--profile',
      'esm-only',
      '--no-definitely-typed',
    )
    const install = ['install', tarball(), '--ignore-scripts', '--no-audit', '--no-fund', '--omit=peer']
    check('npm install of the tarball', 'npm', ...install)
    linkPeers()
    writePrograms()
    check(`import of ${doors.join(', ')}`, process.execPath, 'modules.mjs')
    check('require() of the same', process.execPath, '--no-warnings', 'required.cjs')
    check('no import of what is not exported', process.execPath, 'deep.mjs')
    check('the command', join(user, 'node_modules/.bin/tokenwright'), 'secret')
    checkDeclarations()
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
console.log(`${tally.passed} passed, ${tally.failed} failed, 0 skipped`)
process.exitCode = tally.failed === 0 ? 0 : 1
