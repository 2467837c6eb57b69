/**
 * Attempts at passwords that are being looked at in this process. They count as failures until they turn out to be none, so several right ones
 * of one user at the same moment would be in each other's way.
 */

/** The attempts that are being looked at. */
export interface InFlight {
  /** Remembers an attempt until it is over; success says that the password was right and the failures are forgotten. */
  track<T>(account: string, work: Promise<T>): Promise<T>
  /** Waits for what becomes of the attempts at an account; whether one of them succeeded. */
  isForgiven(account: string): Promise<boolean>
}

/** Makes an empty set of attempts. */
export function createInFlight(): InFlight {
  const byAccount = new Map<string, Set<Promise<boolean>>>()
  return {
    track(account, work) {
      const known = byAccount.get(account) ?? new Set()
      const outcome = work.then(
        () => true,
        () => false,
      )
      byAccount.set(account, known.add(outcome))
      void outcome.then(() => {
        known.delete(outcome)
        if (known.size === 0 && byAccount.get(account) === known) byAccount.delete(account)
      })
      return work
    },
    async isForgiven(account) {
      return (await Promise.all(byAccount.get(account) ?? [])).includes(true)
    },
  }
}
