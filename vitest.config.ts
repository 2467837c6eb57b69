import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { defineConfig, type TestProjectConfiguration } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

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
      const source = folder + output.replace(/^\.\/dist\/(esm\/)?/, 'src/').replace(/\.js$/, '.ts')
      return {
        find: new RegExp(`^${name.replace('.', manifest.name).replaceAll('/', '\\/')}$`),
        replacement: new URL(source, import.meta.url).pathname,
      }
    })
  })
}

/**
 * Tests that start, stop, freeze or cut servers, processes and browsers, and look at the time that
 * passes then. They run alone: beside others they would measure those.
 */
const TIMED = [
  'test/client/**',
  'test/invariants/**',
  'test/processes/**',
  'test/remote/**',
  'test/server/**',
  'test/soak/**',
].map((folder) => `${folder}/*.test.ts`)

/**
 * The client in each browser, and what of servers and processes does not look at the time: mostly
 * waiting for browsers, and for servers and processes that start.
 */
const WAITING = [
  'test/client/{browser.*,belief,entry-points,expected,fuzz,hostile,ownership,react,restore,stepup,user}.test.ts',
  'test/invariants/{clocks,failover,families,galera,moved-clocks,promotions.*,races,responses,restarts,shadowed,troubles}.test.ts',
  'test/processes/{limit,migrations,moves,sessions,shared-cache,stored-keys}.test.ts',
  'test/server/{account*,api-page,config,database,looks,page,pages,responses,secret,throttle,trouble,trusted-proxies,users,ways-in}.test.ts',
]

/** The files that take longest. They begin first, so that in the end no worker is without work. */
const LONGEST =
  /test\/(?:contract\/(?:engines|stores|moves)|invariants\/restarts|packages\/refresh-races|processes\/sessions|server\/looks)\.test\.ts$/

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const isLong = ({ moduleId }: TestSpecification) => LONGEST.test(moduleId)
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))]
  }
}

const NEVER = ['**/node_modules/**', 'test/runtimes/**', 'test/fixtures/**']

/** What all tests share. */
const SHARED = {
  restoreMocks: true,
  // A machine that runs databases and browsers beside the tests is slow now and then; a test that
  // hangs still ends.
  testTimeout: 20_000,
  hookTimeout: 30_000,
}

/** The mutation run has a plugin, which projects would not get: it takes all tests as one. */
const IS_ONE = process.env['TOKENWRIGHT_MUTATION'] !== undefined

const ALL = ['test/**/*.test.ts']

const PROJECTS: TestProjectConfiguration[] = [
  {
    resolve: { alias: sourceAliases() },
    test: {
      ...SHARED,
      name: 'side by side',
      include: ALL,
      exclude: [...NEVER, ...TIMED],
      // Many wait for a server: as many workers as cores would leave two fifths of the time unused.
      maxWorkers: availableParallelism() + 1,
      sequence: { groupOrder: 0 },
      typecheck: {
        enabled: true,
        include: ['test/types/**/*.test-d.ts'],
        tsconfig: 'tsconfig.types.json',
        // Errors outside the type tests are `npm run typecheck`'s to report, and would be reported
        // twice here.
        ignoreSourceErrors: true,
      },
    },
  },
  {
    resolve: { alias: sourceAliases() },
    test: {
      ...SHARED,
      name: 'alone',
      include: TIMED,
      exclude: [...NEVER, ...WAITING],
      maxWorkers: 1,
      sequence: { groupOrder: 1 },
    },
  },
  {
    resolve: { alias: sourceAliases() },
    test: {
      ...SHARED,
      name: 'waiting',
      include: WAITING,
      exclude: NEVER,
      maxWorkers: 2,
      // Several processes for each browser: on two cores a page may wait long for its turn.
      testTimeout: 60_000,
      sequence: { groupOrder: 2 },
    },
  },
]

export default defineConfig({
  resolve: { alias: sourceAliases() },
  test: {
    globalSetup: ['test/global-setup.ts'],
    sequence: { sequencer: LongestFirst },
    ...(IS_ONE ? { ...SHARED, include: ALL, exclude: NEVER } : { projects: PROJECTS }),
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reporter: ['text', 'html'],
    },
  },
})
