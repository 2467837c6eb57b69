/** The files for operators: what they name exists, and each alert fires on what it is for. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ATTRIBUTES, COUNTERS, GAUGES, STORE_CALLS } from '../../src/otel/names.ts'
import { HAS_PROMETHEUS, OPERATIONS } from './prometheus.ts'

const GUIDE = readFileSync(join(OPERATIONS, '../guide/observability.md'), 'utf8')
const ALERTS = readFileSync(join(OPERATIONS, 'prometheus-alerts.yml'), 'utf8')
const DASHBOARD = readFileSync(join(OPERATIONS, 'grafana-dashboard.json'), 'utf8')
const NAMES_OF_ALERTS = [...ALERTS.matchAll(/alert: (\w+)/g)].map(([, name]) => name)

const names = [...Object.values(COUNTERS), ...Object.values(GAUGES), STORE_CALLS].map(([name]) => name)
const toUnderscores = (name: string): string => name.replaceAll('.', '_')
/** What exporters make of the names. */
const KNOWN = new Set([
  ...Object.values(COUNTERS).map(([name]) => `${toUnderscores(name)}_total`),
  ...Object.values(GAUGES).map(([name]) => toUnderscores(name)),
  toUnderscores(STORE_CALLS[0]),
  ...Object.values(ATTRIBUTES).map(toUnderscores),
])

function unknownIn(text: string): string[] {
  return [...new Set(text.match(/\btokenwright_\w+/g))].filter((name) => !KNOWN.has(name))
}

describe('the names', () => {
  it('of the alerts and the dashboard are those of the metrics', () => {
    expect(unknownIn('sum(tokenwright_refreshs_total)')).toEqual(['tokenwright_refreshs_total'])
    expect(unknownIn(ALERTS)).toEqual([])
    expect(unknownIn(DASHBOARD)).toEqual([])
  })

  it('of the metrics are all in the dashboard, and in the guide', () => {
    const shown = (name: string): boolean => DASHBOARD.includes(toUnderscores(name))
    expect(names.filter((name) => !shown(name))).toEqual([])
    const described = [...GUIDE.matchAll(/^\| `(tokenwright\.[\w.]+)` +\| (?:counter|gauge|histogram)/gm)]
    expect(described.map(([, name]) => name).sort()).toEqual([...names].sort())
  })

  it('of the attributes are in the guide', () => {
    expect(Object.values(ATTRIBUTES).filter((name) => !GUIDE.includes(`\`${name}\``))).toEqual([])
  })

  it('of the alerts are in the guide, with what to do', () => {
    const described = [...GUIDE.matchAll(/^\| `(Tokenwright\w+)` +\|/gm)].map(([, name]) => name)
    expect(described).toEqual(NAMES_OF_ALERTS)
  })
})

describe.skipIf(!HAS_PROMETHEUS)('the alerts', () => {
  it('are valid rules', () => {
    const output = run('check', 'rules', join(OPERATIONS, 'prometheus-alerts.yml'))
    expect(output).toContain(`SUCCESS: ${NAMES_OF_ALERTS.length} rules found`)
  })

  it('fire on what they are for, and on nothing else', () => {
    expect(run('test', 'rules', join(import.meta.dirname, 'alerts.yml'))).toContain('SUCCESS')
  })
})

function run(...args: string[]): string {
  return execFileSync('promtool', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}
