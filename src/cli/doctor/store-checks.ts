/** What is found of a store: by its own diagnosis, a write, and its clock. */
import { randomId } from '../../internal/bytes.ts'
import { describeFailure, explainFailure } from '../../internal/failure.ts'
import type { Store } from '../../session/store.ts'
import { UsageError } from '../command.ts'
import { redact } from '../redact.ts'
import { openUnasked, type StoreAddress } from '../stores.ts'
import { type Finding, toFinding, toSound } from './checks.ts'

/** How long a call may take. */
const DEADLINE = '10s'

/** Looks at a store. */
export async function checkStore(address: StoreAddress): Promise<Finding[]> {
  const clean = (error: unknown): string =>
    redact(error instanceof UsageError ? error.message : describeFailure(error), [address.url])
  let opened: Awaited<ReturnType<typeof openUnasked>> | undefined
  try {
    opened = await openUnasked(address, DEADLINE)
    const { store } = opened
    await store.now()
    return await examine(store, clean)
  } catch (error) {
    const [what = '', ...advice] = clean(error).split(': ')
    return [toFinding('store-unreachable', `${address.shown}: ${what}`, advice.join(': ') || undefined)]
  } finally {
    await opened?.close().catch(() => undefined)
  }
}

async function examine(store: Store, clean: (error: unknown) => string): Promise<Finding[]> {
  const warnings = await diagnose(store)
  const findings = warnings.map(({ code, warning }) => toFinding(code, warning))
  if (findings.length === 0)
    findings.push(toSound('store-settings', 'Tables, privileges and settings are sound'))
  // Known to fail, for a reason that was told.
  const cannotWrite = ['store-read-only', 'tables-missing', 'schema-old', 'privileges']
  if (!findings.some(({ id }) => cannotWrite.includes(id))) findings.push(await probeWrite(store, clean))
  return [...findings, ...(await checkClock(store))]
}

/** A store of another kind knows only sentences. */
async function diagnose(store: Store): ReturnType<NonNullable<Store['diagnose']>> {
  if (store.diagnose !== undefined) return store.diagnose()
  return (await store.inspect()).map((warning) => ({ code: 'store-settings', warning }))
}

/** Counts an attempt that no one made, and takes it back. */
async function probeWrite(store: Store, clean: (error: unknown) => string): Promise<Finding> {
  const key = `doctor:${randomId()}`
  try {
    await store.countAttempt(key, 1, 60, null)
    await store.forgetAttempts(key, null, null)
    return toSound('store-write', 'It took a write')
  } catch (error) {
    const isReadOnly = explainFailure(error)?.reason === 'it is a read-only replica'
    return toFinding(isReadOnly ? 'store-read-only' : 'store-write', clean(error))
  }
}

/** How often the clock is read. */
const READINGS = 5

/** By how much clocks may differ, in seconds: the default of `leeway`. */
const CLOCK_DIFFERENCE = 5

/** How long a round trip may take, in seconds. */
const SLOW = 0.1

async function checkClock(store: Store): Promise<Finding[]> {
  const readings: { readonly trip: number; readonly ahead: number }[] = []
  for (let i = 0; i < READINGS; i++) {
    const before = performance.now()
    const there = await store.now()
    const trip = (performance.now() - before) / 1000
    readings.push({ trip, ahead: there - (Date.now() / 1000 - trip / 2) })
  }
  // The fastest one knows the clock best.
  const [best] = readings.sort((a, b) => a.trip - b.trip)
  const { trip = 0, ahead = 0 } = best ?? {}
  const milliseconds = `${Math.round(trip * 10_000) / 10} ms`
  const isFar = Math.abs(ahead) - trip > CLOCK_DIFFERENCE
  const off = `${Math.abs(ahead).toFixed(1)} s ${ahead < 0 ? 'behind' : 'ahead of'} this machine's`
  return [
    isFar
      ? toFinding('store-clock', `Its clock is ${off}`)
      : toSound('store-clock', "Its clock agrees with this machine's"),
    trip > SLOW
      ? toFinding('store-slow', `A round trip takes ${milliseconds}`)
      : toSound('store-slow', `A round trip takes ${milliseconds}`),
  ]
}
