/**
 * The client's times, in seconds, and bounds. They have a file of their own, without imports, since
 * bundlers put such constants where they are used.
 */

/**
 * How long to wait for the lock before work runs without it: a tab that the system suspended must
 * not stop the others.
 */
export const LOCK_DEADLINE = 30

/** For how long a lock announces a message. */
export const ANNOUNCED_FOR = 5

/** How long to wait for an announced message; its tab may be gone. */
export const MESSAGE_TIMEOUT = 1

/** How many ids of messages are remembered. */
export const REMEMBERED = 50

/** How often a refresh is sent when no response comes, and the first pause between. */
export const TRIES = 3
export const PAUSE = 0.5

/** The longest deadline of a refresh. */
export const MAX_DEADLINE = 60

/** The longest time for which a failure stops the next refresh, whatever it says. */
export const MAX_WAIT = 60

/** How long coming back to a page lasts: it has several events. */
export const COMING_BACK = 1

/** The longest body of a `Request` that is kept so that it can be sent again, in bytes: 1 MiB. */
export const KEPT = 1_048_576
