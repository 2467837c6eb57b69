/**
 * The store suite on databases that are reached by functions of the application, and through a
 * pooler. The statements are those that `stores.test.ts` runs at two moments: here one is enough,
 * but for `npm run prove`.
 */
import { type OpenStore, type Runner, storeSuite } from 'tokenwright-store-suite'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { PROVE } from '../invariants/size.ts'
import { ENGINES } from './engines.ts'

/** Cases with hundreds of calls and more. */
const LONG = /random walk|thousand|than a list can have|200 parallel|several writers|late again and again/

/** Groups with hundreds of calls, or that test no more than JavaScript. */
const LONG_GROUPS =
  /^(transfer|races|subjects|texts and data|its own clock|attempts|realms|list|strict checks|step-up)/

function toRunner(isSlow: boolean): Runner {
  return {
    it: (name, body, limit) => (isSlow && !PROVE && LONG.test(name) ? undefined : it(name, body, limit)),
    describe(name, body) {
      const isLong = name.endsWith('in the year 2100') || (isSlow && LONG_GROUPS.test(name))
      return isLong && !PROVE ? undefined : describe(name, body)
    },
  }
}

for (const { name, open, reason, isSlow = false } of ENGINES) {
  describe.skipIf(reason !== null)(`${name}${reason === null ? '' : `: ${reason}`}`, () => {
    let opened: OpenStore
    beforeAll(async () => {
      opened = await open()
    }, 60_000)
    afterAll(() => opened?.close?.())
    storeSuite(async () => ({ store: opened.store }), toRunner(isSlow))
  })
}
