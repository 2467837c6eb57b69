/**
 * The store suite: tests of what `tokenwright/stores/contract` requires of a store. They run with
 * any test runner that has `describe` and `it`. The cases are in the files beside this one.
 */
import type { Store } from 'tokenwright/stores/contract'
import { ATTEMPTS } from './attempts.ts'
import { CLOCKS } from './clocks.ts'
import { COUNTED_TOGETHER } from './counted-together.ts'
import { SIGHTINGS, UPDATES } from './details.ts'
import type { Cases } from './fixtures.ts'
import { LIMITS } from './limits.ts'
import { LIVES } from './lives.ts'
import { PRUNING } from './pruning.ts'
import { RACES } from './races.ts'
import { REALM_CASES } from './realms.ts'
import { REVOCATION_LOG } from './revocation-log.ts'
import { REVOCATIONS, STRICT_CHECKS } from './revocations.ts'
import { ENDINGS, ROTATIONS } from './rotations.ts'
import { LISTS, STARTS, STEP_UPS } from './starts.ts'
import { SUBJECTS, TEXTS } from './texts.ts'
import { TRANSFER } from './transfer.ts'

/** A test runner, such as vitest, `node:test`, Jest or Mocha. */
export interface Runner {
  /** Groups tests. */
  readonly describe: (name: string, body: () => void) => unknown
  /** Declares a test. The third argument is its timeout in milliseconds; a runner may ignore it. */
  readonly it: (name: string, body: () => Promise<void>, limit?: number) => unknown
}

/** A store for one test. */
export interface OpenStore {
  /** The store. It may share its server and its tables with others. */
  readonly store: Store
  /** Closes the store and its connections. */
  close?(): Promise<unknown>
}

/** The timeout of a test in seconds. The longest test writes a thousand sessions. */
const LIMIT = 120

/** The groups. Those with `own` false pass `now` to the store, and run at two moments. */
const GROUPS: readonly { readonly name: string; readonly cases: Cases; readonly own: boolean }[] = [
  { name: 'rotation', cases: ROTATIONS, own: false },
  { name: 'endings', cases: ENDINGS, own: false },
  { name: 'start', cases: STARTS, own: false },
  { name: 'limits', cases: LIMITS, own: false },
  { name: 'lives', cases: LIVES, own: false },
  { name: 'last seen', cases: SIGHTINGS, own: false },
  { name: 'update', cases: UPDATES, own: false },
  { name: 'step-up', cases: STEP_UPS, own: false },
  { name: 'list', cases: LISTS, own: false },
  { name: 'revocation', cases: REVOCATIONS, own: false },
  { name: 'realms', cases: REALM_CASES, own: false },
  { name: 'strict checks', cases: STRICT_CHECKS, own: false },
  { name: 'attempts', cases: ATTEMPTS, own: false },
  { name: 'attempts together', cases: COUNTED_TOGETHER, own: false },
  { name: 'subjects', cases: SUBJECTS, own: true },
  { name: 'texts and data', cases: TEXTS, own: true },
  { name: 'its own clock', cases: CLOCKS, own: true },
  { name: 'races', cases: RACES, own: true },
  { name: 'log', cases: REVOCATION_LOG, own: true },
  { name: 'pruning', cases: PRUNING, own: true },
  { name: 'transfer', cases: TRANSFER, own: true },
]

/**
 * Moments that differ from the store's own clock, so that a store fails if it uses its clock
 * instead of `now`. They have milliseconds.
 */
const EPOCHS = {
  'hours ago': () => Math.floor(Date.now() / 1000) - 6 * 3600 + 0.123,
  'in the year 2100': () => 4_102_444_800.877,
}

/** The global functions of the runner, as in Jest and Mocha. */
function toGlobals(): Runner {
  const { describe, it } = globalThis as Partial<Runner>
  if (typeof describe === 'function' && typeof it === 'function') return { describe, it }
  throw new TypeError('storeSuite needs a test runner: pass its { describe, it } as the second argument')
}

/**
 * Declares the tests that a store must pass. It opens a store for each test and never empties one.
 * Each test starts its own sessions under random names, so stores may share a server.
 *
 * It does not check what happens when a server is killed. Test that yourself.
 *
 * @param makeStore opens a store whose tables exist
 * @param runner the functions of your test runner; optional if they are global
 * @throws {TypeError} when there is no runner
 *
 * @example
 * ```ts
 * import { describe, it } from 'node:test'
 * import { memoryStore } from 'tokenwright/stores/memory'
 * import { storeSuite } from 'tokenwright-store-suite'
 *
 * storeSuite(async () => ({ store: memoryStore() }), { describe, it })
 * ```
 */
export function storeSuite(makeStore: () => Promise<OpenStore>, runner: Runner = toGlobals()): void {
  const { describe, it } = runner
  const declare = (cases: Cases, toMoment: () => number): void => {
    for (const [name, body] of Object.entries(cases))
      it(name, () => use(makeStore, body, toMoment()), LIMIT * 1000)
  }
  for (const { name, cases, own } of GROUPS) {
    if (own) {
      describe(name, () => declare(cases, EPOCHS['hours ago']))
      continue
    }
    for (const [when, toMoment] of Object.entries(EPOCHS)) {
      describe(`${name}, ${when}`, () => declare(cases, toMoment))
    }
  }
}

async function use(makeStore: () => Promise<OpenStore>, body: Cases[string], moment: number): Promise<void> {
  const { store, close } = await makeStore()
  try {
    await body(store, moment)
  } finally {
    await close?.()
  }
}
