// Goes before every build. Removes from dist/ what a build would leave lying there:
// - output whose source was renamed or deleted, so that `npm publish` never sends a file that nobody wrote;
// - what the compiler remembers of earlier builds, when a tsconfig or the lock file has changed since: it does
//   not notice a changed "lib" or package, and would repeat old complaints.
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')
const settings = readdirSync(root).filter((name) => /^tsconfig.*\.json$|^package-lock\.json$/.test(name))
const changed = Math.max(...settings.map((name) => statSync(join(root, name)).mtimeMs))

for (const path of existsSync(dist) ? readdirSync(dist, { recursive: true, encoding: 'utf8' }) : []) {
  const file = join(dist, path)
  const output = /^(.+?)(\.d\.ts|\.js)$/.exec(path)
  const orphan = output && !existsSync(join(root, `${output[1]}.ts`))
  const outdated = path.endsWith('.tsbuildinfo') && statSync(file).mtimeMs < changed
  if (orphan || outdated) rmSync(file, { force: true })
}
