/**
 * The password attempts that this process is checking. They count as failures until they succeed,
 * so several correct ones of one user at the same moment could refuse each other. A refused attempt
 * therefore waits for the others.
 */
import { OUTLIVES_REQUESTS } from '../../internal/request-scope.ts'

/** The attempts that are being checked. */
export interface InFlight {
  /** Remembers an attempt until the returned function is called with its result. */
  begin(account: string): (isRight: boolean) => void
  /**
   * Takes the current attempts at an account. The returned function resolves to whether one
   * succeeds.
   */
  watch(account: string): () => Promise<boolean>
}

/** For platforms where no request can wait for another one: a refusal is final. */
const NONE: InFlight = { begin: () => () => undefined, watch: () => async () => false }

/** Creates an empty set of attempts. */
export function createInFlight(): InFlight {
  if (!OUTLIVES_REQUESTS) return NONE
  const byAccount = new Map<string, Set<Promise<boolean>>>()
  return {
    begin(account) {
      const known = byAccount.get(account) ?? new Set()
      let end: (isRight: boolean) => void = () => undefined
      const attempt = new Promise<boolean>((resolve) => {
        end = resolve
      })
      byAccount.set(account, known.add(attempt))
      return (isRight) => {
        known.delete(attempt)
        if (known.size === 0 && byAccount.get(account) === known) byAccount.delete(account)
        end(isRight)
      }
    },
    watch(account) {
      const running = [...(byAccount.get(account) ?? [])]
      return async () => {
        const later = byAccount.get(account) ?? []
        return (await Promise.all([...running, ...later])).includes(true)
      }
    },
  }
}
