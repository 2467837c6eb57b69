/**
 * The store suite without its long cases, and at one of its two moments: for engines whose
 * statements or scripts are those of another one. `npm run prove` runs the whole.
 */
import type { Runner } from 'tokenwright-store-suite'
import { describe, it } from 'vitest'
import { PROVE } from '../invariants/size.ts'

/** Cases with a thousand calls and more. */
const LONG = /random walk|thousand|than a list can have/

/** Declares what is run. */
export const BRIEF: Runner = {
  it: (name, body, limit) => (!PROVE && LONG.test(name) ? undefined : it(name, body, limit)),
  describe: (name, body) => (!PROVE && name.endsWith('in the year 2100') ? undefined : describe(name, body)),
}
