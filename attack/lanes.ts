/**
 * Runs parts of an attack in processes of their own, several at once: each captures what it prints
 * itself. The report of a part comes in one piece, when it has ended.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { type Counts, fromSummary } from './report.ts'
import { HOME } from './root.ts'

/** A part of an attack. */
export interface Lane {
  /** What its report is headed by. */
  readonly title: string
  /** The arguments of its process. */
  readonly args: readonly string[]
}

/** The processes that run. They end with this one. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill()
})

/** Runs one part. Without a summary it counts as a failure. */
async function runLane({ title, args }: Lane, say: (text: string) => void): Promise<Counts> {
  const started = performance.now()
  const child = spawn(process.execPath, [join(HOME, 'dist', 'run.js'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  const printed: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => printed.push(chunk))
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  running.delete(child)
  const lines = Buffer.concat(printed).toString('utf8').trimEnd().split('\n')
  const counts = fromSummary(lines.at(-1) ?? '')
  const seconds = ((performance.now() - started) / 1000).toFixed(0)
  say(`\n== ${title}: ${seconds} s`)
  say((counts === undefined ? lines : lines.slice(0, -1)).join('\n').trimEnd())
  const isWhole = counts !== undefined && (code === 0 || counts.failed > 0)
  if (isWhole) return counts
  say(`failed   ${title}: its process ended with ${code}`)
  return { passed: counts?.passed ?? 0, failed: 1, skipped: counts?.skipped ?? 0 }
}

/** Runs parts, so many at once. Resolves to what each has counted. */
export async function runInProcesses(
  lanes: readonly Lane[],
  atOnce: number,
  say: (text: string) => void,
): Promise<readonly Counts[]> {
  const counts: Counts[] = []
  const left = [...lanes]
  const work = async (): Promise<void> => {
    for (let lane = left.shift(); lane !== undefined; lane = left.shift())
      counts.push(await runLane(lane, say))
  }
  await Promise.all(Array.from({ length: Math.max(1, atOnce) }, work))
  return counts
}
