/** The command that looks for what is wrong with a deployment. */
import type { CommandTable, Flags } from './command.ts'
import { type Finding, toSkipped, type Verdict } from './doctor/checks.ts'
import { checkDeployment, isPublic, readDeployment } from './doctor/deployment.ts'
import { checkEnvironment, checkKeyFile, readSecretRing } from './doctor/environment.ts'
import { checkStore } from './doctor/store-checks.ts'
import { readStoreFlags } from './stores.ts'
import { createPaint, type Style, toPrintable } from './terminal.ts'

/** `doctor`. */
export const DOCTOR_COMMANDS: CommandTable = { doctor: (_argument, flags) => doctor(flags) }

/** The exit status where a problem was found. */
const FOUND = 3

async function doctor(flags: Flags): Promise<string> {
  const { env } = process
  const urls = (flags.url ?? []).map(readDeployment)
  const names = flags.store !== undefined || Boolean(env['REDIS_URL'] || env['DATABASE_URL'])
  const address = names ? readStoreFlags(flags) : null
  const { findings: ofKeys, ring } = await checkKeyFile(flags.keys ?? env['TOKENWRIGHT_KEYS'])
  const findings = [
    ...(await checkEnvironment(env, urls.some(isPublic))),
    ...ofKeys,
    ...(address === null ? [toSkipped('store-unreachable', 'no --store')] : await checkStore(address)),
    ...(await checkDeployment(urls, ring ?? readSecretRing(env))),
  ]
  if (findings.some(({ result }) => result === 'problem')) process.exitCode = FOUND
  const counts = count(findings)
  return flags.json ? JSON.stringify({ ...counts, findings }) : toReport(findings, counts)
}

/** How many findings there are of each kind. */
type Counts = Readonly<Record<'problems' | 'warnings' | 'sound' | 'skipped', number>>

function count(findings: readonly Finding[]): Counts {
  const of = (wanted: Verdict): number => findings.filter(({ result }) => result === wanted).length
  return { problems: of('problem'), warnings: of('warning'), sound: of('ok'), skipped: of('skipped') }
}

const STYLES: Readonly<Record<Verdict, Style>> = {
  problem: 'red',
  warning: 'yellow',
  ok: 'green',
  skipped: 'dim',
}

function toReport(findings: readonly Finding[], counts: Counts): string {
  const paint = createPaint(process.stdout)
  const width = Math.max(...findings.map(({ id }) => id.length))
  const lines = findings.flatMap(({ id, result, what, advice }) => {
    const begin = `${paint(STYLES[result], result.padEnd(7))}  ${id.padEnd(width)}  `
    const indent = ' '.repeat(width + 11)
    return [
      begin + toPrintable(what),
      ...(advice === null ? [] : [`${indent}${paint('bold', '->')} ${advice}`]),
    ]
  })
  const { problems, warnings, sound, skipped } = counts
  return [
    ...lines,
    '',
    `${problems} problems, ${warnings} warnings, ${sound} sound, ${skipped} skipped`,
  ].join('\n')
}
