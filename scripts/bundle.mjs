// Runs after the compiler: makes one file each of what browsers load, so that a page without a
// bundler fetches one script and not twenty.
// - dist/src/client.js: `tokenwright/client`, not minified, but for the names below.
// - server/dist/assets: the scripts of the reference server's pages.
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

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await build({ ...CLIENT, outfile: 'dist/src/client.js' })
  for (const page of PAGES) await build(page)
}
