#!/usr/bin/env node
/**
 * The command `refresh-races`: reads its arguments, runs the races, prints a table or JSON, and
 * exits with 0, 1 or 2.
 */
import { readFileSync } from 'node:fs'
import { type Command, HELP, readArguments } from './arguments.ts'
import { createHttpEndpoint } from './http-endpoint.ts'
import { formatRaces, type RaceReport } from './report.ts'
import { simulateRaces } from './simulator.ts'

try {
  process.exitCode = await run(readArguments(process.argv.slice(2)))
} catch (error) {
  console.error(`refresh-races: ${reasonOf(error)}`)
  process.exitCode = 2
}

async function run(command: Command | 'help' | 'version'): Promise<0 | 1> {
  if (command === 'help') console.log(HELP)
  if (command === 'version') console.log(readVersion())
  if (typeof command === 'string') return 0
  const report = await race(command)
  if (report.outages === report.refreshes)
    throw new Error(`none of ${report.refreshes} refreshes got a response from ${command.target.refresh}`)
  if (command.json) console.log(JSON.stringify(report, null, 2))
  else console.log(toText(command, report))
  return report.lost === 0 ? 0 : 1
}

function race(command: Command): Promise<RaceReport> {
  const { target, cycles, users, tabs, thieves, watched, every, speed, seed } = command
  const endpoint = createHttpEndpoint(target)
  const network = { tabs, accessLife: every, stepUps: 0 }
  return simulateRaces({ connect: () => endpoint, cycles, users, thieves, watched, seed, speed, network })
}

function toText({ target, every, speed }: Command, report: RaceReport): string {
  const { lost, cycles, refreshes, outages, seed } = report
  const summary =
    lost === 0
      ? `No session was lost in ${cycles} cycles.`
      : `In ${lost} of ${cycles} cycles, a user lost the session without reason.`
  return [
    formatRaces({ [new URL(target.refresh).host]: report }),
    '',
    `${summary} ${refreshes} refreshes, ${outages} without a response.`,
    `One cycle every ${every / speed} s, seed ${seed}. "2 / 5" means: half of the thieves were refused`,
    'after 2 refreshes, nine of ten after 5.',
  ].join('\n')
}

function readVersion(): string {
  return JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version
}

/** The message of an error, with that of its cause: a failed fetch only says why in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  const reason =
    cause instanceof Error ? cause.message || String((cause as { code?: string }).code) : undefined
  return reason === undefined ? error.message : `${error.message}: ${reason}`
}
