/**
 * Counts the events of an application, and measures its operations and its state. Counters of rare
 * things begin at 0: monitoring systems see no increase in a series that begins with its first one.
 */
import type { AuthEvents } from '../auth/events.ts'
import type { AuthenticateFacts } from '../auth/request-authenticator.ts'
import { ERRORS, type ErrorCode } from '../errors.ts'
import { keysOf } from '../internal/read-options.ts'
import type { RevokeReason } from '../session/session-row.ts'
import type { RotationWord } from '../session/store.ts'
import type { StoreCallFacts } from '../session/store-client.ts'
import type { OtelAttributes, OtelCounter, OtelHistogram, OtelMeter } from './api.ts'
import { ATTRIBUTES, BUCKETS, COUNTERS, type CounterName, STORE_CALLS, toOptions } from './names.ts'

/** How each event is counted: the counter, how often, and with which attributes. */
type Count = readonly [counter: CounterName, value: number, attributes?: OtelAttributes]

const ONE = 1

/** The events that are counted. */
const EVENTS: { readonly [K in keyof AuthEvents]?: (event: AuthEvents[K]) => readonly Count[] } = {
  issued: ({ type }) => [['issued', ONE, { [ATTRIBUTES.tokenType]: type }]],
  refused: ({ code, account }) => [['refused', ONE, toRefusal(code, account !== null)]],
  failed: () => [['failed', ONE]],
  started: () => [['started', ONE]],
  ended: ({ reason, count }) => [['ended', count, toEnd(reason)]],
  reused: () => [['ended', ONE, toEnd('refresh_reused')]],
  shadowed: () => [['ended', ONE, toEnd('shadowed')]],
  steppedUp: () => [['steppedUp', ONE]],
  unknown: () => [['unknown', ONE]],
  newDevice: () => [['newDevice', ONE]],
  lost: ({ lost, restored }) => [
    ['lost', restored, { [ATTRIBUTES.restored]: true }],
    ['lost', lost - restored, { [ATTRIBUTES.restored]: false }],
  ],
  storeDown: () => [['outages', ONE]],
}

const REASONS = keysOf<Record<Exclude<RevokeReason, 'moved'>, true>>({
  ended: true,
  subject_revoked: true,
  rights_withdrawn: true,
  limit: true,
  refresh_reused: true,
  shadowed: true,
})

const WORDS = keysOf<Record<RotationWord | 'shadowed' | 'unavailable', true>>({
  kept: true,
  rotated: true,
  replayed: true,
  reused: true,
  shadowed: true,
  healed: true,
  late: true,
  expired: true,
  revoked: true,
  unknown: true,
  unavailable: true,
})

/** The words of a session that is over. */
const OVER: readonly (string | null)[] = ['expired', 'revoked', 'unknown']

/** The codes that the trial of a password is refused with. */
const PASSWORD_CODES: readonly ErrorCode[] = ['credentials_invalid', 'rate_limited', 'store_unavailable']

/** The metrics of one application. */
export class Metrics {
  readonly #counters: ReadonlyMap<string, OtelCounter>
  readonly #storeCalls: OtelHistogram
  readonly #attributes: OtelAttributes

  /** @param attributes those of every measurement */
  constructor(meter: OtelMeter, attributes: OtelAttributes) {
    this.#attributes = attributes
    this.#counters = new Map(
      Object.entries(COUNTERS).map(([key, row]) => [key, meter.createCounter(row[0], toOptions(row))]),
    )
    this.#storeCalls = meter.createHistogram(STORE_CALLS[0], {
      ...toOptions(STORE_CALLS),
      advice: { explicitBucketBoundaries: [...BUCKETS] },
    })
    for (const count of toZeros()) this.#count(count)
  }

  /** Counts an event. */
  event(name: string, event: object): void {
    const toCounts = EVENTS[name as keyof AuthEvents] as ((event: object) => readonly Count[]) | undefined
    for (const count of toCounts?.(event) ?? []) this.#count(count)
  }

  /** Counts what was authenticated. */
  authenticated({ outcome, cached }: AuthenticateFacts): void {
    this.#count(['authenticated', ONE, toAuthentication(outcome, cached)])
  }

  /** Measures a call of the store, and counts a refresh. */
  storeCalled({ store, step, outcome, word, duration }: StoreCallFacts): void {
    const attributes = {
      [ATTRIBUTES.store]: store,
      [ATTRIBUTES.step]: step,
      [ATTRIBUTES.outcome]: outcome ?? 'failed',
    }
    this.#storeCalls.record(duration ?? 0, { ...this.#attributes, ...attributes })
    // A session that is over is found out before anything is written: then nothing is rotated.
    const isOver = step === 'get' && OVER.includes(word)
    if (step === 'rotate' || isOver) this.#count(['refreshed', ONE, toResult(word ?? 'unavailable')])
  }

  #count([counter, value, attributes]: Count): void {
    this.#counters.get(counter)?.add(value, { ...this.#attributes, ...attributes })
  }
}

/** Every series that is worth an alert, at 0. */
function toZeros(): readonly Count[] {
  const codes = Object.keys(ERRORS) as ErrorCode[]
  return [
    ...(['failed', 'started', 'steppedUp', 'newDevice', 'unknown', 'outages'] as const).map(
      (name): Count => [name, 0],
    ),
    ...[true, false].map((cached): Count => ['authenticated', 0, toAuthentication('verified', cached)]),
    ...REASONS.map((reason): Count => ['ended', 0, toEnd(reason)]),
    ...WORDS.map((word): Count => ['refreshed', 0, toResult(word)]),
    ...codes.map((code): Count => ['refused', 0, toRefusal(code, false)]),
    ...PASSWORD_CODES.map((code): Count => ['refused', 0, toRefusal(code, true)]),
    ...[true, false].map((restored): Count => ['lost', 0, { [ATTRIBUTES.restored]: restored }]),
  ]
}

function toRefusal(code: ErrorCode, hasPassword: boolean): OtelAttributes {
  return {
    [ATTRIBUTES.error]: code,
    [ATTRIBUTES.status]: ERRORS[code].status,
    [ATTRIBUTES.password]: hasPassword,
  }
}

function toAuthentication(outcome: AuthenticateFacts['outcome'], cached: boolean): OtelAttributes {
  return { [ATTRIBUTES.outcome]: outcome ?? 'failed', [ATTRIBUTES.cached]: cached }
}

function toEnd(reason: RevokeReason): OtelAttributes {
  return { [ATTRIBUTES.reason]: reason }
}

function toResult(word: string): OtelAttributes {
  return { [ATTRIBUTES.result]: word }
}
