// Runs before each build. Removes from the dist/ folders what a build would leave there:
// - Output whose source was renamed or deleted, so that it is not published.
// - The compiler's build information, if a tsconfig or the lock file has changed since. It does not
//   notice a changed "lib" or package, and would repeat old errors.
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The output folders, with the folders of their sources. */
const OUTPUTS = {
  dist: '.',
  'dist/cjs': 'src',
  'packages/store-suite/dist': 'packages/store-suite/src',
  'packages/refresh-races/dist': 'packages/refresh-races/src',
  'packages/create-tokenwright/dist': 'packages/create-tokenwright/src',
  'server/dist': 'server',
  'examples/dist': 'examples',
  'attack/dist': 'attack',
  'bench/dist': 'bench',
}

const folders = [root, ...Object.values(OUTPUTS).map((sources) => join(root, sources.replace(/\/src$/, '')))]
const settings = [...folders, join(root, 'server/web')].flatMap((folder) =>
  (existsSync(folder) ? readdirSync(folder) : [])
    .filter((name) => /^tsconfig.*\.json$|^package-lock\.json$/.test(name))
    .map((name) => join(folder, name)),
)
const changed = Math.max(...settings.map((file) => statSync(file).mtimeMs))

for (const [output, sources] of Object.entries(OUTPUTS)) {
  const dist = join(root, output)
  for (const path of existsSync(dist) ? readdirSync(dist, { recursive: true, encoding: 'utf8' }) : []) {
    // dist/cjs has its own row, and bundle.mjs cleans dist/esm.
    if (output === 'dist' && /^(?:cjs|esm)/.test(path)) continue
    const file = join(dist, path)
    const made = /^(.+?)(\.d\.ts|\.js)$/.exec(path)
    const isOrphan = made && !existsSync(join(root, sources, `${made[1]}.ts`))
    const isOutdated = path.endsWith('.tsbuildinfo') && statSync(file).mtimeMs < changed
    if (isOrphan || isOutdated) rmSync(file, { force: true })
  }
}
