/**
 * The store suite: what `tokenwright/stores/contract` says a store must do, as tests that anyone
 * can run on a store of their own, with any runner that has `describe` and `it`. The cases are in
 * the files beside this one.
 */
import type { Store } from 'tokenwright/stores/contract'
import { ATTEMPTS } from './attempts.ts'
import { CLOCKS } from './clocks.ts'
import type { Cases } from './fixtures.ts'
import { PRUNING } from './pruning.ts'
import { RACES } from './races.ts'
import { REALM_CASES } from './realms.ts'
import { REVOCATION_LOG } from './revocation-log.ts'
import { REVOCATIONS, STRICT_CHECKS } from './revocations.ts'
import { ENDINGS, ROTATIONS } from './rotations.ts'
import { LISTS, STARTS, STEP_UPS } from './starts.ts'
import { SUBJECTS, TEXTS } from './texts.ts'

/** A test runner: that of vitest, `node:test`, jest and mocha. */
export interface Runner {
  /** Groups tests. */
  readonly describe: (name: string, body: () => void) => unknown
  /**
   * Declares a test; the third argument is its time limit in milliseconds, where the runner looks
   * at one.
   */
  readonly it: (name: string, body: () => Promise<void>, limit?: number) => unknown
}

/** A store for one test. */
export interface OpenStore {
  /** The store; it may share its server and its tables with any other. */
  readonly store: Store
  /** Closes what was opened for it. */
  close?(): Promise<unknown>
}

/** How long one test may take, in seconds: the largest writes a thousand sessions. */
const LIMIT = 120

/** The groups; those with `own` false bring their `now` and run in two epochs. */
const GROUPS: readonly { readonly name: string; readonly cases: Cases; readonly own: boolean }[] = [
  { name: 'rotation', cases: ROTATIONS, own: false },
  { name: 'endings', cases: ENDINGS, own: false },
  { name: 'start', cases: STARTS, own: false },
  { name: 'step-up', cases: STEP_UPS, own: false },
  { name: 'list', cases: LISTS, own: false },
  { name: 'revocation', cases: REVOCATIONS, own: false },
  { name: 'realms', cases: REALM_CASES, own: false },
  { name: 'strict checks', cases: STRICT_CHECKS, own: false },
  { name: 'attempts', cases: ATTEMPTS, own: false },
  { name: 'subjects', cases: SUBJECTS, own: true },
  { name: 'texts and data', cases: TEXTS, own: true },
  { name: 'its own clock', cases: CLOCKS, own: true },
  { name: 'races', cases: RACES, own: true },
  { name: 'log', cases: REVOCATION_LOG, own: true },
  { name: 'pruning', cases: PRUNING, own: true },
]

/**
 * Moments that no store's own clock shows, so that a store which looks at its own is found out. To
 * the millisecond.
 */
const EPOCHS = {
  'hours ago': () => Math.floor(Date.now() / 1000) - 6 * 3600 + 0.123,
  'in the year 2100': () => 4_102_444_800.877,
}

/** The runner's functions in the global scope, as jest and mocha have them. */
function toGlobals(): Runner {
  const { describe, it } = globalThis as Partial<Runner>
  if (typeof describe === 'function' && typeof it === 'function') return { describe, it }
  throw new TypeError(
    'storeSuite needs a runner: give { describe, it } of your test runner as the second argument',
  )
}

/**
 * Declares the tests that a store must pass. It asks for a store per test and never empties one:
 * every test starts sessions of its own under random names, so that stores may share a server.
 *
 * It does not check that a store survives its server: kill it in tests of your own.
 *
 * @param makeStore opens a store whose tables are there
 * @param runner the functions of your test runner; where they are global they may be left out
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
