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

/**
 * What does not load `tokenwright` itself: `tokenwright/react` runs in browsers, and the command
 * needs little for `--help`.
 */
const WITHOUT_CORE = ['src/cli.ts', 'src/react.ts']

/**
 * Lets every other entry point, and every command, load `tokenwright` itself, as an application
 * does anyway: then all that it consists of is one chunk. Without this, what some of them share is
 * a chunk for each set of them, and Node takes longer to find thirty files than to read one.
 */
const CORE_IN_ONE_CHUNK = {
  name: 'core in one chunk',
  setup({ onResolve, onLoad }) {
    const paths = [...readEntryPoints(), ...readCommands()]
    const loading = paths.filter((path) => path !== 'src/index.ts' && !WITHOUT_CORE.includes(path))
    const files = new Set(loading.map((path) => join(root, path)))
    onResolve({ filter: /^tokenwright:core$/ }, () => ({ path: join(root, 'src/index.ts') }))
    onLoad({ filter: /\.ts$/ }, ({ path }) =>
      files.has(path)
        ? { contents: `${readFileSync(path, 'utf8')}\nimport 'tokenwright:core'`, loader: 'ts' }
        : undefined,
    )
  },
}

/** The sources that the command loads when they are asked for. */
function readCommands() {
  return readdirSync(join(root, 'src/cli'))
    .filter((name) => /-commands?\.ts$/.test(name))
    .map((name) => `src/cli/${name}`)
}

/** Options of the entry points. */
const LIBRARY = {
  ...SHARED,
  entryPoints: readEntryPoints(),
  plugins: [CORE_IN_ONE_CHUNK],
  // That import adds no code, and is not meant to: it counts for which chunk a module is in.
  logOverride: { 'ignored-bare-import': 'silent' },
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
