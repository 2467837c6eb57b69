// Runs before `npm publish`, and refuses packages without the project's address.
//
//   node scripts/check-release.mjs
//     checks all packages
//   node scripts/check-release.mjs --home https://host/owner/name
//     writes the address to all packages
//
// Only this command writes the address.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const PACKAGES = ['.', 'packages/store-suite', 'packages/refresh-races', 'packages/create-tokenwright']
const { values } = parseArgs({ options: { home: { type: 'string' } } })

const read = (folder) => JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))

/** The members of a package.json that have the project's address. */
function toFields(home, folder) {
  const place = folder === '.' ? {} : { directory: folder }
  return {
    homepage: `${home}#readme`,
    bugs: { url: `${home}/issues` },
    repository: { type: 'git', url: `git+${home}.git`, ...place },
  }
}

function enter(home) {
  if (!/^https:\/\/[^/\s]+\/\S*[^/\s]$/.test(home)) {
    throw new Error(`--home must be an https address without a slash at its end, got ${JSON.stringify(home)}`)
  }
  for (const folder of PACKAGES) {
    const manifest = { ...read(folder), ...toFields(home, folder) }
    writeFileSync(join(root, folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  }
}

/** What is missing or differs: a line for each problem. */
function findProblems() {
  const main = read('.')
  const home = /^git\+(https:\/\/.+)\.git$/.exec(main.repository?.url ?? '')?.[1]
  if (home === undefined)
    return ['package.json has no home: run node scripts/check-release.mjs --home <address>']
  return PACKAGES.flatMap((folder) => {
    const manifest = read(folder)
    const wanted = toFields(home, folder)
    const odd = Object.keys(wanted).filter(
      (name) => JSON.stringify(manifest[name]) !== JSON.stringify(wanted[name]),
    )
    const version =
      manifest.version === main.version ? [] : [`version ${manifest.version} is not ${main.version}`]
    const peer = manifest.peerDependencies?.[main.name] ?? `^${main.version}`
    if (peer !== `^${main.version}`) version.push(`peer ${main.name} ${peer} is not ^${main.version}`)
    return [...odd.map((name) => `"${name}" is missing or names another home`), ...version].map(
      (problem) => `${join(folder, 'package.json')}: ${problem}`,
    )
  })
}

try {
  if (values.home !== undefined) enter(values.home)
  const problems = findProblems()
  for (const problem of problems) console.error(problem)
  process.exitCode = problems.length === 0 ? 0 : 1
} catch (error) {
  console.error(error.message)
  process.exitCode = 2
}
