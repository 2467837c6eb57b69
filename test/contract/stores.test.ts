/** The store suite on every store of the package. */

import { type OpenStore, storeSuite } from 'tokenwright-store-suite'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { STORES } from './opened.ts'

for (const { name, open, reason } of STORES) {
  describe.skipIf(reason !== null)(`${name}${reason === null ? '' : `: ${reason}`}`, () => {
    let opened: OpenStore
    beforeAll(async () => {
      opened = await open()
    }, 60_000)
    afterAll(() => opened?.close?.())
    storeSuite(async () => ({ store: opened.store }), { describe, it })
  })
}
