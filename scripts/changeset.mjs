// npm run changeset: runs changesets (`add`, `status`, `pre`, `version`, `publish`), on Node 22.11
// or later. It finds packages by "workspaces" in package.json, where the library itself, in the
// root, must stand for as long as it runs. npm would warn of it at each installation.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Not a dev dependency: it does not run on Node 20, on which everything else does. */
const CHANGESETS = '@changesets/cli@3.0.3'

const file = fileURLToPath(new URL('../package.json', import.meta.url))
const ROOT_WORKSPACE = /("workspaces": \[)\n {4}"\.",/
writeFileSync(file, readFileSync(file, 'utf8').replace(/"workspaces": \[/, '$&\n    ".",'))
try {
  const args = ['--yes', CHANGESETS, ...process.argv.slice(2)]
  const { status } = spawnSync('npx', args, {
    stdio: 'inherit',
    cwd: fileURLToPath(new URL('..', import.meta.url)),
  })
  process.exitCode = status ?? 1
} finally {
  writeFileSync(file, readFileSync(file, 'utf8').replace(ROOT_WORKSPACE, '$1'))
}
