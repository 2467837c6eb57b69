// Checks installations: beside old and new versions of frameworks and drivers, and with each
// package manager in an empty project.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { check, run, write } from './project.mjs'

/** Versions that are too old for the adapters. Users who need no adapter may have them. */
const OLD = [
  'redis@4',
  'koa@2',
  'fastify@4',
  '@nestjs/common@10',
  'kysely@0.27',
  'ioredis@4',
  'ws@7',
  'react@17',
]
const BESIDE_NEST = ['reflect-metadata@0.2', 'rxjs@7']

const MANAGERS = {
  npm: ['npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund'],
  pnpm: ['npx', '--yes', 'pnpm@10.34.4', 'add', '--ignore-scripts'],
  yarn: ['npx', '--yes', 'yarn@1.22.22', 'add', '--ignore-scripts', '--no-lockfile', '--non-interactive'],
  'yarn, plug and play': ['npx', '--yes', '-p', '@yarnpkg/cli-dist@4.18.1', 'yarn', 'add'],
}

const BUN = '1.4.5'

const PROGRAM = `
const auth = createAuth({ secret: crypto.randomBytes(32).toString('hex') })
auth.createAccessToken('alice').then((token) => auth.verifyToken(token)).then(({ sub }) => {
  if (sub !== 'alice') process.exit(1)
})`

export function checkInstalls(folder, tarball) {
  const beside = project(folder, 'beside')
  const npm = [
    'install',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--strict-peer-deps',
    '--prefer-offline',
  ]
  const both = [tarball, ...OLD, ...BESIDE_NEST]
  if (!check(`npm install beside ${OLD.join(', ')}`, beside, ['npm', ...npm, ...both])) {
    for (const old of OLD)
      check(`npm install beside ${old}`, project(folder, old), ['npm', ...npm, tarball, old, ...BESIDE_NEST])
  }
  const registry = run(folder, 'npm', ['config', 'get', 'registry']).output.trim()
  for (const [name, command] of Object.entries({ ...MANAGERS, bun: [installBun(folder), 'add'] })) {
    const home = project(folder, name.replaceAll(/\W+/g, '-'))
    const env = {
      npm_config_registry: registry,
      YARN_REGISTRY: registry,
      YARN_NPM_REGISTRY_SERVER: registry,
      YARN_ENABLE_IMMUTABLE_INSTALLS: 'false',
      YARN_ENABLE_TELEMETRY: 'false',
      YARN_ENABLE_SCRIPTS: 'false',
    }
    const given = name.startsWith('yarn') ? `tokenwright@file:${tarball}` : tarball
    if (!check(`${name} adds it to an empty project`, home, [...command, given], env)) continue
    const node =
      name === 'yarn, plug and play' ? ['npx', ...MANAGERS[name].slice(1, 5), 'node'] : [process.execPath]
    for (const file of ['program.mjs', 'program.cjs'])
      check(`${name}: ${file} runs`, home, [...node, '--no-warnings', file], env)
  }
}

/**
 * Bun's program, from the package of this platform. The package `bun` copies it by an install
 * script, which newer versions of npm do not run.
 */
function installBun(folder) {
  const home = project(folder, 'bun-itself')
  const system = { linux: 'linux', darwin: 'darwin', win32: 'windows' }[process.platform]
  const name = `@oven/bun-${system}-${process.arch === 'arm64' ? 'aarch64' : 'x64'}`
  check(`npm install ${name}`, home, ['npm', 'install', '--no-audit', '--no-fund', `${name}@${BUN}`])
  return join(home, 'node_modules', name, 'bin/bun')
}

function project(folder, name) {
  const home = join(folder, name)
  mkdirSync(home, { recursive: true })
  write(home, {
    'package.json': { name: 'user', version: '1.0.0', private: true },
    'program.mjs': `import crypto from 'node:crypto'\nimport { createAuth } from 'tokenwright'${PROGRAM}`,
    'program.cjs': `const crypto = require('node:crypto')\nconst { createAuth } = require('tokenwright')${PROGRAM}`,
  })
  return home
}
