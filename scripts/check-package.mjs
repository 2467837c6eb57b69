// npm run check:package: packs the library as `npm publish` does, and uses it in empty projects, as
// its users do. Prints a line for each check, and ends with "N passed, N failed, 0 skipped".
// Dependencies of the projects come from the registry, and are kept in a temporary folder.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkDocker } from './check-package/docker.mjs'
import { checkInstalls } from './check-package/installs.mjs'
import { checkJest } from './check-package/jest.mjs'
import { check, count, prepareProject, ROOT, run, tally, write } from './check-package/project.mjs'
import { checkStart } from './check-package/start.mjs'
import { checkTypes } from './check-package/types.mjs'

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
const entryPoints = Object.keys(manifest.exports)
  .filter((name) => name !== './package.json')
  .map((name) => name.replace('.', manifest.name))
/** The packages that entry points import at run time. */
const PEERS = { '@nestjs/common': '11.2.10', react: '19.3.1', 'reflect-metadata': '0.2.2', rxjs: '7.8.2' }

const folder = mkdtempSync(join(tmpdir(), 'tokenwright-package-'))
const wanted = process.argv.slice(2)
const wants = (name) => wanted.includes(name)

function bin(name) {
  return join(ROOT, 'node_modules/.bin', name)
}

function pack(from) {
  const target = mkdtempSync(join(folder, 'pack-'))
  const { isRight, output } = run(ROOT, 'npm', [
    'pack',
    from,
    '--pack-destination',
    target,
    '--ignore-scripts',
  ])
  count(`npm pack ${from}`, isRight, output)
  return join(target, readdirSync(target)[0] ?? 'missing.tgz')
}

/** Checks imports, the command, and that internal files cannot be imported. */
function checkUse(tarball) {
  const user = prepareProject('user', PEERS, tarball, { type: 'module' })
  const names = entryPoints.map((name, index) => [name, `part${index}`])
  const imports = names.map(([name, part]) => `import * as ${part} from '${name}'`)
  const alike = names.map(
    ([name, part]) => `if (require('${name}') !== ${part} && !Object.keys(${part}).every(
    (key) => require('${name}')[key] === ${part}[key])) throw new Error('two copies of ${name}')`,
  )
  write(user, {
    'modules.mjs': [...imports, ...names.map(([, part]) => `console.log(Object.keys(${part}).length)`)].join(
      '\n',
    ),
    'required.cjs': entryPoints.map((name) => `require('${name}')`).join('\n'),
    'both.mjs': [
      "import { createRequire } from 'node:module'",
      ...imports,
      'const require = createRequire(import.meta.url)',
      ...alike,
    ].join('\n'),
    'copies.cjs': entryPoints
      .map((name) => manifest.exports[name.replace(manifest.name, '.')].require.default)
      .map((path) => `require('./node_modules/tokenwright/${path}')`)
      .join('\n'),
    'deep.mjs': `import('${manifest.name}/dist/src/auth/create-auth.js').then(() => process.exit(1),
      (error) => process.exit(error.code === 'ERR_PACKAGE_PATH_NOT_EXPORTED' ? 0 : 1))`,
  })
  const node = process.execPath
  check(`import of ${entryPoints.join(', ')}`, user, [node, 'modules.mjs'])
  check('require() of the same', user, [node, '--no-warnings', 'required.cjs'])
  check('import and require() give one copy', user, [node, '--no-warnings', 'both.mjs'])
  check('the CommonJS files load', user, [node, 'copies.cjs'])
  check('no import of what is not exported', user, [node, 'deep.mjs'])
  check('the command', user, [node, 'node_modules/tokenwright/dist/esm/cli.js', 'secret'])
  checkLinks(join(user, 'node_modules/tokenwright'))
  checkDeclarations(join(user, 'node_modules/tokenwright'))
}

/**
 * Each relative link of a packed document leads to a packed file, or to a test of the repository as
 * evidence: a registry and a forge show that one. CONTRIBUTING.md is for readers of the repository,
 * and links to sources.
 */
function checkLinks(home) {
  const documents = readdirSync(home, { recursive: true, encoding: 'utf8' }).filter(
    (path) => path.endsWith('.md') && path !== 'CONTRIBUTING.md',
  )
  const dead = documents.flatMap((path) => {
    const text = readFileSync(join(home, path), 'utf8').replace(/```[\s\S]*?```/g, '')
    const targets = [...text.matchAll(/\]\((?!\w+:|#)([^)#\s]+)/g)].map(([, target = '']) => target)
    return targets
      .filter((target) => !existsSync(join(home, dirname(path), target)))
      .filter((target) => !isTest(join(dirname(path), target)))
      .map((target) => `${path}: ${target}`)
  })
  count('links of the packed documents lead to packed files', dead.length === 0, dead.join('\n'))
}

function isTest(path) {
  return /^test\/.*\.test\.ts$/.test(path) && existsSync(join(ROOT, path))
}

function checkDeclarations(home) {
  const files = readdirSync(join(home, 'dist'), { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.d.ts'),
  )
  const odd = files.filter((path) =>
    /from '\.[^']*\.ts'/.test(readFileSync(join(home, 'dist', path), 'utf8')),
  )
  count('declarations import .js files', files.length > 0 && odd.length === 0, odd.join('\n'))
}

/** Checks the packages that are published by themselves. */
function checkPackages(tarball) {
  const [suite, races] = [pack('./packages/store-suite'), pack('./packages/refresh-races')]
  const home = join(folder, 'packages')
  mkdirSync(home)
  write(home, {
    'package.json': { name: 'user', private: true, type: 'module' },
    'suite.mjs': `import { describe, it } from 'node:test'
import { storeSuite } from 'tokenwright-store-suite'
import { memoryStore } from 'tokenwright/stores/memory'
storeSuite(async () => ({ store: memoryStore() }), { describe, it })`,
  })
  const flags = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--strict-peer-deps']
  if (!check('npm install of the three packages', home, ['npm', ...flags, tarball, suite, races])) return
  check('the store suite passes the memory store', home, [process.execPath, '--test', 'suite.mjs'], {
    NODE_TEST_CONTEXT: undefined,
  })
  check('refresh-races --help', home, [join(home, 'node_modules/.bin/refresh-races'), '--help'])
  for (const packed of [suite, races])
    check(`publint ${packed.split('/').at(-1)}`, folder, [bin('publint'), 'run', packed, '--strict'])
}

/** Checks that run at the same time: the first installs, the second compiles. */
const GROUPS = [
  ['use', 'packages', 'installs', 'start'],
  ['types', 'jest', 'docker'],
]

/** Runs one group in a process of its own, and adds what it counted. */
async function runGroup(names) {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), ...names])
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (output += bytes))
  await once(child, 'close')
  const last = /^(\d+) passed, (\d+) failed, (\d+) skipped\s*$/m.exec(output)
  const [line, passed, failed, skipped] = last ?? []
  process.stdout.write(output.replace(line ?? '', ''))
  tally.passed += Number(passed ?? 0)
  tally.failed += Number(failed ?? 1)
  tally.skipped += Number(skipped ?? 0)
}

async function runChecks() {
  const tarball = pack('.')
  if (wants('use')) {
    check('publint --strict', folder, [bin('publint'), 'run', tarball, '--strict'])
    check('are the types wrong', folder, [bin('attw'), tarball, '--no-definitely-typed'])
    checkUse(tarball)
  }
  if (wants('packages')) checkPackages(tarball)
  if (wants('installs')) checkInstalls(folder, tarball)
  if (wants('start')) await checkStart(folder, tarball)
  if (wants('types')) checkTypes(tarball, entryPoints)
  if (wants('jest')) checkJest(tarball)
  if (wants('docker')) await checkDocker(folder, tarball)
}

try {
  if (wanted.length === 0) await Promise.all(GROUPS.map(runGroup))
  else await runChecks()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`)
process.exitCode = tally.failed === 0 ? 0 : 1
