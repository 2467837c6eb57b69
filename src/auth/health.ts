/**
 * What is wrong with an application, for health checks and operators: whether the store takes what
 * logins and refreshes need, how old its knowledge of revocations is, which keys it has, and how
 * the other issuers are. It says why in words and never shows an address, a key or a message of a
 * driver, which may hold a value.
 */
import { ConfigurationError } from '../internal/configuration-error.ts'
import { explainFailure } from '../internal/failure.ts'
import { monotonic } from '../internal/monotonic-clock.ts'
import { OUTLIVES_REQUESTS } from '../internal/request-scope.ts'
import { withDeadline } from '../internal/with-deadline.ts'
import type { IssuerState } from '../issuers/options.ts'
import type { FeedState } from '../session/revocation-feed.ts'
import type { ProbeResult, StoreProbe } from '../session/store-probe.ts'
import { NO_KEYS } from './resolve-keys.ts'
import type { Settings } from './resolve-options.ts'
import type { RevocationCheck } from './revocation-check.ts'

/** One thing that is wrong. */
export interface HealthProblem {
  /** What it is about: the session store, the log of revocations, the own keys, other issuers. */
  readonly part: 'store' | 'feed' | 'keys' | 'issuers'
  /** `'error'` where requests fail because of it; `'warning'` where they do not, yet. */
  readonly severity: 'error' | 'warning'
  /**
   * What it is called: a code of the store or of its driver, such as `READONLY`, `OOM`, `42P01`,
   * `ECONNREFUSED`; or one of `writes_lost`, `clock_offset`, `feed_stale`, `feed_overflow`,
   * `log_restarted`, `keys_not_loaded`, `keys_failed`, `issuer_down`, `issuer_stale`,
   * `introspection_down`.
   */
  readonly code: string
  /** What is wrong, in a few words. */
  readonly reason: string
  /** What to do. */
  readonly advice: string
}

/** How an application is. Everything in it may be shown to an operator. */
export interface AuthHealth {
  /** Whether it works: no problem is an `'error'`. */
  readonly ok: boolean
  /** What is wrong, errors first; empty for nothing. */
  readonly problems: readonly HealthProblem[]
  /** The session store; null without one. */
  readonly store: {
    /** Its name, such as `'postgres'`. */
    readonly name: string
    /** Whether it took a write and a refresh just now. */
    readonly ok: boolean
    /** How long the write took, in seconds; null where it failed. */
    readonly roundTrip: number | null
    /**
     * The store's time less this machine's, in seconds, give or take half a round trip; null where
     * it is not known, and with a `clock` of the application's own.
     */
    readonly clockOffset: number | null
  } | null
  /** As `auth.state()`. */
  readonly feed: FeedState | null
  /** The own keys. */
  readonly keys: {
    /** The key that signs; null for none. */
    readonly signing: {
      /** Its name. */
      readonly kid: string
      /** Its algorithm. */
      readonly alg: string
    } | null
    /** How many keys verify. */
    readonly verifying: number
  }
  /** As `auth.issuers()`. */
  readonly issuers: readonly IssuerState[]
}

/** What a health check asks. */
export interface HealthDependencies {
  /** Tries the store; null without one. */
  readonly probe: StoreProbe | null
  /** Knows what is revoked. */
  readonly revocation: Pick<RevocationCheck<never>, 'state' | 'trouble'>
  /** How the other issuers are. */
  readonly issuers: () => readonly IssuerState[]
}

/** What of an application's settings a health check reads. */
type HealthSettings = Pick<Settings<never, never>, 'ring' | 'clock'>

/** For how long a result is given out again, in seconds: so often the store is written at most. */
const KEPT = 1

/** How long loading the keys may keep a check waiting, in seconds. */
const KEYS_DEADLINE = 2

/** By how much the clocks may differ, in seconds, before it is said. */
const MAX_CLOCK_OFFSET = 5

/** For how long it is said that the store has lost something, in seconds. */
const LOSS_SHOWN = 600

/** Prepares the check. Calls at the same time share one, and its result is kept for a second. */
export function createHealth(
  settings: HealthSettings,
  dependencies: HealthDependencies,
): () => Promise<AuthHealth> {
  const check = () => checkHealth(settings, dependencies)
  // In Workers a promise of one request is nothing to wait for in another.
  if (!OUTLIVES_REQUESTS) return check
  let last: { readonly result: Promise<AuthHealth>; endedAt: number } | null = null
  return () => {
    if (last !== null && monotonic() - last.endedAt < KEPT) return last.result
    const current = { result: check(), endedAt: Number.POSITIVE_INFINITY }
    last = current
    const end = () => {
      current.endedAt = monotonic()
    }
    current.result.then(end, end)
    return current.result
  }
}

async function checkHealth(
  { ring, clock }: HealthSettings,
  { probe, revocation, issuers }: HealthDependencies,
): Promise<AuthHealth> {
  const [found, keyProblems] = await Promise.all([tryStore(probe), checkKeys(ring, clock())])
  const feed = revocation.state()
  const states = issuers()
  const problems = [
    ...(found?.problems ?? []),
    ...checkFeed(feed, revocation.trouble()),
    ...keyProblems,
    ...checkIssuers(states, ring === NO_KEYS),
  ]
  const { signer, keys } = ring
  return Object.freeze({
    ok: problems.every(({ severity }) => severity !== 'error'),
    problems: Object.freeze([
      ...problems.filter(({ severity }) => severity === 'error'),
      ...problems.filter(({ severity }) => severity !== 'error'),
    ]),
    store: found?.store ?? null,
    feed,
    keys: { signing: signer && { kid: signer.kid, alg: signer.alg }, verifying: keys.length },
    issuers: states,
  })
}

async function tryStore(
  probe: StoreProbe | null,
): Promise<{ store: NonNullable<AuthHealth['store']>; problems: readonly HealthProblem[] } | null> {
  if (probe === null) return null
  const { name } = probe
  try {
    const result = await probe.run()
    const { roundTrip, clockOffset } = result
    const problems = [...checkWrites(result), ...checkClock(result)]
    return { store: { name, ok: true, roundTrip, clockOffset }, problems }
  } catch (error) {
    const problems = [explain('store', 'error', error)]
    return { store: { name, ok: false, roundTrip: null, clockOffset: null }, problems }
  }
}

function checkWrites({ lostFor }: ProbeResult): readonly HealthProblem[] {
  if (lostFor === null || lostFor > LOSS_SHOWN) return []
  return [
    {
      part: 'store',
      severity: 'warning',
      code: 'writes_lost',
      reason: 'it has lost what was written: it was emptied, restored, or its replica was behind',
      advice: 'look at what became of it; sessions may be gone, and revocations that no process knows',
    },
  ]
}

/** Both clocks date tokens: the store those of a refresh, this machine the others. */
function checkClock({ clockOffset, roundTrip }: ProbeResult): readonly HealthProblem[] {
  if (clockOffset === null || Math.abs(clockOffset) <= MAX_CLOCK_OFFSET + roundTrip) return []
  const seconds = Math.round(Math.abs(clockOffset))
  return [
    {
      part: 'store',
      severity: 'warning',
      code: 'clock_offset',
      reason: `its clock is ${seconds} s ${clockOffset > 0 ? 'ahead of' : 'behind'} that of this machine`,
      advice: 'set both clocks by NTP',
    },
  ]
}

function checkFeed(
  state: FeedState | null,
  trouble: ReturnType<HealthDependencies['revocation']['trouble']>,
): readonly HealthProblem[] {
  if (state === null || trouble === null) return []
  const { isRefusing, failure, restartedFor } = trouble
  const problems: HealthProblem[] = []
  const add = (severity: HealthProblem['severity'], code: string, reason: string, advice: string) =>
    problems.push({ part: 'feed', severity, code, reason, advice })
  if (isRefusing)
    add(
      'error',
      'feed_stale',
      'revocations were not read for longer than `revocation.maxStale`, so requests are refused',
      'bring back what the log is read from',
    )
  if (failure !== undefined) problems.push(explain('feed', 'warning', failure))
  if (restartedFor !== null && restartedFor < LOSS_SHOWN)
    add(
      'warning',
      'log_restarted',
      'its store is another one, or was restarted or restored, so all of it was read again',
      'nothing, if you did that: what this process knew to be revoked is stored again',
    )
  if (state.overflows)
    add(
      'warning',
      'feed_overflow',
      'there are more revocations than this process remembers, so it asks the store about each token',
      'make access tokens live shorter, or revoke by subject',
    )
  return problems
}

/** Loads keys that are due: an idle process would know of no failure. */
async function checkKeys(ring: HealthSettings['ring'], now: number): Promise<readonly HealthProblem[]> {
  if (ring.changes === null) return []
  const { changes } = ring
  await withDeadline('load', KEYS_DEADLINE, () => changes.current(now)).catch(() => undefined)
  const { loadedAt, failedSince } = changes.state()
  if (failedSince === null && loadedAt !== null) return []
  const isNever = loadedAt === null
  return [
    {
      part: 'keys',
      severity: isNever ? 'error' : 'warning',
      code: isNever ? 'keys_not_loaded' : 'keys_failed',
      reason: isNever
        ? 'the keys could not be loaded yet'
        : 'the keys cannot be loaded; the last ones are used',
      advice: 'mend what they are loaded from; `on.keysFailed` tells why',
    },
  ]
}

/** What a state of an issuer means. */
const ISSUER_PROBLEMS: Readonly<Record<string, readonly [code: string, reason: string]>> = {
  down: ['issuer_down', 'has no key set that may be used, so its tokens are refused'],
  stale: ['issuer_stale', 'is out of reach; its last key set is used'],
}

/** @param areAll whether there are no own keys, so that without issuers nothing works */
function checkIssuers(states: readonly IssuerState[], areAll: boolean): readonly HealthProblem[] {
  const areAllDown = areAll && states.length > 0 && states.every(({ status }) => status === 'down')
  return states.flatMap(({ issuer, status, introspection }) => {
    const found = [ISSUER_PROBLEMS[status]]
    if (introspection === 'down') found.push(['introspection_down', 'cannot be asked about opaque tokens'])
    return found.flatMap((row) =>
      row === undefined
        ? []
        : [
            {
              part: 'issuers',
              severity: areAllDown ? 'error' : 'warning',
              code: row[0],
              reason: `${issuer} ${row[1]}`,
              advice: 'look at the issuer and at the network between; `on.issuerDown` tells why',
            } as const,
          ],
    )
  })
}

/** Says what a failure means. Only messages of this package are repeated. */
function explain(
  part: HealthProblem['part'],
  severity: HealthProblem['severity'],
  error: unknown,
): HealthProblem {
  const known = explainFailure(error)
  if (known !== undefined) return { part, severity, ...known }
  const rest =
    error instanceof ConfigurationError
      ? { reason: error.message, advice: 'correct the setup: no time mends it' }
      : { reason: 'a call of it failed', advice: 'look at what the event `storeDown`, or the log, says' }
  return { part, severity, code: toCode(error), ...rest }
}

/** The code of what failed, or its name. */
function toCode(error: unknown): string {
  const { cause = error } = Object(error) as { readonly cause?: unknown }
  const { code, name } = Object(cause) as { readonly code?: unknown; readonly name?: unknown }
  const found = typeof code === 'string' ? code : name
  return typeof found === 'string' && /^\w{1,64}$/.test(found) ? found : 'unknown'
}
