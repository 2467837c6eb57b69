/**
 * Connections that lead nowhere: a firewall that forgot them, a host that is gone, a process that
 * hangs. TCP notices after a quarter of an hour, ioredis only with `socketTimeout`, and node-redis
 * never while commands are written. Here something is done when no reply comes for a while although
 * some are due; what is done is in `replace.ts`.
 */

/** Watches one connection, or what the client takes for one. */
export class ReplyTimeout {
  readonly #seconds: number
  readonly #act: () => unknown
  #due = 0
  /** When a reply came last, or when one became due while none was. */
  #repliedAt = 0
  /** One for many replies: a timer for each would cost as much as sending a command. */
  #timer: ReturnType<typeof setTimeout> | undefined

  /**
   * @param seconds how long no reply may come while some are due
   * @param act is called then, and again after as long; what it rejects with is dropped, as the
   *   client tells of failures to connect by itself
   */
  constructor(seconds: number, act: () => unknown) {
    this.#seconds = seconds
    this.#act = act
  }

  /**
   * Sends a command. The client rejects those whose connection is replaced, or sends them again.
   */
  async watch<T>(send: () => T | Promise<T>): Promise<T> {
    this.begin()
    try {
      return await send()
    } finally {
      this.end()
    }
  }

  /** A command is sent. */
  begin(): void {
    this.#due += 1
    if (this.#due > 1) return
    this.#repliedAt = performance.now()
    if (this.#timer === undefined) this.#wait(this.#seconds * 1000)
  }

  /** Its reply has come, or none will. */
  end(): void {
    this.#due -= 1
    this.#repliedAt = performance.now()
  }

  #wait(milliseconds: number): void {
    this.#timer = setTimeout(() => this.#look(), milliseconds)
    this.#timer.unref?.()
  }

  #look(): void {
    this.#timer = undefined
    if (this.#due === 0) return
    const left = this.#repliedAt + this.#seconds * 1000 - performance.now()
    if (left <= 0) {
      this.#repliedAt = performance.now()
      attempt(this.#act)
    }
    // What is sent again must be watched again.
    this.#wait(left > 0 ? left : this.#seconds * 1000)
  }
}

/** Does something now at most once in so many seconds. */
export class Occasionally {
  readonly #seconds: number
  readonly #act: () => unknown
  #actedAt = Number.NEGATIVE_INFINITY

  /** @param act as in `ReplyTimeout` */
  constructor(seconds: number, act: () => unknown) {
    this.#seconds = seconds
    this.#act = act
  }

  /** Does it, unless it was done a moment ago. */
  act(): void {
    if (performance.now() - this.#actedAt < this.#seconds * 1000) return
    this.#actedAt = performance.now()
    attempt(this.#act)
  }
}

function attempt(act: () => unknown): void {
  Promise.resolve()
    .then(act)
    .catch(() => undefined)
}
