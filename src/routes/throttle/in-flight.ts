/**
 * Attempts at passwords that are being looked at in this process. They count as failures until they
 * turn out to be none, so several right ones of one user at the same moment would be in each
 * other's way.
 */

/** The attempts that are being looked at. */
export interface InFlight {
  /** Remembers an attempt until it ends; whoever waits for the account learns how. */
  begin(account: string): (isRight: boolean) => void
  /**
   * The attempts at an account that run now: waits for what becomes of them, and says whether one
   * was right.
   */
  watch(account: string): () => Promise<boolean>
}

/** Makes an empty set of attempts. */
export function createInFlight(): InFlight {
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
