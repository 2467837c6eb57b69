// Runs after the compiler:
// - dist/esm: the entry points as they are published. Each is one file, with what it shares with
//   others in chunks: Node imports those in half of the time of a hundred and fifty files. They are
//   not minified.
// - dist/esm/client.js: `tokenwright/client` for browsers, in which some names are short.
// - server/dist/assets: the scripts of the reference server's pages.
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))

/**
 * Members of the client's own record, which become short: bundlers cannot know that they may. None
 * is public, of the platform, stored, or sent to another tab, so that two versions get along.
 */
export const PRIVATE = [
  'askedAt',
  'base',
  'byCookie',
  'closed',
  'deadline',
  'dialog',
  'dismiss',
  'exclusive',
  'failedAt',
  'failure',
  'key',
  'known',
  'listeners',
  'loaded',
  'look',
  'owns',
  'post',
  'prefix',
  'refreshing',
  'root',
  'routes',
  'seen',
  'store',
  'tokens',
  'waiting',
]

const SHARED = { absWorkingDir: root, bundle: true, format: 'esm', target: 'es2022', logLevel: 'warning' }

/** Options of the client's file, which a test measures. */
export const CLIENT = {
  ...SHARED,
  entryPoints: ['src/client.ts'],
  minifySyntax: true,
  mangleProps: new RegExp(`^(${PRIVATE.join('|')})$`),
}

/** Options of the pages' scripts: one build each, since in one they would share a third file. */
const PAGES = ['start', 'api-page'].map((name) => ({
  ...SHARED,
  entryPoints: [`server/web/${name}.ts`],
  outdir: 'server/dist/assets',
  // `start` loads the page after the first paint.
  splitting: true,
  chunkNames: '[name]',
  minify: true,
}))

const ESM = 'dist/esm'

/** The sources of what package.json exports and of the command, the client's aside. */
function readEntryPoints() {
  const { exports, bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const targets = [...Object.values(exports), ...Object.values(bin)].map(
    (entry) => entry.default?.default ?? entry,
  )
  return targets
    .filter((target) => target.startsWith(`./${ESM}/`) && target !== `./${ESM}/client.js`)
    .map((target) => target.replace(`./${ESM}/`, 'src/').replace(/\.js$/, '.ts'))
}

/** Options of the entry points. */
const LIBRARY = {
  ...SHARED,
  entryPoints: readEntryPoints(),
  platform: 'node',
  packages: 'external',
  splitting: true,
  outbase: 'src',
  outdir: ESM,
  chunkNames: 'chunks/[name]-[hash]',
  metafile: true,
}

/** Deletes what an earlier build has left, once the new files are there. */
function deleteOthers(written) {
  const folder = join(root, ESM)
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile() && !written.includes(relative(root, path))) rmSync(path)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { metafile } = await build(LIBRARY)
  await build({ ...CLIENT, outfile: `${ESM}/client.js` })
  deleteOthers([...Object.keys(metafile.outputs), `${ESM}/client.js`])
  for (const page of PAGES) await build(page)
}
