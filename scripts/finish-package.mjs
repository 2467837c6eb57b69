// Runs after the build of a package to publish:
// - Declarations import `./x.js`. The compiler writes `./x.ts`, which is not published, and which
//   TypeScript before 5.7 refuses with some settings.
// - dist/cjs/package.json says that the files there are CommonJS, as the package itself is ESM.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const OUTPUTS = ['dist/src', 'dist/cjs', 'packages/store-suite/dist', 'packages/refresh-races/dist']
const RELATIVE = /((?:from|import)\s*\(?\s*['"]\.{1,2}\/[^'"]+)\.ts(['"])/g

for (const output of OUTPUTS) {
  for (const path of readdirSync(join(root, output), { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.d.ts')) continue
    const file = join(root, output, path)
    const text = readFileSync(file, 'utf8')
    const finished = text.replace(RELATIVE, '$1.js$2')
    if (finished !== text) writeFileSync(file, finished)
  }
}
writeFileSync(join(root, 'dist/cjs/package.json'), '{ "type": "commonjs" }\n')
