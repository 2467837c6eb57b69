/**
 * The same work on every runtime: `npm run bench -- runtimes`. Each one that
 * `test/runtimes/package.json` brings runs this file, one after the other, and so does the Node
 * that runs the bench. Ratios are to plain `node:crypto` code on the same runtime.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Result, runRace } from './measure.ts'
import { createTokenRaces, OURS } from './races.ts'

/** What one runtime took for one work. */
export interface RuntimeResult {
  /** The runtime and its version. */
  readonly runtime: string
  /** The title of each work, and its results. */
  readonly works: readonly { readonly title: string; readonly results: readonly Result[] }[]
}

const FILE = fileURLToPath(import.meta.url)
const FOLDER = fileURLToPath(new URL('../../test/runtimes/node_modules', import.meta.url))

/** The programs of the runtimes, in that folder, and what they take before the file. */
const PROGRAMS: readonly (readonly [path: string, args: readonly string[]])[] = [
  ['node22/bin/node', []],
  ['node24/bin/node', []],
  ['node26/bin/node', []],
  ['bun/bin/bun', []],
  ['deno/deno', ['run', '--allow-all', '--node-modules-dir=manual']],
]

/**
 * Runs the file on each runtime that is installed, this one first.
 *
 * @param filter a part of the titles of the works to measure; empty for all
 */
export async function measureRuntimes(filter = ''): Promise<readonly RuntimeResult[]> {
  const installed = PROGRAMS.map(([path, args]) => [`${FOLDER}/${path}`, args] as const)
  const absent = installed.filter(([path]) => !existsSync(path)).map(([path]) => path)
  if (absent.length > 0)
    console.log(`SKIPPED, not installed (npm ci --prefix test/runtimes): ${absent.join(', ')}`)
  const results: RuntimeResult[] = []
  for (const [program, args] of [[process.execPath, []] as const, ...installed]) {
    if (!existsSync(program)) continue
    const { stdout } = await promisify(execFile)(program, [...args, FILE, filter], { maxBuffer: 2 ** 24 })
    results.push(JSON.parse(stdout) as RuntimeResult)
  }
  return results
}

/** The runtime that runs this, as a reader names it. */
function toName(): string {
  const { bun, deno, node } = process.versions as Partial<Record<'bun' | 'deno' | 'node', string>>
  if (bun !== undefined) return `Bun ${bun}`
  return deno === undefined ? `Node ${node}` : `Deno ${deno}`
}

/** Measures in this process, and prints what it found for the process that started it. */
async function work(): Promise<void> {
  const works: { title: string; results: readonly Result[] }[] = []
  const filter = (process.argv[2] ?? '').toLowerCase()
  for (const race of await createTokenRaces()) {
    if (!race.title.toLowerCase().includes(filter)) continue
    const contestants = race.contestants.filter(
      ({ name }, i) => i === 0 || name.startsWith(OURS) || name.endsWith('awaited'),
    )
    works.push({ title: race.title, results: await runRace({ ...race, contestants }) })
  }
  console.log(JSON.stringify({ runtime: toName(), works } satisfies RuntimeResult))
}

if (process.argv[1] === FILE) await work()
