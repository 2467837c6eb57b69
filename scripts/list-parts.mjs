// node scripts/list-parts.mjs <folder>: for each packed package in the folder, writes beside it the
// list of all that an installation of it brings (SBOM, CycloneDX), by `npm sbom`.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const [given] = process.argv.slice(2)
if (given === undefined) throw new Error('Which folder? node scripts/list-parts.mjs <folder>')
const folder = resolve(given)
const packages = readdirSync(folder).filter((name) => name.endsWith('.tgz'))
if (packages.length === 0) throw new Error(`No packed package in ${folder}`)

const place = mkdtempSync(join(tmpdir(), 'tokenwright-parts-'))
const npm = (cwd, ...args) => execFileSync('npm', args, { cwd, encoding: 'utf8' })
try {
  for (const name of packages) {
    const home = join(place, name)
    mkdirSync(home)
    writeFileSync(join(home, 'package.json'), '{ "name": "installation", "private": true }')
    // Peers are the user's own.
    npm(home, 'install', join(folder, name), '--legacy-peer-deps', '--ignore-scripts', '--no-audit')
    const list = npm(home, 'sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'library')
    writeFileSync(join(folder, name.replace(/tgz$/, 'cdx.json')), list)
    console.log(`${name}: ${JSON.parse(list).components.length} parts`)
  }
} finally {
  rmSync(place, { recursive: true, force: true })
}
