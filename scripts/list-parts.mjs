// node scripts/list-parts.mjs <folder>: installs the packed packages that are in the folder, and
// writes parts.cdx.json beside them: all that comes with them (SBOM, CycloneDX), by `npm sbom`.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const [given] = process.argv.slice(2)
if (given === undefined) throw new Error('Which folder? node scripts/list-parts.mjs <folder>')
const folder = resolve(given)
const packages = readdirSync(folder).filter((name) => name.endsWith('.tgz'))
if (packages.length === 0) throw new Error(`No packed package in ${folder}`)

const home = mkdtempSync(join(tmpdir(), 'tokenwright-parts-'))
const npm = (...args) => execFileSync('npm', args, { cwd: home, encoding: 'utf8' })
try {
  writeFileSync(join(home, 'package.json'), '{ "name": "installation", "version": "0.0.0" }')
  const files = packages.map((name) => join(folder, name))
  npm('install', ...files, '--ignore-scripts', '--no-audit', '--no-fund')
  const list = JSON.parse(npm('sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'library'))
  for (const part of list.components) {
    // Where the packed file lay on this machine.
    part.externalReferences = part.externalReferences?.filter(({ url }) => !url.startsWith('file:'))
  }
  writeFileSync(join(folder, 'parts.cdx.json'), `${JSON.stringify(list, null, 2)}\n`)
  for (const { name, version } of list.components) console.log(`${name} ${version}`)
} finally {
  rmSync(home, { recursive: true, force: true })
}
