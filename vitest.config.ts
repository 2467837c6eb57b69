import { readFileSync } from 'node:fs'
import { defineConfig } from 'vitest/config'

/**
 * Tests that import a package of this repository by its name get its source file, as relative
 * imports do.
 */
function sourceAliases(): { find: RegExp; replacement: string }[] {
  return ['', 'packages/store-suite/', 'packages/refresh-races/'].flatMap((folder) => {
    const manifest = JSON.parse(readFileSync(new URL(`${folder}package.json`, import.meta.url), 'utf8'))
    const entryPoints = Object.entries<{ default?: string | { default: string } }>(manifest.exports)
    return entryPoints.flatMap(([name, target]) => {
      const output = typeof target.default === 'object' ? target.default.default : target.default
      if (!output) return []
      const source = folder + output.replace(/^\.\/dist\/(src\/)?/, 'src/').replace(/\.js$/, '.ts')
      return {
        find: new RegExp(`^${name.replace('.', manifest.name).replaceAll('/', '\\/')}$`),
        replacement: new URL(source, import.meta.url).pathname,
      }
    })
  })
}

export default defineConfig({
  resolve: { alias: sourceAliases() },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'test/runtimes/**', 'test/fixtures/**'],
    globalSetup: ['test/global-setup.ts'],
    restoreMocks: true,
    // A machine that runs databases and browsers beside the tests is slow now and then; a test that
    // hangs still ends.
    testTimeout: 20_000,
    hookTimeout: 30_000,
    typecheck: {
      enabled: true,
      include: ['test/types/**/*.test-d.ts'],
      tsconfig: 'tsconfig.types.json',
      // Errors outside the type tests are `npm run typecheck`'s to report, and would be reported
      // twice here.
      ignoreSourceErrors: true,
    },
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reporter: ['text', 'html'],
    },
  },
})
