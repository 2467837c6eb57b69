/**
 * The state of an application, which is read when metrics are collected: the feed of revocations,
 * the calls of the store, other issuers, and the keys in use.
 */
import type { Auth, AuthInternals } from '../auth/auth.ts'
import type { OtelAttributes, OtelMeter, OtelResult } from './api.ts'
import { ATTRIBUTES, GAUGES, type GaugeName, toOptions } from './names.ts'

/** What gauges read. */
type Source = Pick<Auth, 'state' | 'issuers'> & Pick<AuthInternals<never>, 'keyIds'>

/** A value, with the attributes that are its own. */
type Reading = readonly [value: number, attributes?: OtelAttributes]

/** What each gauge reads; no reading where there is nothing to read. */
const READERS: Record<Exclude<GaugeName, 'storeUp'>, (source: Source) => readonly Reading[]> = {
  // Infinite before the first reading, which no system of metrics keeps.
  feedAge: (source) => readState(source, ({ age }) => age).filter(([age]) => Number.isFinite(age)),
  feedEntries: (source) => readState(source, ({ entries }) => entries),
  feedCaughtUp: (source) => readState(source, ({ caughtUp }) => Number(caughtUp)),
  callsInFlight: (source) => readState(source, ({ calls }) => calls.inFlight),
  callsWaiting: (source) => readState(source, ({ calls }) => calls.waiting),
  issuerUp: ({ issuers }) =>
    issuers().map(({ issuer, status }) => [
      Number(status === 'current' || status === 'unused'),
      { [ATTRIBUTES.issuer]: issuer },
    ]),
  keys: ({ keyIds }) => {
    const { signing, verifying } = keyIds()
    const uses = [
      ...(signing === null ? [] : [['sign', signing]]),
      ...verifying.map((kid) => ['verify', kid]),
    ]
    return uses.map(([use = '', kid = '']) => [1, { [ATTRIBUTES.keyUse]: use, [ATTRIBUTES.keyId]: kid }])
  },
}

/**
 * Shows the state of an application until the function is called that this returns.
 *
 * @param isStoreUp whether the log of revocations can be read
 */
export function createGauges(
  meter: OtelMeter,
  source: Source,
  attributes: OtelAttributes,
  isStoreUp: () => boolean,
): () => void {
  const readers = {
    ...READERS,
    storeUp: (): readonly Reading[] => readState(source, () => Number(isStoreUp())),
  }
  const removals = Object.entries(readers).map(([key, read]) => {
    const row = GAUGES[key as GaugeName]
    const gauge = meter.createObservableGauge(row[0], toOptions(row))
    const callback = (result: OtelResult): void => {
      for (const [value, own] of read(source)) result.observe(value, { ...attributes, ...own })
    }
    gauge.addCallback(callback)
    return () => gauge.removeCallback(callback)
  })
  return () => {
    for (const remove of removals) remove()
  }
}

function readState(
  { state }: Source,
  read: (state: NonNullable<ReturnType<Source['state']>>) => number,
): readonly Reading[] {
  const known = state()
  return known === null ? [] : [[read(known)]]
}
