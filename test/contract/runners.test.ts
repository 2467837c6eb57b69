/** The suite runs on other runners than this one: on `node:test`, from what is built, and on one whose functions are global. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { storeSuite } from 'tokenwright-store-suite'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { memoryStore } from '../../src/stores/memory.ts'

/** The address of a built file. */
const built = (path: string): string => new URL(`../../${path}`, import.meta.url).href

/** Counts the tests of the suite. */
function count(): number {
  let tests = 0
  storeSuite(async () => ({ store: memoryStore() }), { describe: (_, body) => body(), it: () => tests++ })
  return tests
}

describe('the store suite', () => {
  afterEach(() => vi.unstubAllGlobals())

  it('runs on node:test', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tokenwright-suite-'))
    const file = join(folder, 'suite.test.mjs')
    writeFileSync(
      file,
      `import { describe, it } from 'node:test'
      import { memoryStore } from ${JSON.stringify(built('dist/esm/stores/memory.js'))}
      import { storeSuite } from ${JSON.stringify(built('packages/store-suite/dist/index.js'))}
      storeSuite(async () => ({ store: memoryStore() }), { describe, it })`,
    )
    try {
      const env = { ...process.env, NODE_TEST_CONTEXT: undefined }
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--test', '--test-reporter=tap', file],
        { env },
      )
      expect(stdout).toMatch(new RegExp(`^# pass ${count()}$`, 'm'))
      expect(stdout).toMatch(/^# fail 0$/m)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }, 60_000)

  it('runs on a runner whose functions are global, and closes every store', async () => {
    const runs: (() => Promise<void>)[] = []
    const opened = { now: 0, ever: 0 }
    vi.stubGlobal('describe', (_: string, body: () => void) => body())
    vi.stubGlobal('it', (_: string, body: () => Promise<void>) => runs.push(body))
    storeSuite(async () => {
      opened.now++
      opened.ever++
      return {
        store: { ...memoryStore(), prune: () => Promise.reject(new Error('down')) },
        close: async () => opened.now--,
      }
    })
    const results = await Promise.allSettled(runs.map((run) => run()))
    expect(results.some(({ status }) => status === 'rejected')).toBe(true)
    expect(opened).toEqual({ now: 0, ever: count() })
  })

  it('says what it misses where there is no runner', () => {
    vi.stubGlobal('describe', undefined)
    expect(() => storeSuite(async () => ({ store: memoryStore() }))).toThrow(/runner/)
  })
})
