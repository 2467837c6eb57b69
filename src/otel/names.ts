/**
 * The names of all metrics, with their kinds, units and what they say. Names and units follow the
 * conventions of OpenTelemetry; no attribute of any of them has more than a few dozen values.
 */
import type { OtelMetricOptions } from './api.ts'

/** A metric: its name, its unit, and what it says. */
type Row = readonly [name: string, unit: string, description: string]

/** What is counted. */
export type CounterName =
  | 'issued'
  | 'authenticated'
  | 'refused'
  | 'failed'
  | 'refreshed'
  | 'started'
  | 'ended'
  | 'steppedUp'
  | 'unknown'
  | 'newDevice'
  | 'lost'
  | 'outages'

/** What is read when metrics are collected. */
export type GaugeName =
  | 'feedAge'
  | 'feedEntries'
  | 'feedCaughtUp'
  | 'storeUp'
  | 'callsInFlight'
  | 'callsWaiting'
  | 'issuerUp'
  | 'keys'

/** The counters. */
export const COUNTERS: Readonly<Record<CounterName, Row>> = {
  issued: ['tokenwright.tokens.issued', '{token}', 'Tokens that were issued'],
  authenticated: [
    'tokenwright.authentications',
    '{authentication}',
    'Requests and bare tokens that were checked, by what became of them',
  ],
  refused: ['tokenwright.refusals', '{request}', 'Requests that were refused, by the code of the error'],
  failed: [
    'tokenwright.failures',
    '{request}',
    'Requests that could not be checked because of a defect: the response is 500',
  ],
  refreshed: [
    'tokenwright.refreshes',
    '{refresh}',
    'Refresh tokens that came, by what the store said of them',
  ],
  started: ['tokenwright.sessions.started', '{session}', 'Sessions that logins started'],
  ended: ['tokenwright.sessions.ended', '{session}', 'Sessions that were ended, by the reason'],
  steppedUp: ['tokenwright.sessions.stepped_up', '{session}', 'Users who authenticated again'],
  unknown: [
    'tokenwright.sessions.unknown',
    '{token}',
    'Tokens of sessions that the store does not have; many at once mean that it lost data',
  ],
  newDevice: ['tokenwright.sessions.new_device', '{session}', 'Logins from a device that is new'],
  lost: ['tokenwright.revocations.lost', '{revocation}', 'Revocations that the store had lost'],
  outages: ['tokenwright.store.outages', '{outage}', 'Times that the log went out of reach'],
}

/** The gauges, which are asked when metrics are collected. */
export const GAUGES: Readonly<Record<GaugeName, Row>> = {
  feedAge: ['tokenwright.feed.age', 's', 'How old the knowledge of what is revoked is'],
  feedEntries: ['tokenwright.feed.entries', '{revocation}', 'Revocations that this process remembers'],
  feedCaughtUp: ['tokenwright.feed.caught_up', '', 'Whether this process has read the whole log'],
  storeUp: ['tokenwright.store.up', '', 'Whether the log of revocations can be read'],
  callsInFlight: ['tokenwright.store.calls.in_flight', '{call}', 'Calls that the store works on'],
  callsWaiting: ['tokenwright.store.calls.waiting', '{call}', 'Calls that wait for a place'],
  issuerUp: ['tokenwright.issuer.up', '', 'Whether another issuer could be reached when it was last needed'],
  keys: ['tokenwright.keys', '{key}', 'The keys in use, by their `kid`'],
}

/** The histogram of the calls of the store. */
export const STORE_CALLS: Row = [
  'tokenwright.store.call.duration',
  's',
  'How long calls of the store took, their wait for a place included',
]

/** The bounds of its buckets, in seconds. A call takes 2 s at most, and a pruning longer. */
export const BUCKETS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5,
]

/** The names of attributes. */
export const ATTRIBUTES = {
  tokenType: 'tokenwright.token.type',
  outcome: 'tokenwright.outcome',
  cached: 'tokenwright.cached',
  error: 'error.type',
  status: 'http.response.status_code',
  method: 'http.request.method',
  password: 'tokenwright.password',
  result: 'tokenwright.result',
  reason: 'tokenwright.reason',
  restored: 'tokenwright.restored',
  store: 'tokenwright.store.name',
  step: 'tokenwright.store.step',
  issuer: 'tokenwright.issuer',
  keyId: 'tokenwright.key.id',
  keyUse: 'tokenwright.key.use',
} as const

/** What a metric is made with. */
export function toOptions([, unit, description]: Row): OtelMetricOptions {
  return { description, ...(unit !== '' && { unit }) }
}
