/** The signer of a ring whose key is in this process, which signs without a promise. */
import { prepareSignJws } from '../../src/token/jws.ts'
import type { KeyRing } from '../../src/token/ring.ts'

export const prepareSignNow = (ring: KeyRing, header: Readonly<Record<string, unknown>>) =>
  prepareSignJws(ring, header) as (payload: string) => string
