/** The store suite on every store of the package. */
import { afterAll, beforeAll, describe, it } from 'vitest'
import { type OpenStore, storeSuite } from '../../src/testing.ts'
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
