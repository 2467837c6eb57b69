// Goes before every build. Removes from the dist/ folders what a build would leave there:
// - output whose source was renamed or deleted, so that `npm publish` never sends a file that has
//   no source;
// - what the compiler remembers of earlier builds, when a tsconfig or the lock file has changed
//   since: it does not notice a changed "lib" or package, and would repeat old complaints.
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Every folder of output, and the folder of its sources. */
const OUTPUTS = {
  dist: '.',
  'dist/cjs': 'src',
  'packages/store-suite/dist': 'packages/store-suite/src',
  'packages/refresh-races/dist': 'packages/refresh-races/src',
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
    // dist/cjs has a row of its own.
    if (output === 'dist' && path.startsWith('cjs')) continue
    const file = join(dist, path)
    const made = /^(.+?)(\.d\.ts|\.js)$/.exec(path)
    const isOrphan = made && !existsSync(join(root, sources, `${made[1]}.ts`))
    const isOutdated = path.endsWith('.tsbuildinfo') && statSync(file).mtimeMs < changed
    if (isOrphan || isOutdated) rmSync(file, { force: true })
  }
}
