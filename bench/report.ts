/** Prints the results as Markdown tables, for README.md. */
import { cpus } from 'node:os'
import type { CoresResult } from './cores.ts'
import type { FollowersResult } from './followers/run.ts'
import type { GrowthResult } from './growth/run.ts'
import type { LoginsResult } from './logins/run.ts'
import { type Result, ROUNDS } from './measure.ts'
import type { EntrySize } from './memory.ts'
import type { RotationResult } from './rotation.ts'
import type { RuntimeResult } from './runtimes.ts'
import type { StartUpResult } from './start-up.ts'

/** Prints the machine, the date and the head of the table. */
export function printMachine(): void {
  const processors = cpus()
  const date = new Date().toISOString().slice(0, 10)
  console.log(
    `Node ${process.versions.node}, ${processors.length} x ${processors[0]?.model.trim() ?? 'unknown'}, ${date}. ` +
      `Medians of ${ROUNDS} interleaved rounds; "ratio" is to the first row of each block.\n`,
  )
  console.log(`| ${'work'.padEnd(36)} | ${'who'.padEnd(34)} | us per operation | ratio |`)
  console.log(`|${'-'.repeat(38)}|${'-'.repeat(36)}|-----------------:|------:|`)
}

/** Prints the results of one race. */
export function printRace(title: string, results: readonly Result[]): void {
  for (const [i, { name, cost, ratio }] of results.entries()) {
    const cells = [
      (i === 0 ? title : '').padEnd(36),
      name.padEnd(34),
      cost.toFixed(cost < 100 ? 2 : 0).padStart(16),
      ratio.toFixed(2).padStart(5),
    ]
    console.log(`| ${cells.join(' | ')} |`)
  }
}

/** Prints the memory of one cache entry. */
export function printEntry({ total, overhead }: EntrySize): void {
  console.log(
    `\nOne entry of the verified-token cache: ${Math.round(total)} bytes, ${Math.round(overhead)} beside the token's characters.`,
  )
}

/** Prints the memory of one revocation. */
export function printRevocation(bytes: number): void {
  console.log(`\nOne revoked token in memory: ${Math.round(bytes)} bytes.`)
}

/** Prints the refreshes per second of each store. */
export function printRotation(results: readonly RotationResult[]): void {
  console.log(
    '\n| store | simplest atomic writes per second | rotations by hand | refreshes | share of those by hand |',
  )
  console.log('|---|---:|---:|---:|---:|')
  for (const { name, writes, byHand, rotations } of results) {
    console.log(
      `| ${name} | ${Math.round(writes)} | ${Math.round(byHand)} | ${Math.round(rotations)} | ${(rotations / byHand).toFixed(2)} |`,
    )
  }
}

/** Prints the logins and refreshes per second over HTTP. */
export function printLogins(results: readonly LoginsResult[]): void {
  console.log('\n| work | application | requests per second | share of those by hand | us of its processor |')
  console.log('|---|---|---:|---:|---:|')
  for (const { work, app, rate, share, cost } of results)
    console.log(`| ${work} | ${app} | ${Math.round(rate)} | ${share.toFixed(2)} | ${Math.round(cost)} |`)
}

/** Prints how many tokens several processes verify. */
export function printCores(results: readonly CoresResult[]): void {
  const [{ rate: one } = { rate: Number.NaN }] = results
  console.log('\n| processes | tokens verified per second | times as many as one |')
  console.log('|---:|---:|---:|')
  for (const { processes, rate } of results)
    console.log(`| ${processes} | ${Math.round(rate)} | ${(rate / one).toFixed(2)} |`)
}

/** Prints how long imports take. */
export function printStartUp(results: readonly StartUpResult[]): void {
  console.log('\n| import | ms |')
  console.log('|---|---:|')
  for (const { name, took } of results) console.log(`| ${name} | ${took.toFixed(1)} |`)
}

/** Prints our share of plain code on each runtime: one column for each. */
export function printRuntimes(results: readonly RuntimeResult[]): void {
  console.log(`\n| work | who | ${results.map(({ runtime }) => runtime).join(' | ')} |`)
  console.log(`|---|---|${'---:|'.repeat(results.length)}`)
  for (const [work, { title, results: rows }] of (results[0]?.works ?? []).entries()) {
    for (const [row, { name }] of rows.entries()) {
      const ratios = results.map(({ works }) => works[work]?.results[row]?.ratio.toFixed(2) ?? '')
      if (row > 0) console.log(`| ${title} | ${name} | ${ratios.join(' | ')} |`)
    }
  }
}

/** Prints how cost grows with what is stored. */
export function printGrowth(results: readonly GrowthResult[]): void {
  console.log(
    '\n| store | sessions | bytes each | refresh, ms: median, p99 | list of 10 | end of 10 | a pruning | entries of the log | ready, s | sequential scans |',
  )
  console.log('|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|')
  const pair = ([median, p99]: readonly [number, number]) => `${median.toFixed(2)}, ${p99.toFixed(2)}`
  for (const result of results) {
    const { name, rows, bytes, refresh, list, endAll, prune, ready, entries, scans } = result
    const times = [refresh, list, endAll, prune].map(pair).join(' | ')
    console.log(
      `| ${name} | ${rows} | ${Math.round(bytes)} | ${times} | ${entries} | ${(ready / 1000).toFixed(2)} | ${scans ?? '-'} |`,
    )
  }
}

/** Prints what services without the store cost. */
export function printFollowers(results: readonly FollowersResult[]): void {
  console.log(
    '\n| services | revocations / s | requests / s | readings of the store / s | processor, % | kB / s | refused after, ms: median, most |',
  )
  console.log('|---:|---:|---:|---:|---:|---:|---:|')
  for (const { followers, revocations, requests, reads, processor, bytes, delay } of results) {
    const after = delay === null ? '' : `${Math.round(delay.median * 1000)}, ${Math.round(delay.most * 1000)}`
    const figures = [requests, reads, processor * 100, bytes / 1000].map((figure) => figure.toFixed(1))
    console.log(`| ${[followers, revocations, ...figures, after].join(' | ')} |`)
  }
}
