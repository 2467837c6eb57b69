/** A fuse: ends this process by SIGKILL at a certain statement, or at a certain call of the store. */
import type { Store } from '../../../src/session/store.ts'
import type { Tap } from './connect.ts'

/** A fuse, unlit until `set`. */
export interface Fuse {
  /** Goes around every statement. */
  readonly tap: Tap
  /** Goes around every call of a store. */
  wrap(store: Store): Store
  /** Lights it: dies at the `index`-th from now on, counted from 0, before it is sent or after it was answered. */
  set(what: 'statement' | 'call', index: number, when: 'before' | 'after'): void
}

function die(): void {
  process.kill(process.pid, 'SIGKILL')
  // The signal is on its way: nothing more happens here.
  for (;;);
}

/** Makes a fuse. */
export function createFuse(): Fuse {
  let lit: { what: string; index: number; when: string } | null = null
  let seen = 0
  const before = (what: string): number => {
    if (lit?.what !== what) return -1
    const index = seen++
    if (lit.index === index && lit.when === 'before') die()
    return index
  }
  const after = (what: string, index: number): void => {
    if (lit?.what === what && lit.index === index && lit.when === 'after') die()
  }
  let statement = -1
  return {
    tap: {
      before() {
        statement = before('statement')
      },
      after: () => after('statement', statement),
    },
    wrap(store) {
      // A copy and no proxy: a store may be frozen, and a proxy must not answer other methods than a frozen object has.
      const wrapped = Object.entries(store).map(([name, method]: [string, unknown]) => {
        if (typeof method !== 'function' || name === 'readLog') return [name, method]
        const call = async (...args: unknown[]): Promise<unknown> => {
          const index = before('call')
          const result: unknown = await method.apply(store, args)
          after('call', index)
          return result
        }
        return [name, call]
      })
      return Object.fromEntries(wrapped) as Store
    },
    set(what, index, when) {
      seen = 0
      lit = { what, index, when }
    },
  }
}
