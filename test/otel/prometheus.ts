/**
 * A Prometheus of the tests' own, on a free port and in a folder of its own, which scrapes every second and knows the alerts of
 * docs/operations. Without the program the tests that need one are skipped, loudly.
 */
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, reapWithUs, waitFor } from '../stores/redis-server.ts'

/** The files for operators. */
export const OPERATIONS: string = new URL('../../docs/operations/', import.meta.url).pathname

/** Whether this machine has the program, and `promtool` beside it. */
export const HAS_PROMETHEUS: boolean = (() => {
  try {
    for (const program of ['prometheus', 'promtool'])
      execFileSync(program, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    console.warn('\nNo prometheus here: ALERTS AND DASHBOARD ARE NOT TESTED. apt-get install prometheus\n')
    return false
  }
})()

/** One series of a result, with its latest value. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>
  readonly value: readonly [time: number, value: string]
}

export interface Prometheus {
  /** Runs a query. Rejects with what Prometheus says of a wrong one. */
  query(expression: string): Promise<readonly Sample[]>
  /** The names of the alerts that are pending or fire. */
  alerts(): Promise<readonly string[]>
  close(): Promise<void>
}

/** Starts a server that scrapes one target. */
export async function startPrometheus(target: number): Promise<Prometheus> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'tokenwright-prometheus-'))
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [join(OPERATIONS, 'prometheus-alerts.yml')],
    scrape_configs: [{ job_name: 'app', static_configs: [{ targets: [`127.0.0.1:${target}`] }] }],
  }
  writeFileSync(join(folder, 'config.yml'), JSON.stringify(config))
  const args = [
    '--config.file=config.yml',
    '--storage.tsdb.path=data',
    `--web.listen-address=127.0.0.1:${port}`,
  ]
  const child = spawn('prometheus', [...args, '--log.level=error'], { cwd: folder, stdio: 'ignore' })
  reapWithUs(child, folder)
  const get = async (path: string): Promise<unknown> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`)
    const body = (await response.json()) as { data: unknown; error?: string }
    if (body.error !== undefined) throw new Error(body.error)
    return body.data
  }
  const query = async (expression: string): Promise<readonly Sample[]> =>
    ((await get(`/api/v1/query?query=${encodeURIComponent(expression)}`)) as { result: Sample[] }).result
  await waitFor(
    () =>
      query('up == 1').then(
        (found) => found.length > 0,
        () => false,
      ),
    30,
  )
  return {
    query,
    alerts: async () =>
      ((await get('/api/v1/alerts')) as { alerts: { labels: { alertname: string } }[] }).alerts.map(
        ({ labels }) => labels.alertname,
      ),
    async close() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
