/** The command that copies all that a store keeps into another store. */
import { ConfigurationError } from '../internal/configuration-error.ts'
import { describeFailure } from '../internal/failure.ts'
import { type CopyProgress, type CopyResult, copyStore } from '../stores/move.ts'
import { type CommandTable, type Flags, InterruptedError, UsageError } from './command.ts'
import { CopyPlace } from './copy-place.ts'
import { ProgressLine } from './progress-line.ts'
import { redact } from './redact.ts'
import { type OpenedStore, openStore, readStoreAddress, type StoreAddress } from './stores.ts'
import { runUntilSignal } from './until-signal.ts'

/** `copy`. */
export const COPY_COMMANDS: CommandTable = {
  copy: (_argument, flags) => copy(flags),
}

/** The exit status of a copy of sessions of which some changed meanwhile. */
const CHANGED = 3

type Counts = Omit<CopyProgress, 'place'>

async function copy(flags: Flags): Promise<string> {
  const from = readStoreAddress('--from', flags.from, flags['from-prefix'], flags['from-schema'])
  const to = readStoreAddress('--to', flags.to, flags['to-prefix'], flags['to-schema'])
  if (from.identity === to.identity) throw new UsageError('Expected --from and --to to be two stores')
  const place = new CopyPlace(from, to)
  const earlier = flags.resume === true ? place.read() : null
  if (flags.resume === true && earlier === null)
    tell(`No copy was broken off here (${place.file}): it starts at the beginning`)
  const source = await openStore(from)
  try {
    const target = await openStore(to)
    try {
      for (const warning of target.warnings) tell(`--to: ${warning}`)
      const startedAt = performance.now()
      const copied = await run({ source, target, place, earlier })
      if (copied.changed > 0) process.exitCode = CHANGED
      const { changed, ...counts } = copied
      const sum = { ...add(counts, earlier), changed, resumed: earlier !== null }
      const seconds = Math.round(performance.now() - startedAt) / 1000
      const result = { from: from.shown, to: to.shown, ...sum, seconds }
      return flags.json === true ? JSON.stringify(result) : toWords(result)
    } catch (error) {
      throw toClean(error, [from, to], place, earlier !== null)
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

/** What a copy works with. */
interface Work {
  readonly source: OpenedStore
  readonly target: OpenedStore
  readonly place: CopyPlace
  readonly earlier: CopyProgress | null
}

/** Copies until the end, a failure or a signal. */
async function run({ source, target, place, earlier }: Work): Promise<CopyResult> {
  if (earlier !== null) place.note(earlier)
  const line = new ProgressLine(process.stderr)
  try {
    const result = await runUntilSignal((signal) =>
      copyStore(source.store, target.store, {
        place: earlier?.place ?? null,
        signal,
        onProgress(progress) {
          const sum = { ...add(progress, earlier), place: progress.place }
          place.note(sum)
          line.show(listCounts(sum))
        },
      }),
    )
    place.forget()
    return result
  } catch (error) {
    place.write()
    throw error
  } finally {
    line.clear()
  }
}

function add(counts: Counts, earlier: CopyProgress | null): Counts {
  return {
    sessions: counts.sessions + (earlier?.sessions ?? 0),
    cutOffs: counts.cutOffs + (earlier?.cutOffs ?? 0),
    attempts: counts.attempts + (earlier?.attempts ?? 0),
    revocations: counts.revocations + (earlier?.revocations ?? 0),
  }
}

function listCounts({ sessions, cutOffs, attempts, revocations }: Counts): string {
  return `${sessions} sessions, ${cutOffs} cut-offs, ${attempts} counted attempts, ${revocations} revocations`
}

/** What a copy has done. */
interface Report extends Counts {
  readonly from: string
  readonly to: string
  readonly changed: number
  readonly resumed: boolean
  readonly seconds: number
}

function toWords(report: Report): string {
  const { from, to, changed, resumed, seconds } = report
  return [
    `Copied from ${from} to ${to} in ${seconds} s: ${listCounts(report)}`,
    ...(changed > 0
      ? [`${changed} sessions changed meanwhile: stop what writes to the old store, and copy again`]
      : []),
    ...(resumed
      ? ['What was copied before the break is as it was then: copy again if it changed since']
      : []),
  ].join('\n')
}

/** What ended a copy, in one line without a password, and how to go on. */
function toClean(
  error: unknown,
  addresses: readonly StoreAddress[],
  place: CopyPlace,
  isResumed: boolean,
): Error {
  if (error instanceof InterruptedError) {
    error.message += `: ${place.advice}`
    return error
  }
  const urls = addresses.map(({ url }) => url)
  const line = redact(describeFailure(error), urls)
  // A store that refuses a copy refuses it again.
  const again = isResumed ? '; without --resume it starts at the beginning' : ''
  return new UsageError(error instanceof ConfigurationError ? `${line}${again}` : `${line}; ${place.advice}`)
}

function tell(text: string): void {
  process.stderr.write(`${text}\n`)
}
