// npm run check:create: packs tokenwright and create-tokenwright, writes projects by the packed
// command, and uses them as their README says: installs, tests, starts, and sends requests. Prints
// a line for each check, and ends with "N passed, N failed, 0 skipped".
//
//   node scripts/check-create.mjs          a sample that has every value of every question
//   node scripts/check-create.mjs --all    every combination
//   ... --all --with framework=nest        those of them with a value
//
// PostgreSQL is the one of this machine, on 127.0.0.1:5432, database `test`; Redis is started.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { allChoices } from '../packages/create-tokenwright/dist/choices.js'
import { ended, freePort, runToEnd, start } from './check-create/processes.mjs'
import { useBuilt, useProject } from './check-create/requests.mjs'
import { startServices } from './check-create/services.mjs'
import { count, ROOT, tally } from './check-package/project.mjs'

const { values } = parseArgs({
  options: { all: { type: 'boolean', default: false }, with: { type: 'string' } },
})

/** Each value of each question at least once. */
const SAMPLE = [
  { framework: 'next', store: 'sqlite', delivery: 'cookie', proofs: 'password' },
  { framework: 'hono', store: 'memory', delivery: 'body', proofs: 'password' },
  { framework: 'express', store: 'sqlite', delivery: 'cookie', proofs: 'magic-link' },
  { framework: 'fastify', store: 'postgres', delivery: 'body', proofs: 'password+totp' },
  { framework: 'koa', store: 'redis', delivery: 'cookie', proofs: 'password' },
  { framework: 'nest', store: 'memory', delivery: 'cookie', proofs: 'password+totp' },
]
/** How many projects are installed and used at the same time. */
const AT_ONCE = 3

const folder = mkdtempSync(join(tmpdir(), 'tokenwright-create-'))
const QUIET = ['--no-audit', '--no-fund', '--prefer-offline']

async function pack(from) {
  const target = mkdtempSync(join(folder, 'pack-'))
  const flags = ['--pack-destination', target, '--ignore-scripts']
  const { isRight, output } = await runToEnd(ROOT, 'npm', ['pack', from, ...flags])
  count(`npm pack ${from}`, isRight, output)
  return join(target, readdirSync(target)[0] ?? 'missing.tgz')
}

/** Installs the command, as `npm create` does before it runs it. */
async function installCommand() {
  const home = join(folder, 'command')
  mkdirSync(home)
  writeFileSync(join(home, 'package.json'), '{ "private": true }')
  const tarball = await pack('./packages/create-tokenwright')
  const publint = await runToEnd(ROOT, 'npx', ['publint', 'run', tarball, '--strict'])
  count('publint create-tokenwright', publint.isRight, publint.output)
  const { isRight, output } = await runToEnd(home, 'npm', ['install', ...QUIET, tarball])
  count('create-tokenwright installs', isRight, output)
  return join(home, 'node_modules/.bin/create-tokenwright')
}

/** Writes a project and uses it. */
async function checkProject(choices, { command, tarball, services }) {
  const title = Object.values(choices).join(', ')
  const name = title.replaceAll(/[^a-z]+/g, '-')
  const flags = Object.entries(choices).map(([question, value]) => `--${question}=${value}`)
  const written = await runToEnd(folder, command, [name, ...flags])
  if (!count(`${title}: is written`, written.isRight, written.output)) return
  const home = join(folder, name)
  const manifest = readFileSync(join(home, 'package.json'), 'utf8')
  writeFileSync(
    join(home, 'package.json'),
    manifest.replace(/("tokenwright": )"[^"]+"/, `$1${JSON.stringify(`file:${tarball}`)}`),
  )
  for (const [what, ...args] of [
    ['installs', 'install', ...QUIET],
    ['its tests pass', 'test'],
    // Of the sample this is known: test/packages/create-tokenwright compiles every combination.
    ...(values.all ? [['compiles', 'run', 'typecheck']] : []),
  ]) {
    const { isRight, output } = await runToEnd(home, 'npm', args)
    if (!count(`${title}: ${what}`, isRight, output)) return
  }
  const project = { title, choices, home, env: services }
  await serveWith(project, choices.framework === 'next' ? 'dev' : 'start', useProject)
  if (choices.framework === 'next') {
    // A bundle for production is another program: names are shortened, and packages are inside.
    const { isRight, output } = await runToEnd(home, 'npm', ['run', 'build'])
    if (count(`${title}: builds`, isRight, output)) await serveWith(project, 'start', useBuilt)
  }
  rmSync(home, { recursive: true, force: true })
}

/** Starts a project, and ends it after its use. */
async function serveWith({ title, choices, home, env }, script, use) {
  const port = await freePort()
  const server = start(home, 'npm', ['run', script], { ...env, PORT: String(port) })
  const variables = readFileSync(join(home, '.env'), 'utf8')
  const url = `http://localhost:${port}`
  try {
    await use({ title, choices, env: variables, url, read: () => server.output })
  } finally {
    await ended(server)
  }
}

const services = await startServices()
try {
  const context = { tarball: await pack('.'), command: await installCommand(), services: services.env }
  const [question = '', value] = values.with?.split('=') ?? []
  const waiting = (values.all ? allChoices() : SAMPLE).filter((choices) => choices[question] === value)
  count('there are combinations to check', waiting.length > 0)
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      await checkProject(next, context)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
} finally {
  await services.stop()
  rmSync(folder, { recursive: true, force: true })
}
console.log(`${tally.passed} passed, ${tally.failed} failed, 0 skipped`)
process.exitCode = tally.failed === 0 ? 0 : 1
