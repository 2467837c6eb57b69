/**
 * How long an application waits for the import of a package: `npm run bench -- start-up`. Each
 * import has a process of its own, whose files the system has read before. This file is also what
 * each process runs.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { median } from './measure.ts'

/** The import of one package. */
export interface StartUpResult {
  /** The name of the package or entry point. */
  readonly name: string
  /** Milliseconds. */
  readonly took: number
}

/** Packages and entry points, and two of them that an application imports together. */
const NAMES = [
  'tokenwright',
  'tokenwright/express',
  'tokenwright/routes',
  'tokenwright + tokenwright/express',
  'fast-jwt',
  'jsonwebtoken',
  'jose',
]

/** How many processes import each. The first one only warms up the system. */
const PROCESSES = 15

const FILE = fileURLToPath(import.meta.url)

/** Imports each package in processes that take turns. */
export async function measureStartUp(): Promise<readonly StartUpResult[]> {
  const times = NAMES.map((): number[] => [])
  for (let turn = 0; turn <= PROCESSES; turn++) {
    for (const [i, name] of NAMES.entries()) {
      const { stdout } = await promisify(execFile)(process.execPath, [FILE, name])
      if (turn > 0) times[i]?.push(Number(stdout))
    }
  }
  return NAMES.map((name, i) => ({ name, took: median(times[i] ?? []) }))
}

if (process.argv[1] === FILE) {
  const begun = performance.now()
  for (const name of (process.argv[2] ?? '').split(' + ')) await import(name)
  console.log(performance.now() - begun)
}
